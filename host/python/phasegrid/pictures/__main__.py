"""The drawing programs: `python -m phasegrid.pictures fig4 FILE.npz .. --out DIR` draws Figures 4 and 8 from results
files, `python -m phasegrid.pictures paper REPORT.json .. --out DIR` the other figures from the reports of
`phasegrid reproduce`.
"""

from __future__ import annotations

import sys

PROGRAMS = ("fig4", "paper")


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in PROGRAMS:
        print(f"draw: name one of {', '.join(PROGRAMS)}, then its files and options (or --help)", file=sys.stderr)
        return 2
    try:
        from phasegrid.pictures import programs
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("numpy", "matplotlib"):
            raise
        print(f"draw {arguments[0]}: {error.name} is missing: pip install numpy matplotlib", file=sys.stderr)
        return 2
    return programs.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
