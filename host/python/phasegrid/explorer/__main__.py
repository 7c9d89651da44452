"""The command line of the explorer: python -m phasegrid.explorer FILE.npz... --out page.html. Bad input: one sentence,
exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Reports a bad command line in one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see --help)")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="phasegrid explore", description="Write results as one HTML page to explore in a browser.")
    parser.add_argument("files", nargs="+", metavar="FILE.npz", help="results of phasegrid, or the authors' files")
    parser.add_argument("--out", required=True, metavar="PAGE.html", help="the page; replaced where it exists")
    parser.add_argument("--title", help="heading of the page (default: the shapes of the models)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    try:
        options = parse(arguments)
        from phasegrid import explorer  # after parsing: --help works without NumPy

        print(explorer.explore(options.files, options.out, title=options.title))
    except ImportError as error:
        if (error.name or "").split(".")[0] != "numpy":
            raise
        print("phasegrid explore: numpy is missing: pip install numpy plotly", file=sys.stderr)
        return 2
    except ValueError as error:
        print("phasegrid explore: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
