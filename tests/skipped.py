"""What a run of ctest skipped, and whether it may: only for want of a GPU, of an instruction set, of the authors' files, of
PyTorch, whose five gigabytes are no part of the tests' environment, or of an engine that does not install here.

    ctest --output-junit FILE --test-output-size-passed 1000000 ..; python tests/skipped.py FILE

Exit status 1 where a test was skipped for any other reason, or for none.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

# A part of the test's own sentence, and of the names of tests that CMake disables for the machine at hand.
ALLOWED = (r"not run on a GPU: ", r"this machine has a GPU", r"no \S*/shared/\S+", r"needs PyTorch \(make peers\)",
           r"The compiled PTX is not executed: ", r"the engine (dask|ray|mpi|slurm) does not install here: ")
DISABLED = r"machine_test_(avx2|avx512)"  # this CPU cannot run it
SKIPPED = re.compile(r"\[  SKIPPED \] \S|^SKIPPED \[|\b\d+ skipped\b|\bskipped=\d", re.MULTILINE)


def skips(report: str) -> list[tuple[str, str, bool]]:
    """(test, reason, allowed) of every test of a JUnit report that was skipped, as a whole or in part."""
    found = []
    for case in ElementTree.fromstring(report).iter("testcase"):
        name, output = case.get("name", ""), case.findtext("system-out") or ""
        if case.get("status") == "disabled":
            found.append((name, "this CPU has no such instructions", re.fullmatch(DISABLED, name) is not None))
        elif case.get("status") == "notrun" or case.find("skipped") is not None or SKIPPED.search(output):
            reason = next((match[0] for pattern in ALLOWED if (match := re.search(f".*{pattern}.*", output))), "")
            found.append((name, reason.strip() or "no reason that is allowed", bool(reason)))
    return found


def main(path: str) -> int:
    found = skips(Path(path).read_text())
    for name, reason, allowed in found:
        print(f"{'skipped' if allowed else 'MUST NOT BE SKIPPED'}: {name}: {reason[:160]}")
    return 0 if all(allowed for _, _, allowed in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
