"""`phasegrid run SWEEP.toml --out NAME.zarr`, handed over by the program: python -m phasegrid.store_command. Bad input:
one sentence, exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from phasegrid.command_line import Parser, exit_status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="phasegrid run", description="Train a sweep into a .zarr store.", allow_abbrev=False)
    parser.add_argument("sweep")
    parser.add_argument("--out", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seed", type=int)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--variant", default="")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--progress", default="auto", choices=["auto", "on", "off"])
    parser.add_argument("--fresh", action="store_true")
    return parser.parse_args(arguments)


def work(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    import phasegrid

    sweeps = phasegrid.read_sweeps(options.sweep, set=options.set, preset=options.preset, variant=options.variant)
    if len(sweeps) != 1:
        raise ValueError(f"{options.sweep}: has {len(sweeps)} sweeps; a .zarr store holds one: name it by --variant")
    sweep = sweeps[0] if options.seed is None else sweeps[0].replace(seed=options.seed)
    stored = phasegrid.train(
        sweep,
        out=options.out,
        device=options.device,
        threads=options.threads,
        instruction_set=options.isa,
        progress={"on": True, "off": False}.get(options.progress),
        fresh=options.fresh,
    )
    print(f"{options.out}: {stored.models_done} of {sweep.models} models")


def main(arguments: Sequence[str]) -> int:
    missing = "a .zarr store needs Python's numpy, tqdm and zarr: pip install numpy tqdm zarr"
    interrupted = "interrupted; the same command goes on from what is stored"
    return exit_status("phasegrid", lambda: work(arguments), ("numpy", "tqdm", "zarr"), missing, interrupted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
