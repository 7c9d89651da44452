"""Explorer: results as one self-contained HTML page, to be looked at in a browser without a network.

    from phasegrid import explorer
    explorer.explore(["dense.npz", "moe.npz"], "page.html")

    python -m phasegrid.explorer dense.npz moe.npz --out page.html

Needs NumPy and plotly (whose plotly.min.js goes into the page), not the compiled part.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasegrid.arrays import Source

__all__ = ["explore"]


def explore(sources: Source | Iterable[Source], path: str | os.PathLike[str], *, title: str | None = None) -> Path:
    """Writes results as an HTML page in which every cell and its model can be looked at; returns the page's path.

    sources: results files (.npz, ours or the authors'), mappings of their arrays (see phasegrid.arrays), or results in
        memory; one or several. Several lie side by side, two at a time.
    path: the page, replaced whole where it exists.
    title: its heading; where None, what the sweeps train: "n = 3, m = 2, E = 2, top 1".

    Raises ValueError where a source is no results, where they are too much for a page, where the path cannot be
    written, or where the package plotly is missing.
    """
    # Not above, so that the command line can say where NumPy is missing.
    from phasegrid.arrays import HasArrays
    from phasegrid.explorer.packing import pack_all
    from phasegrid.explorer.page import render, write
    from phasegrid.explorer.titles import heading

    several = [sources] if isinstance(sources, str | os.PathLike | Mapping | HasArrays) else list(sources)
    packed = pack_all(several)
    if title is None:
        title = heading([results.header["title"] for results in packed])
    return write(Path(path), render(packed, title))
