"""What bench/gpu/all.sh found: one results_PART.json, one archive of logs, and last of all a table for people.

Reads RESULTS/steps.tsv (one line a step: part, name, status, exit status, seconds, limit, note), RESULTS/machine.txt
and every RESULTS/*.json that a benchmark wrote. The tool that runs the script returns the last 12,000 characters of
output and at most 8 files, so everything of a part is in two files and the table comes last.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FIGURE_4_SAMPLES = 180_960 * 5_000 * 512  # models, steps, samples a step: the paper's grids
AUTHORS_SECONDS = 13 * 3600  # what the authors' PyTorch needed for Figure 4
NOT_MEASURED = "not measured"
GOOD = ("ok", "no-gpu")  # the second in a rehearsal alone


@dataclass(frozen=True)
class Step:
    """One step of a part. `status` is ok, failed, skipped, missing or no-gpu (see bench/gpu/steps.sh)."""

    part: int
    name: str
    status: str
    returned: int | None
    seconds: float
    limit: float
    note: str


@dataclass(frozen=True)
class Goal:
    """One goal: what was read, and whether that is enough (None: not measured)."""

    name: str
    wanted: str
    read: str
    met: bool | None


def read_steps(path: Path) -> list[Step]:
    """Steps of all parts, in the order they ran. Raises ValueError on a line with other than seven fields."""
    steps = []
    for line in path.read_text().splitlines():
        fields = line.split("\t")
        if len(fields) != 7:
            raise ValueError(f"{path}: a line must have 7 fields, not {len(fields)}: {line!r}")
        part, name, status, returned, seconds, limit, note = fields
        steps.append(
            Step(
                int(part), name, status, None if returned == "-" else int(returned), float(seconds), float(limit), note
            )
        )
    return steps


def read_reports(folder: Path) -> dict[str, Any]:
    """What the benchmarks wrote, by file name without .json; a file that is no JSON is an entry that says so."""
    reports: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith("results_"):
            continue
        try:
            reports[path.stem] = json.loads(path.read_text())
        except ValueError as error:
            reports[path.stem] = {"unreadable": str(error)}
    return reports


def rows_with(report: Any, key: str) -> Iterator[dict[str, Any]]:
    """Every object of a report, at any depth, in which `key` is a number."""
    if isinstance(report, dict):
        if isinstance(report.get(key), int | float):
            yield report
        for value in report.values():
            yield from rows_with(value, key)
    elif isinstance(report, list):
        for value in report:
            yield from rows_with(value, key)


def seconds_of(steps: list[Step], name: str) -> float | None:
    """Wall-clock seconds of a step that passed."""
    for step in steps:
        if step.name == name and step.status == "ok":
            return max(step.seconds, 1e-3)  # of which the record keeps milliseconds
    return None


def time_goal(steps: list[Step], step: str, name: str, most: float, goal: float) -> Goal:
    """A training that must take no longer than `most` seconds."""
    seconds = seconds_of(steps, step)
    wanted = f"<= {most:g} s, goal {goal:g} s"
    if seconds is None:
        return Goal(name, wanted, NOT_MEASURED, None)
    return Goal(name, wanted, f"{seconds:.2f} s", seconds <= most)


def floor_goal(reports: dict[str, Any]) -> Goal:
    """The smallest share of the floor's rate among the tiny shapes."""
    name, wanted = "share of the floor, tiny shapes", ">= 35 %, goal 70 %"
    tiny = [
        row for row in rows_with(reports.get("gpu_train"), "floor_share") if str(row.get("mapping", "tiny")) == "tiny"
    ]
    if not tiny:
        return Goal(name, wanted, NOT_MEASURED, None)
    least = min(tiny, key=lambda row: float(row["floor_share"]))
    share = float(least["floor_share"])
    return Goal(name, wanted, f"{100 * share:.1f} % (least of {len(tiny)}: {least.get('case')})", share >= 0.35)


def peer_goal(steps: list[Step], reports: dict[str, Any]) -> Goal:
    """Figure 4's samples a second over the best framework peer's on any of Figure 4's shapes."""
    name, wanted = "Figure 4 against the best framework", ">= 10 times, goal 40"
    seconds = seconds_of(steps, "figure4")
    peers = [
        row
        for row in rows_with(reports.get("compare_peers"), "samples_per_second")
        if any(word in str(row.get("peer", "")).lower() for word in ("jax", "torch"))
        and "fig4" in str(row.get("case", ""))
    ]
    if seconds is None or not peers:
        return Goal(name, wanted, NOT_MEASURED, None)
    best = max(peers, key=lambda row: float(row["samples_per_second"]))
    ratio = FIGURE_4_SAMPLES / seconds / float(best["samples_per_second"])
    return Goal(name, wanted, f"{ratio:.1f} times ({best['peer']}, {best['case']})", ratio >= 10)


def authors_goal(steps: list[Step]) -> Goal:
    """The other ratio: to the authors' own hours, which promise nothing."""
    seconds = seconds_of(steps, "figure4")
    if seconds is None:
        return Goal("Figure 4 against the authors' 13 h", "told", NOT_MEASURED, None)
    return Goal("Figure 4 against the authors' 13 h", "told", f"{AUTHORS_SECONDS / seconds:.0f} times", True)


def group_goal(steps: list[Step], name: str, wanted: str, names: list[str]) -> Goal:
    """Steps that must all have passed; planned ones that never ran count as not measured."""
    found = {step.name: step for step in steps if step.name in names}
    bad = [f"{step.name} {step.status}" for step in found.values() if step.status == "failed"]
    if bad:
        return Goal(name, wanted, ", ".join(bad), False)
    passed = [step for step in found.values() if step.status == "ok"]
    if len(passed) == len(names):
        return Goal(name, wanted, f"all {len(names)} passed", True)
    if not passed:
        return Goal(name, wanted, NOT_MEASURED, None)
    return Goal(name, wanted, f"{len(passed)} of {len(names)} passed, the others {NOT_MEASURED}", False)


GPU_TESTS = ["gpu_test", "unfused_peer_test", "fused_moe_test"]
SANITIZERS = [
    f"{tool}-{grid}" for tool in ("memcheck", "racecheck", "synccheck", "initcheck") for grid in ("tiny", "block")
] + [f"planted-{tool}" for tool in ("memcheck", "racecheck", "synccheck", "initcheck")]


def goals_of(steps: list[Step], reports: dict[str, Any]) -> list[Goal]:
    """What phasegrid is to do on one H100."""
    return [
        time_goal(steps, "figure4", "Figure 4, paper settings", 10, 3),
        time_goal(steps, "whole_paper", "everything in the paper", 60, 15),
        floor_goal(reports),
        peer_goal(steps, reports),
        authors_goal(steps),
        group_goal(steps, "gpu tests (CPU and GPU bits)", "all", GPU_TESTS),
        group_goal(steps, "sanitizers clean, none deaf", "all", SANITIZERS),
    ]


def table(steps: list[Step], goals: list[Goal]) -> str:
    """The last lines of the script's output."""
    lines = [f"{'part step':<30} {'status':<8} {'s':>8} {'limit':>6}  note"]
    for step in steps:
        note = step.note if step.status not in GOOD else step.note[:60]
        lines.append(f"{step.part:>4} {step.name:<25} {step.status:<8} {step.seconds:>8.2f} {step.limit:>6.0f}  {note}")
    lines.append("")
    lines.append(f"{'goal':<38} {'wanted':<24} read")
    verdicts = {True: "", False: "  NOT MET", None: ""}
    for goal in goals:
        lines.append(f"{goal.name:<38} {goal.wanted:<24} {goal.read}{verdicts[goal.met]}")
    return "\n".join(lines)


def commit_of(given: str) -> str:
    """The commit, from the caller or from git; "not given" where neither knows."""
    if given:
        return given
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return "not given"
    return found.stdout.strip() or "not given"


def main() -> int:
    """Returns 0 where every step of the part passed, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=int, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--commit", default="")
    arguments = parser.parse_args()
    steps = read_steps(arguments.results / "steps.tsv")
    reports = read_reports(arguments.results)
    goals = goals_of(steps, reports)
    machine = (arguments.results / "machine.txt").read_text().splitlines()
    report = {
        "machine": machine,
        "commit": commit_of(arguments.commit),
        "part": arguments.part,
        "steps": [asdict(step) for step in steps],
        "goals": [asdict(goal) for goal in goals],
        "reports": reports,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"results_{arguments.part}.json").write_text(json.dumps(report, indent=1) + "\n")
    logs = arguments.results / f"logs_{arguments.part}"
    with tarfile.open(arguments.out / f"logs_{arguments.part}.tar.gz", "w:gz") as archive:
        archive.add(logs, arcname=logs.name)
    print()
    print("\n".join(machine))
    print(f"commit {report['commit']}")
    for step in steps:  # a failing step's last words: the whole log is in the archive
        log = logs / f"{step.name}.log"
        if step.part == arguments.part and step.status == "failed" and log.is_file():
            print(f"\n--- {step.name}")
            print("\n".join(log.read_text(errors="replace").splitlines()[-12:])[-1200:])
    print()
    print(table(steps, goals))
    mine = [step for step in steps if step.part == arguments.part]
    return 0 if mine and all(step.status in GOOD for step in mine) else 1


if __name__ == "__main__":
    sys.exit(main())
