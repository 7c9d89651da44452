"""The command line of the explorer: python -m phasegrid.explorer FILE.npz... --out page.html. Bad input: one sentence,
exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from phasegrid.command_line import Parser, exit_status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="phasegrid explore", description="Write results as one HTML page to explore in a browser.")
    parser.add_argument("files", nargs="+", metavar="FILE.npz", help="results of phasegrid, or the authors' files")
    parser.add_argument("--out", required=True, metavar="PAGE.html", help="the page; replaced where it exists")
    parser.add_argument("--title", help="heading of the page (default: the shapes of the models)")
    return parser.parse_args(arguments)


def work(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    from phasegrid import explorer  # after parsing: --help works without NumPy

    print(explorer.explore(options.files, options.out, title=options.title))


def main(arguments: Sequence[str]) -> int:
    missing = "numpy is missing: pip install numpy plotly"
    return exit_status("phasegrid explore", lambda: work(arguments), ("numpy",), missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
