"""python -m phasegrid: the program, e.g. `python -m phasegrid run sweep.toml --out results.npz`.

It is the compiled one that was built or installed together with this package.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

NAME = "phasegrid"


def candidates() -> Iterator[Path]:
    """Where the program may lie: in the build folder above build/python/phasegrid, where pip put it, beside Python, or
    in the folder build/ of the source tree that this file is in.
    """
    yield Path(__file__).parents[2] / NAME
    try:
        for file in importlib.metadata.files(NAME) or ():
            if file.name == NAME and file.parent.name == "bin":
                yield Path(str(file.locate()))
    except importlib.metadata.PackageNotFoundError:
        pass
    yield Path(sysconfig.get_path("scripts")) / NAME
    yield Path(__file__).parents[2].parent / "build" / NAME


def main(arguments: list[str]) -> int:
    program = next((path for path in candidates() if path.is_file() and os.access(path, os.X_OK)), None)
    if program is None:
        print(
            "phasegrid: the program is not beside this package; pip install it, or build it (make build) and set "
            "PYTHONPATH to build/python",
            file=sys.stderr,
        )
        return 2
    os.environ.setdefault("PHASEGRID_PYTHON", sys.executable)  # for what the program leaves to Python
    os.execv(program, [NAME, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
