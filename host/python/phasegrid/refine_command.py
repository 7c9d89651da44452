"""The command line of refine(): python -m phasegrid.refine_command SWEEP.toml --out FILE.npz. Bad input: one sentence,
exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from phasegrid.command_line import Parser, exit_status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="phasegrid refine",
        description="Train a coarse grid, then cells between cells that differ, down to the sweep's own axes.",
        allow_abbrev=False,
    )
    parser.add_argument("sweep", metavar="SWEEP.toml", help="whose axes are the finest resolution")
    parser.add_argument(
        "--out", required=True, metavar="FILE.npz", help="the whole grid; its status says what is trained"
    )
    parser.add_argument("--by", default="class", choices=["class", "norm", "interference"], help="what is compared")
    parser.add_argument("--tolerance", type=float, help="by how much norms or interferences may be apart (0.25)")
    parser.add_argument("--coarse", type=int, default=16, help="cells between those of the coarse grid (16)")
    parser.add_argument("--budget", type=int, help="most models to train")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="change a setting")
    parser.add_argument("--preset", default="paper", help="a [presets.NAME] of the sweep file")
    parser.add_argument("--variant", default="", help="a [variants.NAME] of the sweep file")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 is one a core")
    return parser.parse_args(arguments)


def work(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    import numpy as np

    import phasegrid

    sweeps = phasegrid.read_sweeps(options.sweep, set=options.set, preset=options.preset, variant=options.variant)
    if len(sweeps) != 1:
        raise ValueError(f"{options.sweep}: has {len(sweeps)} sweeps; name one of them with --variant")
    results = phasegrid.refine(
        sweeps[0],
        by=options.by,
        tolerance=options.tolerance,
        coarse=options.coarse,
        budget=options.budget,
        out=options.out,
        device=options.device,
        threads=options.threads,
        report=lambda batch, new, so_far, cells: print(
            f"round {batch}: {new} cells more, {so_far} of {cells} ({100 * so_far / cells:.1f} %)", flush=True
        ),
    )
    done = int(np.count_nonzero(results.status >= 0))
    print(f"{options.out}: {done} of {sweeps[0].models} models ({100 * done / sweeps[0].models:.1f} %)")


def main(arguments: Sequence[str]) -> int:
    missing = "{name} is missing: pip install numpy tqdm"
    interrupted = "interrupted; the same command goes on from what is saved"
    return exit_status("phasegrid refine", lambda: work(arguments), ("numpy", "tqdm"), missing, interrupted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
