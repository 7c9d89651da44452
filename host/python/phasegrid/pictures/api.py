"""The functions of phasegrid.pictures; what they have in common is told there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from phasegrid.arrays import HasArrays, Source
from phasegrid.cells import Cell
from phasegrid.pictures import boxes, command_line, diagrams, paper, reports
from phasegrid.pictures import results as from_results
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.grids import load_grids
from phasegrid.pictures.opened import opened
from phasegrid.pictures.sizes import Width, inches
from phasegrid.text import check_folder

Sources = Source | Sequence[Source]


def _several(sources: Any) -> list[Any]:
    one = isinstance(sources, str | os.PathLike | Mapping | HasArrays)
    if not one and not isinstance(sources, Sequence):
        kind = type(sources).__name__
        raise InputError(f"results must be a path, a mapping of arrays, Results or a list of these, not {kind}")
    return [sources] if one else list(sources)


def _samples(samples: int) -> int:
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or not 1 <= samples <= 10_000_000:
        raise InputError(f"samples must be a whole number from 1 to 10000000, not {samples!r:.80}")
    return int(samples)


def draw(
    source: Source,
    *,
    score: str = "paper",
    colours: str = "paper",
    starved: bool = True,
    shared_scale: bool = False,
    width: Width = None,
) -> Figure:
    """What results have to show, by how many of their axes have more than one value, seeds aside: of one cell its
    `features`; over one axis lines, the last feature's norm and score; over two a `phase_diagram`; over more, one for
    each value of further axes (sparsity stands down and the last importance across, where they vary).

    pictures.draw("results.npz", colours="safe")

    score, colours, starved, shared_scale: as in `phase_diagram`.
    """
    results = opened(source)
    long = from_results.long_axes(results)
    if len(long) > 1:
        options: dict[str, Any] = {"shared_scale": shared_scale, "starved": starved}
        return phase_diagram(source, score=score, colours=colours, width=width, **options)
    diagrams.check_words(colours=colours, score=score)
    if long:
        return paper.draw(from_results.phase_lines_report(source, score, starved), colours, width)
    return features(source, colours=colours, width=width)


def phase_diagram(
    sources: Sources,
    *,
    beside: Sources | None = None,
    titles: Sequence[str] = diagrams.SIDES,
    score: str = "paper",
    colours: str = "paper",
    shared_scale: bool = False,
    starved: bool = True,
    names: str = "plain",
    width: Width = None,
) -> Figure:
    """Figure 4: the last feature over sparsity and importance, one panel an expert; white ignored, then monosemantic to
    superposed.

        pictures.phase_diagram([dense, mixture], beside=["theirs.npz"], titles=["ours", "theirs"])

    sources: results of different architectures. Where sparsity or importance has one value, another axis takes its
    place; further axes give a row of panels for each value. Axes have the scale on which their values are evenly
    spaced, linear or logarithmic; else cells are equally large.
    beside: a second set, e.g. the authors' files; titles: headings of the two. score: "paper", the sum over j != n, or
    "authors", over all j. shared_scale: one colour scale for all panels, not one for each. starved: experts that get
    under 1 % of the inputs that are not all zero are pale and hatched, as what they represent is hardly ever used; not
    in files without routers. names: of panels, "plain" or as in the "paper", A.1/2.
    """
    sets = [load_grids(_several(sources))] + ([load_grids(_several(beside))] if beside is not None else [])
    return diagrams.draw_phase_diagrams(
        sets, score, shared_scale, colours, inches(width), names=names, starved=starved, titles=titles
    )


def loss_boxes(
    sources: Sources,
    *,
    beside: Sources | None = None,
    titles: Sequence[str] = diagrams.SIDES,
    loss: str = "reconstruction",
    names: str = "plain",
    colours: str = "paper",
    width: Width = None,
) -> Figure:
    """Figure 8: the losses of the kept models of each architecture.

    loss: "reconstruction", or "training" as the paper's own, which holds the load balance too: the only one in the
    authors' files. Theirs count it for dense models, where it is a constant; beside such, so do ours. beside, titles,
    names: as in `phase_diagram`.
    """
    sets = [load_grids(_several(sources))] + ([load_grids(_several(beside))] if beside is not None else [])
    return boxes.draw_loss_boxes(sets, colours, inches(width), loss=loss, names=names, titles=titles)


def features(source: Source, cell: Cell = 0, *, colours: str = "paper", width: Width = None) -> Figure:
    """The feature directions W_i of a cell's kept model, a panel an expert: arrows in the plane of two hidden units
    (five sparse features make a pentagon), on a line of one, in a picture of the space of three; of more hidden units
    the norms ||W_i|| and W W^T.

        pictures.features(results, {"sparsity": 0.99, "last_importance": 1})

    cell: its index in the grid or the values of its axes (phasegrid.cells). Arrows are coloured by polysemanticity, and
    as strong as their norm.
    """
    if from_results.hidden_units(source, cell) > 3:
        return paper.draw(from_results.experts_report(source, cell, product=True), colours, width)
    return paper.draw(from_results.features_report(source, cell), colours, width)


def experts(source: Source, cell: Cell = 0, *, colours: str = "paper", width: Width = None) -> Figure:
    """Figures 1, 2 and 6: for each expert of a cell's kept model the bars of ||W_i||, coloured by polysemanticity,
    above the matrix of W_i / ||W_i|| . W_j, whose rows fade with the norm of their feature. cell: its index in the grid
    or the values of its axes (phasegrid.cells).
    """
    return paper.draw(from_results.experts_report(source, cell), colours, width)


def router_regions(
    sources: Sources,
    cell: Cell = 0,
    *,
    titles: Sequence[str] = (),
    colours: str = "paper",
    width: Width = None,
) -> Figure:
    """Figure 5: to which expert a cell's kept model sends each point of the plane, for models of two features."""
    several = _several(sources)
    if titles and len(titles) != len(several):
        raise InputError(f"titles must hold one for each of {len(several)} results, not {len(titles)}")
    return paper.draw(from_results.regions_report(several, cell, titles), colours, width)


def features_per_dimension(
    sources: Sources, *, samples: int = 4096, inputs: str = "nonzero", colours: str = "paper", width: Width = None
) -> Figure:
    """Figure 3: features per dimension over the inverse density 1 / (1 - S), a curve for each architecture, with a band
    of one standard deviation where the results have an axis seed. samples: inputs that the router's use is measured on;
    inputs: "nonzero", those that are not all zero, or "all", as the paper's.
    """
    report_of = from_results.features_per_dimension_report(_several(sources), _samples(samples), inputs)
    return paper.draw(report_of, colours, width)


def losses(sources: Sources, *, colours: str = "paper", width: Width = None) -> Figure:
    """Figure 7: natural logarithm of the mean reconstruction loss over the inverse density; bands as in Figure 3."""
    return paper.draw(from_results.losses_report(_several(sources)), colours, width)


def curves(
    sources: Sources,
    *,
    axis: str | None = None,
    measure: str = "loss",
    fixed: Mapping[str, int] | None = None,
    samples: int = 4096,
    inputs: str = "nonzero",
    colours: str = "paper",
    width: Width = None,
) -> Figure:
    """A measure of kept models over one axis, e.g. of a sweep over the learning rate; up to eight curves.

    axis: may be left out where the first results have one axis of more than one value, seeds aside. measure: "loss" (of
    reconstruction), "log_loss", "training_loss", "log_training_loss", "norm" or "score" (of the last feature, a curve
    for each expert), "features_per_dimension" (samples, inputs: as there), or any measure that is a method of
    `phasegrid.Results`. fixed: index of the value of each further axis. An axis seed becomes a band of one standard
    deviation.
    """
    made = from_results.curves_report(_several(sources), axis, measure, fixed or {}, _samples(samples), inputs)
    return paper.draw(made, colours, width)


def training(source: Source, cell: Cell = 0, *, colours: str = "paper", width: Width = None) -> Figure:
    """The reconstruction losses of all restarts of a cell over the steps at which snapshots were taken, the kept one in
    front.
    """
    return paper.draw(from_results.training_report(source, cell), colours, width)


def report(path: str | os.PathLike[str], *, colours: str = "paper", width: Width = None) -> Figure:
    """The picture of a report of `phasegrid reproduce`: Figures 1 to 7, Table 1, the boundaries of Figure 4."""
    return paper.draw(reports.load(path, tuple(paper.FIGURES)), colours, width)


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 300) -> Path:
    """Writes a figure as its path ends (.png, .pdf, .svg), whole or not at all, and the same bytes every time.

    Its folder must be there.
    """
    target = Path(path)
    kind = target.suffix.lstrip(".")
    if kind not in diagrams.FORMATS:
        raise InputError(f"{target}: a picture's name must end in one of .{', .'.join(diagrams.FORMATS)}")
    try:
        check_folder(os.fspath(target))
    except ValueError as error:
        raise InputError(str(error)) from None
    return command_line.write_files(target.parent, {target.name: diagrams.render(figure, kind, dpi)})[0]
