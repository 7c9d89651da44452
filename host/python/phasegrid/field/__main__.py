"""The command line of the gallery: python -m phasegrid.field work|summary|site. Bad input: one sentence, exit status
2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from phasegrid.command_line import Parser, exit_status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="python -m phasegrid.field", description="Values, verdicts and pictures of works of the field."
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    work = commands.add_parser("work", help="find the values of one trained work and draw it")
    work.add_argument("name", help="of a sweep file in experiments/field, such as geometry")
    work.add_argument("--folder", required=True, metavar="DIR", help="where its results files are, and reports go")
    work.add_argument("--preset", default="paper", help="that it was trained with (default paper)")
    work.add_argument("--seconds", type=float, default=0.0, help="that its training took")
    summary = commands.add_parser("summary", help="write FIELD.md and field.json of the works in a folder")
    summary.add_argument("--folder", required=True, metavar="DIR")
    site = commands.add_parser("site", help="write the works in a folder as a static site")
    site.add_argument("folder", metavar="DIR")
    site.add_argument("--out", required=True, metavar="SITE", help="folder of the site, made where missing")
    return parser.parse_args(arguments)


def work(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    from phasegrid.field import report, site  # after parsing: --help works without NumPy

    if options.command == "work":
        print(report.write_work(options.name, Path(options.folder), options.preset, options.seconds), end="")
    elif options.command == "summary":
        print(report.write_summary(Path(options.folder)))
    else:
        print(site.write_site(Path(options.folder), Path(options.out)))


def main(arguments: Sequence[str]) -> int:
    missing = "{name} is missing: pip install numpy matplotlib"
    return exit_status("phasegrid field", lambda: work(arguments), ("numpy", "matplotlib"), missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
