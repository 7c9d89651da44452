"""`phasegrid run SWEEP.toml` into NAME.zarr, or with --resume, handed over by the program: python -m
phasegrid.run_command. Bad input: one sentence, exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from phasegrid.command_line import Parser, exit_status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="phasegrid run", description="Train a sweep.", allow_abbrev=False)
    parser.add_argument("sweep")
    parser.add_argument("--out", required=True)
    parser.add_argument("--resume")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seed", type=int)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--variant", default="")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--progress", default="auto", choices=["auto", "on", "off"])
    parser.add_argument("--checkpoint-seconds", type=float, default=30)
    parser.add_argument("--fresh", action="store_true")
    return parser.parse_args(arguments)


def work(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    import phasegrid

    sweeps = phasegrid.read_sweeps(options.sweep, set=options.set, preset=options.preset, variant=options.variant)
    if len(sweeps) != 1:
        what = "a .zarr store holds" if options.resume is None else "--resume goes on with"
        raise ValueError(f"{options.sweep}: has {len(sweeps)} sweeps; {what} one: name it by --variant")
    sweep = sweeps[0] if options.seed is None else sweeps[0].replace(seed=options.seed)
    trained = phasegrid.train(
        sweep,
        out=options.out,
        resume=None if options.resume is None else phasegrid.load(options.resume),
        device=options.device,
        threads=options.threads,
        instruction_set=options.isa,
        progress={"on": True, "off": False}.get(options.progress),
        checkpoint_seconds=options.checkpoint_seconds,
        fresh=options.fresh,
    )
    print(f"{options.out}: {trained.models_done} of {sweep.models} models")


def main(arguments: Sequence[str]) -> int:
    packages = ("numpy", "tqdm", "zarr") if any(word.endswith(".zarr") for word in arguments) else ("numpy", "tqdm")
    missing = f"this needs Python's {', '.join(packages)}: pip install {' '.join(packages)}"
    interrupted = "interrupted; the same command goes on from what is stored"
    return exit_status("phasegrid", lambda: work(arguments), packages, missing, interrupted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
