"""phasegrid beside JAX and PyTorch, in one run: same models, batches, steps and data; samples a second, and the ratios.

    make peers && .venv-peers/bin/python bench/compare_peers.py --out bench/results/peers_cpu_MACHINE.json
    .venv-peers/bin/python bench/compare_peers.py --shapes groups dense1000 --peers jax --out peers_family_cpu.json
    python3 bench/compare_peers.py --device cuda --out peers_cuda.json

Each shape's programs are started and compiled one after the other, which is reported and not counted; then they train
in turns, round after round, each on as many threads as there are cores and, on a CPU, for a second, so that no program
meets a quiet machine more easily than another. The best turn counts. The mean loss of the last batches of all timed
models must agree with phasegrid's within four standard errors and half a percent: where it does not, a peer computed
something else, which is said, and the exit status is 1. It is 2 where nothing was compared.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH / "peers"))
import candidates  # noqa: E402
import comparison  # noqa: E402
import programs  # noqa: E402
import task  # noqa: E402

Row = dict[str, Any]


def machine(device: str) -> Row:
    """What it ran on."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=BENCH, capture_output=True, text=True)
    row: Row = {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "python": sys.version.split()[0]}
    row |= {"commit": commit.stdout.strip(), "load_average_at_start": os.getloadavg()}
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        try:
            row["gpu"] = subprocess.run(query, capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:
            row["gpu"] = "nvidia-smi is missing"
    return row


def compare(shape: str, options: argparse.Namespace, deadline: float) -> Row:
    """All rounds of a shape: {"shape", "programs": [{peer, variant, models, seconds: [..], losses: [..], ..}]}."""
    print(f"{shape}:", file=sys.stderr)
    running: list[programs.Program] = []
    rows: list[Row] = []
    for candidate in candidates.of(options.device, shape, options.variants, options.peers):
        row: Row = {"peer": candidate.peer, "variant": candidate.variant, "models": candidate.models}
        row |= {"steps": options.steps or task.SHAPES[shape].steps, "seconds": [], "losses": []}
        rows.append(row)
        if time.monotonic() > deadline and candidate.peer != "phasegrid":
            row["problem"] = f"not started: the {options.limit:g} s of --limit were over"
            continue
        try:
            program = programs.start(candidate, shape, row, options)
        except programs.Problem as problem:
            row["problem"] = str(problem)
            print(f"  {candidate.peer} {candidate.variant}: {problem}", file=sys.stderr)
            continue
        print(f"  {candidate.peer} {candidate.variant}: first training {row['first_seconds']:.1f} s", file=sys.stderr)
        running.append(program)
    spent = dict.fromkeys((id(program) for program in running), 0.0)
    for at in range(options.rounds):
        for program in list(running):
            if at > 0 and spent[id(program)] > options.budget:
                continue
            try:
                spent[id(program)] += program.turn(1 + 10_000 * at, options.turn)
            except programs.Problem as problem:
                program.row["problem"] = str(problem)
                running.remove(program)
    for program in running:
        program.close()
    return {"shape": shape, "programs": rows}


def without_losses(measured: Row) -> Row:
    """A shape's rounds for the file: of the losses of thousands of models the rows have mean and standard error."""
    programs = [{key: value for key, value in row.items() if key != "losses"} for row in measured["programs"]]
    return measured | {"programs": programs}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; what cannot be used is one sentence and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--shapes", nargs="+", choices=list(task.SHAPES), help="default: four, two tiny and two large; on a GPU all")
    parser.add_argument("--peers", nargs="+", choices=["jax", "torch"], default=["jax", "torch"])
    parser.add_argument("--variants", choices=["best", "all"], default="best", help="all: the slow ones, too")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the CPU, for each program")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--turn", type=float, help="seconds of a program's turn at least (default: 1; GPU: a training)")
    parser.add_argument("--steps", type=int, help="of a timed training (default: 1000 for tiny shapes, else 200)")
    parser.add_argument("--budget", type=float, help="seconds of a program's turns of a shape (default: 20; GPU 12)")
    parser.add_argument("--limit", type=float, help="seconds after which no program is started (default: 900; GPU 140)")
    parser.add_argument("--phasegrid", help="the program (default: build/phasegrid or build-gpu's)")
    parser.add_argument("--out", help="a JSON file of everything that was measured")
    options = parser.parse_args(arguments)
    for name in ("threads", "rounds", "turn", "steps", "budget", "limit"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            parser.error(f"--{name} must be above 0, not {value}")
    if options.turn is None:
        options.turn = 1.0 if options.device == "cpu" else 1e-9
    if options.budget is None:
        options.budget = 20.0 if options.device == "cpu" else 12.0
    if options.limit is None:
        options.limit = 900.0 if options.device == "cpu" else 140.0
    if options.shapes is None:
        options.shapes = list(candidates.SHAPES[options.device])
    found = [options.phasegrid] if options.phasegrid else [str(path) for path in programs.places(options.device)]
    options.phasegrid = next((path for path in found if Path(path).is_file()), None)
    if options.phasegrid is None:
        parser.error(f"no program phasegrid at {' or '.join(found)}: build it, or name it with --phasegrid")
    return options


def main() -> int:
    """The comparison; exit status 1 where losses differ, 2 where no peer could be run."""
    options = parse()
    start, about = time.monotonic(), machine(options.device)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    shapes: list[Row] = []
    rows: list[Row] = []
    wrong: list[str] = []
    for shape in options.shapes:
        shapes.append(compare(shape, options, start + options.limit))
        rows = [row for measured in shapes for row in comparison.summarise(measured)]
        wrong = comparison.disagreements(rows)
        if options.out:  # after every shape: a run that is cut short has what it measured
            result = {"date": now, "machine": about, "options": vars(options), "seconds": time.monotonic() - start}
            result |= {"rows": rows, "shapes": [without_losses(measured) for measured in shapes], "losses_differ": wrong}
            Path(options.out).parent.mkdir(parents=True, exist_ok=True)
            Path(options.out).write_text(json.dumps(result, indent=1) + "\n")
    print(comparison.table(rows, options.device))
    if options.device == "cuda":
        print(f"\n{comparison.figure4(rows)}")
    for sentence in wrong:
        print(f"compare_peers: LOSSES DIFFER: {sentence}", file=sys.stderr)
    if wrong:
        return 1
    if all(row["peer"] == "phasegrid" for row in rows):
        problems = {row["problem"] for shape in shapes for row in shape["programs"] if "problem" in row}
        print(f"compare_peers: no peer could be run: {'; '.join(sorted(problems))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
