"""Pictures with Matplotlib: every figure of the paper, from results in memory, from .npz, or from the reports of
`phasegrid reproduce`.

`colours="safe"` is for every kind of colour vision. Figures are Matplotlib's own; `save` writes them for publication:
vector, fonts embedded, and the same bytes for the same picture. Bad input raises ValueError with one sentence.

    figure            function
    1, 2, 6           experts(results, cell): what each expert represents
    3                 features_per_dimension([results, ...])
    4                 phase_diagram([results, ...]); beside=... for a second set to the right
    5                 router_regions([results, ...], cell)
    7                 losses([results, ...])
    8                 loss_boxes([results, ...])
    all, Table 1      report(path), from what `phasegrid reproduce` found
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasegrid.arrays import HasArrays, Source
from phasegrid.pictures import command_line, diagrams, paper, reports, style
from phasegrid.pictures import results as from_results
from phasegrid.pictures.grids import InputError, load_grids
from phasegrid.pictures.reports import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from phasegrid.results import Results

Sources = Source | Sequence[Source]


def _several(sources: Any) -> list[Any]:
    one = isinstance(sources, str | os.PathLike | HasArrays) or hasattr(sources, "keys")
    return [sources] if one else list(sources)


def _cell(cell: int | Sequence[int]) -> tuple[int, ...]:
    return (cell,) if isinstance(cell, int) else tuple(cell)


def _draw(report: Report, colours: str) -> Figure:
    if colours not in style.PALETTES:
        raise InputError(f"colours {colours!r}: allowed are {', '.join(style.PALETTES)}")
    return paper.draw(report, colours)


def phase_diagram(
    sources: Sources,
    *,
    beside: Sources | None = None,
    score: str = "paper",
    colours: str = "paper",
    shared_scale: bool = False,
) -> Figure:
    """Figure 4: the last feature over sparsity and importance, one panel an expert; white ignored, then monosemantic to
    superposed.

    sources: results (S,R) of different architectures. beside: a second set, e.g. the authors' files. score: "paper",
    the sum over j != n, or "authors", over all j. shared_scale: one colour scale for all panels, not one for each.
    """
    sets = [load_grids(_several(sources))] + ([load_grids(_several(beside))] if beside is not None else [])
    return diagrams.draw_phase_diagrams(sets, score, shared_scale, colours)


def loss_boxes(sources: Sources, *, beside: Sources | None = None) -> Figure:
    """Figure 8: the kept losses of each architecture."""
    sets = [load_grids(_several(sources))] + ([load_grids(_several(beside))] if beside is not None else [])
    return diagrams.draw_loss_boxes(sets)


def experts(source: Source, cell: int | Sequence[int] = 0, *, colours: str = "paper") -> Figure:
    """Figures 1, 2 and 6: for each expert of a cell's kept model the bars of ||W_i||, coloured by polysemanticity,
    above the matrix of W_i / ||W_i|| . W_j. cell: its index in the grid; what is left out is 0.
    """
    return _draw(from_results.experts_report(source, _cell(cell)), colours)


def router_regions(
    sources: Sources, cell: int | Sequence[int] = 0, *, titles: Sequence[str] = (), colours: str = "paper"
) -> Figure:
    """Figure 5: to which expert a cell's kept model sends each point of the plane, for models of two features."""
    several = _several(sources)
    if titles and len(titles) != len(several):
        raise InputError(f"titles must hold one for each of {len(several)} results, not {len(titles)}")
    return _draw(from_results.regions_report(several, _cell(cell), titles), colours)


def features_per_dimension(results: Sequence[Results], *, samples: int = 4096, colours: str = "paper") -> Figure:
    """Figure 3: features per dimension over the inverse density 1 / (1 - S), a curve for each architecture, with a band
    of one standard deviation where the results have an axis seed. samples: inputs that the router's use is measured on.
    """
    return _draw(from_results.features_per_dimension_report(results, samples), colours)


def losses(results: Sequence[Results], *, colours: str = "paper") -> Figure:
    """Figure 7: the natural logarithm of the mean kept loss over the inverse density."""
    return _draw(from_results.losses_report(results), colours)


def report(path: str | os.PathLike[str], *, colours: str = "paper") -> Figure:
    """The picture of a report of `phasegrid reproduce`: Figures 1 to 7, Table 1, the boundaries of Figure 4."""
    return _draw(reports.load(path, tuple(paper.FIGURES)), colours)


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 300) -> Path:
    """Writes a figure as its path ends (.png, .pdf, .svg), whole or not at all, and the same bytes every time."""
    target = Path(path)
    kind = target.suffix.lstrip(".")
    if kind not in diagrams.FORMATS:
        raise InputError(f"{target}: a picture's name must end in one of .{', .'.join(diagrams.FORMATS)}")
    return command_line.write_files(target.parent, {target.name: diagrams.render(figure, kind, dpi)})[0]


__all__ = [
    "InputError",
    "experts",
    "features_per_dimension",
    "loss_boxes",
    "losses",
    "phase_diagram",
    "report",
    "router_regions",
    "save",
]
