"""The drawing programs: `python -m phasegrid.draw fig4 FILE.npz .. --out DIR` draws Figures 4 and 8 from results files,
`python -m phasegrid.draw paper REPORT.json .. --out DIR` the other figures from the reports of `phasegrid reproduce`.
"""

from __future__ import annotations

import importlib
import sys

PROGRAMS = {"fig4": "phasegrid.pictures.draw_fig4", "paper": "phasegrid.pictures.draw_paper"}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in PROGRAMS:
        print(f"draw: name one of {', '.join(PROGRAMS)}, then its files and options (or --help)", file=sys.stderr)
        return 2
    try:
        program = importlib.import_module(PROGRAMS[arguments[0]])
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("numpy", "matplotlib"):
            raise
        print(f"draw {arguments[0]}: {error.name} is missing: pip install numpy matplotlib", file=sys.stderr)
        return 2
    status: int = program.main(arguments[1:])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
