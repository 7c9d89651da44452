"""What a training costs more from Python than in the C++ program, on Figure 4's sweeps: one line of JSON.

    PYTHONPATH=build/python .venv/bin/python bench/python_overhead.py build/phasegrid [--preset quick] [--pairs 5]

Each pair trains the same sweeps into files twice, in turns first: `phasegrid run FILES --out FOLDER`, the process as a
whole, and phasegrid.train(sweeps, out=FOLDER), the call alone, in this process. Two figures come of it:
  overhead         best call / best process - 1: with all that both do, and the noise of the machine
  overhead_inside  of the best call, call / C++ train() within it - 1: the binding alone, files included
The arrays of both must be equal bit for bit, or nothing is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import phasegrid

SWEEPS = Path(__file__).resolve().parents[1] / "experiments"


def run_program(program: str, files: list[Path], arguments: argparse.Namespace, folder: Path) -> float:
    """Seconds of the whole process."""
    command = [program, "run", *files, "--preset", arguments.preset, "--device", "cpu", "--out", folder]
    if arguments.threads:
        command += ["--threads", str(arguments.threads)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def run_call(files: list[Path], arguments: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """Seconds of phasegrid.train(), and of C++'s train() within it."""
    inside = 0.0

    def listen(models_done: int, models_total: int, share_done: float, seconds: float) -> None:
        nonlocal inside
        inside = seconds

    start = time.perf_counter()
    sweeps = [sweep for file in files for sweep in phasegrid.read_sweeps(file, preset=arguments.preset)]
    phasegrid.train(sweeps, device="cpu", threads=arguments.threads, progress=listen, out=folder)
    return time.perf_counter() - start, inside


def check_equal(folder: Path, other: Path) -> None:
    """Both made the same files with the same arrays."""
    names = sorted(path.name for path in folder.glob("*.npz"))
    if not names or names != sorted(path.name for path in other.glob("*.npz")):
        sys.exit(f"python_overhead: {folder} and {other} hold different files")
    for name in names:
        with np.load(folder / name) as ours, np.load(other / name) as theirs:
            for key in ours:
                if ours[key].tobytes() != theirs[key].tobytes():
                    sys.exit(f"python_overhead: {name}: {key} differs between the program and the call")


def processor() -> str:
    """As Linux names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    files = [SWEEPS / f"{name}.toml" for name in arguments.sweeps]
    processes: list[float] = []
    calls: list[tuple[float, float]] = []
    for pair in range(arguments.pairs):
        with tempfile.TemporaryDirectory() as folder:
            by_program, by_call = Path(folder, "program"), Path(folder, "call")
            by_program.mkdir()
            by_call.mkdir()
            for step in ((0, 1), (1, 0))[pair % 2]:
                if step == 0:
                    processes.append(run_program(arguments.program, files, arguments, by_program))
                else:
                    calls.append(run_call(files, arguments, by_call))
            check_equal(by_call, by_program)
    call, inside = min(calls)
    pairs = [ours / process - 1 for (ours, _), process in zip(calls, processes, strict=True)]
    return {
        "preset": arguments.preset,
        "sweeps": arguments.sweeps,
        "models": sum(sweep.models for file in files for sweep in phasegrid.read_sweeps(file, preset=arguments.preset)),
        "threads": arguments.threads or os.cpu_count(),
        "processor": processor(),
        "version": phasegrid.__version__,
        "process_seconds": processes,
        "call_seconds": [ours for ours, _ in calls],
        "inside_seconds": [within for _, within in calls],
        "overhead": call / min(processes) - 1,
        "overhead_median_of_pairs": statistics.median(pairs),
        "overhead_inside": call / inside - 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("program", help="the C++ program, of the same build as the package")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0 means one a core")
    names = ["211", "212", "311", "312", "313", "321", "322", "323"]
    parser.add_argument("--sweeps", nargs="+", default=[f"fig4_{name}" for name in names])
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
