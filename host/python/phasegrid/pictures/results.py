"""Results made into the reports that the paper's pictures are drawn from, so that one picture has one drawing code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import SHAPE_AXES, Source
from phasegrid.cells import Cell
from phasegrid.pictures import measures
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array
from phasegrid.pictures.opened import AXES, Opened, opened
from phasegrid.pictures.reports import Report, parse
from phasegrid.pictures.shapes import Block, Shapes
from phasegrid.pictures.style import MARKERS

# What can be drawn over an axis beside the library's measures: how the axis beside it is called.
MEASURES: Mapping[str, str] = {
    "loss": "reconstruction loss",
    "log_loss": "natural log of the mean reconstruction loss",
    "training_loss": "training loss",
    "log_training_loss": "natural log of the mean training loss",
    "norm": "norm of the last feature",
    "score": "superposition score of the last feature",
    "features_per_dimension": "features per dimension",
}


def _report(figure: str, picture: Mapping[str, Any], seeds: int = 1) -> Report:
    settings = {"seeds": seeds} if seeds > 1 else {}
    return parse({"figure": figure, "settings": settings, "picture": picture}, (figure,))


def _nulls(values: NDArray[Any]) -> Any:
    """Numbers for a report, in which null stands for NaN: lists of lists, or one number."""
    if values.ndim == 0:
        return float(values) if np.isfinite(values) else None
    return [_nulls(np.asarray(row)) for row in values]


def _panel_titles(results: Opened, cell: Cell) -> tuple[list[str], NDArray[np.bool_]]:
    """What the panel of each expert is called, and which of them are starved: (E)."""
    own = results.shapes.at(results.cell(cell))
    experts = own.E.most
    if experts == 1:
        return ["dense"], np.zeros(1, bool)
    if "router_weights" not in results.arrays:
        return [f"expert {e + 1}" for e in range(experts)], np.zeros(experts, bool)
    inputs = measures.draw_inputs(results.feature_sparsities[results.cell(cell)], measures.SAMPLES)
    shares = measures.input_shares(results.of_cell("router_weights", cell), own.k.most, inputs)
    starved = shares < measures.STARVED
    words = ["" if np.isnan(share) else f": {100 * share:.0f} %" for share in shares]
    words = [": < 1 %" if few else word for few, word in zip(starved, words, strict=True)]
    return [f"expert {e + 1}{word}" for e, word in enumerate(words)], starved


def _heading(results: Opened, cell: Cell) -> str:
    """The model and its cell."""
    n = np.shape(results.arrays["expert_weights"])[-2]
    where = results.title(cell, shape=False)
    return f"n = {n}, {results.shapes.at(results.cell(cell)).label}" + (f": {where}" if where else "")


def experts_report(source: Source, cell: Cell, product: bool = False) -> Report:
    """Figures 1, 2 and 6 for the kept model of a cell, rows of the matrix fading with their norms; or with W_i . W_j as
    the matrix.
    """
    results = opened(source)
    weights = results.of_cell("expert_weights", cell)
    titles, _ = _panel_titles(results, cell)
    panels = []
    for expert, title in zip(weights, titles, strict=True):
        norm, polysemanticity, gram = measures.feature_measures(expert)
        panels.append(
            {
                "title": title,
                "norm": _nulls(norm),
                "polysemanticity": _nulls(polysemanticity),
                "gram": _nulls(expert @ expert.T if product else gram),
            }
        )
    groups = [{"title": _heading(results, cell), "panels": list(range(len(panels)))}]
    matrix = "product" if product else "faded"
    return _report("fig1", {"panels": panels, "groups": groups, "matrix": matrix, "shares": len(titles) > 1})


def features_report(source: Source, cell: Cell) -> Report:
    """The feature directions of the kept model of a cell, of at most three hidden units."""
    results = opened(source)
    weights = results.of_cell("expert_weights", cell)
    titles, starved = _panel_titles(results, cell)
    panels = [
        {
            "title": title,
            "weights": _nulls(expert),
            "polysemanticity": _nulls(measures.feature_measures(expert)[1]),
            "starved": bool(few),
        }
        for expert, title, few in zip(weights, titles, starved, strict=True)
    ]
    return _report("features", {"title": _heading(results, cell), "panels": panels, "shares": len(titles) > 1})


def hidden_units(source: Source, cell: Cell) -> int:
    """Of a cell's model."""
    return int(opened(source).of_cell("expert_weights", cell).shape[-1])


def regions_report(sources: Sequence[Source], cell: Cell, titles: Sequence[str]) -> Report:
    """Figure 5: which expert each point of the plane goes to, for models of two features."""
    panels = []
    for at, source in enumerate(sources):
        results = opened(source)
        router = results.of_cell("router_weights", cell)
        if router.shape[1] != 2:
            raise InputError(f"{results.place}: regions of the plane need 2 features, not {router.shape[1]}")
        number = f"{at + 1}. " if len(sources) > 1 else ""
        title = titles[at] if titles else number + ": ".join(filter(None, [results.title(cell), "the"]))
        loss = results.of_cell("reconstruction_losses", cell)
        panels.append({"title": title, "router": _nulls(router), "loss": _nulls(loss)})
    return _report("fig5", {"panels": panels})


def training_report(source: Source, cell: Cell) -> Report:
    """The losses of every restart of a cell over the snapshots' steps."""
    results = opened(source)
    losses = results.of_cell("snapshot_reconstruction_losses", cell)
    steps = np.asarray(results.arrays["snapshot_steps"], np.float64)
    kept = int(results.of_cell("kept", cell))
    return _report(
        "training",
        {"title": _heading(results, cell), "steps": _nulls(steps), "losses": _nulls(losses), "kept": kept},
    )


# --- Curves -----------------------------------------------------------------------------------------------------------


def long_axes(results: Opened) -> list[str]:
    """The axes of more than one value, seeds aside."""
    return [name for name, values in results.axes.items() if values.size > 1 and name != "seed"]


def _axis_of(results: Opened) -> str:
    """The one axis of more than one value, seeds aside; sparsity where there is none."""
    long = long_axes(results)
    if len(long) > 1:
        raise InputError(f"{results.place}: name the axis of the curves, one of {', '.join(long)}")
    return long[0] if long else "sparsity"


def _block(results: Opened, axis: str, fixed: Mapping[str, int]) -> Block:
    """The part of the grid that lies along an axis and the seeds, at one index of each further axis."""
    if axis not in results.axes:
        raise InputError(f"{results.place}: no axis {axis}; there are {', '.join(results.axes)}")
    if np.isnan(results.axes[axis]).any():
        raise InputError(f"{results.place}: {axis} is no single number, but one a feature; give another axis")
    block: list[int | slice] = []
    for name, values in results.axes.items():
        if name in (axis, "seed"):
            block.append(slice(None))
            continue
        extent, at = values.size, fixed.get(name, 0 if values.size == 1 else None)
        if at is None:
            raise InputError(
                f"{results.place}: curves over {axis} need one value of {name}, which has {extent}; "
                f"give its index, such as fixed={{{name!r}: 0}}"
            )
        if isinstance(at, bool) or not isinstance(at, int | np.integer) or not -extent <= at < extent:
            raise InputError(f"{results.place}: fixed[{name!r}] must be an index into its {extent} values, not {at!r}")
        block.append(int(at))
    return tuple(block)


def _along(results: Opened, axis: str, block: Block, values: Array) -> Array:
    """(values of the axis, seeds), rising along the axis, of values over the whole grid."""
    names, values = list(results.axes), values[block]
    if "seed" in names and axis != "seed" and names.index("seed") < names.index(axis):
        values = values.T
    return values.reshape(results.axes[axis].size, -1)[np.argsort(results.axes[axis], kind="stable")]


def _density_measures(results: Opened, samples: int, inputs: str) -> Array:
    """(S,R,A..): features per dimension without 1 / k, of router uses measured on `samples` inputs of each cell."""
    weights, router, shapes = results.array("expert_weights"), results.array("router_weights"), results.shapes
    extents = weights.shape[:-3]
    sparsity = results.axes["sparsity"]
    if np.isnan(sparsity).any():
        raise InputError(f"{results.place}: features per dimension need one sparsity, not one a feature")
    values = np.full(extents, np.nan)
    for s, rate in enumerate(sparsity):
        drawn = measures.draw_inputs(np.full(router.shape[-1], rate), samples, inputs)
        for rest in np.ndindex(extents[1:]):
            cell = (s, *rest)
            own = shapes.crop("expert_weights", weights[cell], cell)
            if shapes.exist[cell] and np.isfinite(own).all():
                mine = shapes.crop("router_weights", router[cell], cell)
                usage = measures.expert_usage(mine, int(shapes.top_k[cell]), drawn)
                values[cell] = measures.features_per_dimension(own, usage)
    return values


def _library_measure(name: str) -> Any:
    """The library's measure of that name, which `Results` has as a method. Raises InputError where there is none."""
    try:
        from phasegrid.measures import MEASURES as library
    except ImportError:  # drawn without the compiled part
        library = {}
    if name not in library:
        raise InputError(f"measure {name!r}: allowed are {', '.join(dict.fromkeys([*MEASURES, *library]))}")
    return library[name]


def _axis_label(measure: str) -> str:
    return MEASURES.get(measure) or " or ".join(_library_measure(measure).results).replace("_", " ")


def _library_fields(
    results: Opened, measure: str, samples: int, inputs: str, shapes: Shapes
) -> list[tuple[str, Array]]:
    """A curve for each result, expert and feature of one of the library's measures."""
    from phasegrid.results import Results, load

    row, source = _library_measure(measure), results.source
    models = load(source) if isinstance(source, str | os.PathLike) else source
    if not isinstance(models, Results):
        raise InputError(f"{results.place}: {measure} is measured of results of phasegrid, or of a file of such")
    asked = {name: value for name, value in (("samples", samples), ("inputs", inputs)) if name in row.options}
    made = getattr(models, measure)(**asked)
    fields = []
    for name, values in zip(row.results, made if len(row.results) > 1 else [made], strict=True):
        there = zip(row.extents, values.shape[values.ndim - len(row.extents) :], strict=True)
        extents = tuple(shapes.E.most if extent == "expert" else size for extent, size in there)
        for at in np.ndindex(extents):
            words = [name] if len(row.results) > 1 else []
            words += [f"{extent} {i + 1}" for extent, i, size in zip(row.extents, at, extents, strict=True) if size > 1]
            fields.append((": ".join([shapes.label, *words]), np.asarray(values[(..., *at)], np.float64)))
    return fields


def _fields(
    results: Opened, measure: str, samples: int, inputs: str, shapes: Shapes, score: str = "paper"
) -> list[tuple[str, Array]]:
    """(label, values over the grid): one field of a model's measure, or one for each expert of models of `shapes`."""
    if measure == "features_per_dimension":
        return [(shapes.label, _density_measures(results, samples, inputs) / results.shapes.top_k)]
    if measure.endswith("loss"):  # the logarithm is of the mean over seeds
        return [(shapes.label, results.array("final_losses" if "training" in measure else "reconstruction_losses"))]
    if measure not in MEASURES:
        return _library_fields(results, measure, samples, inputs, shapes)
    weights, experts = results.weights, shapes.E.most
    values = measures.last_norm(weights) if measure == "norm" else measures.last_score(weights, score)
    names = [shapes.label] if experts == 1 else [f"{shapes.label}: expert {e + 1}" for e in range(experts)]
    return [(name, values[..., e]) for e, name in enumerate(names)]


def _mean_and_sd(seeds: Array, logarithm: bool = False) -> tuple[Array, Array]:
    """Over the seeds (.., seeds); of the natural logarithm of their mean, to first order."""
    mean = seeds.mean(axis=1)
    sd = seeds.std(axis=1, ddof=1) if seeds.shape[1] > 1 else 0 * mean
    if not logarithm:
        return mean, sd
    positive = np.where(mean > 0, mean, np.nan)
    return np.log(positive), sd / positive


def _same_axis(all_results: Sequence[Opened], axis: str) -> Array:
    """The rising values of the axis that all have. Raises InputError where they differ."""
    first = np.sort(all_results[0].axes.get(axis, np.empty(0)))
    for results in all_results:
        if not np.array_equal(np.sort(results.axes.get(axis, np.empty(0))), first):
            raise InputError(f"{results.place}: its values of {axis} are not those of {all_results[0].place}")
    return first


def _open_all(sources: Sequence[Source]) -> list[Opened]:
    if not sources:
        raise InputError("curves need at least one result")
    return [opened(source) for source in sources]


def curves_report(
    sources: Sequence[Source],
    axis: str | None,
    measure: str,
    fixed: Mapping[str, int],
    samples: int,
    inputs: str = "nonzero",
) -> Report:
    """A measure over any axis."""
    label_of_measure = _axis_label(measure)
    if axis is not None and axis not in AXES:
        raise InputError(f"axis {axis!r}: allowed are {', '.join(AXES)}")
    if fixed.keys() - AXES.keys():
        raise InputError(f"fixed names {sorted(fixed.keys() - AXES.keys())[0]!r}; allowed are {', '.join(AXES)}")
    all_results = _open_all(sources)
    axis = axis or _axis_of(all_results[0])
    series, seeds = [], 1
    for results in all_results:
        block = _block(results, axis, fixed)
        for label, field in _fields(results, measure, samples, inputs, results.shapes.at(block)):
            values = _along(results, axis, block, field)
            mean, sd = _mean_and_sd(values, logarithm=measure.startswith("log"))
            series.append({"label": label, "mean": _nulls(mean), "sd": _nulls(sd)})
            seeds = max(seeds, values.shape[1])
    at = _same_axis(all_results, axis)
    picture = {"x": AXES[axis], "y": label_of_measure, "at": _nulls(at), "series": series}
    return _report("curves", {**picture, "counts": axis in SHAPE_AXES}, seeds)


def phase_lines_report(source: Source, score: str, starved: bool) -> Report:
    """The last feature's norm and score over the one axis of more than one value, seeds aside; a curve an expert."""
    results = opened(source)
    axis = _axis_of(results)
    block = _block(results, axis, {})
    shapes = results.shapes.at(block)
    experts = shapes.E.most
    if experts > len(MARKERS):
        raise InputError(
            f"{results.place}: lines of {experts} experts; at most {len(MARKERS)} can be told apart: draw "
            'pictures.curves(measure="loss"), or the features of one cell'
        )
    hungry = np.zeros(results.weights.shape[:-2], bool)
    if starved and "router_weights" in results.arrays:
        router = results.array("router_weights")
        hungry = measures.starved_experts(router, results.shapes.top_k, results.feature_sparsities)
    seeds, fields = 1, []
    for measure in ("norm", "score"):
        series = []
        for e, (_, field) in enumerate(_fields(results, measure, 1, "nonzero", shapes, score)):
            values = _along(results, axis, block, field)
            mean, sd = _mean_and_sd(values)
            few = _along(results, axis, block, hungry[..., e]).mean(axis=1) > 0.5
            label = "dense" if experts == 1 else f"expert {e + 1}"
            series.append({"label": label, "mean": _nulls(mean), "sd": _nulls(sd), "starved": few.astype(int).tolist()})
            seeds = max(seeds, values.shape[1])
        fields.append({"measure": measure, "series": series})
    at = np.sort(results.axes[axis])
    picture = {"title": shapes.label, "x": AXES[axis], "at": _nulls(at), "score": score, "fields": fields}
    picture["counts"] = axis in SHAPE_AXES
    return _report("phase_lines", picture, seeds)


def _each_shape(results: Opened) -> list[Block]:
    """What lies along the sparsities, for each shape of models."""
    varied = [name for name in SHAPE_AXES if name in results.axes and results.axes[name].size > 1]
    extents = tuple(results.axes[name].size for name in varied)
    blocks = [_block(results, "sparsity", dict(zip(varied, at, strict=True))) for at in np.ndindex(extents)]
    return [block for block in blocks if results.shapes.at(block).exist.all()]


def _density_report(
    figure: str,
    sources: Sequence[Source],
    measure: Callable[[Opened], Array],
    entry: Callable[[Array, int], dict[str, Any]],
) -> Report:
    """A measure over the inverse density, a curve for each shape; `entry` makes its numbers, (values, seeds) of models
    of k.
    """
    all_results = _open_all(sources)
    series, seeds = [], 1
    for results in all_results:
        shapes = results.shapes
        blocks, field = _each_shape(results), measure(results)
        for block in blocks:
            values, own = _along(results, "sparsity", block, field), shapes.at(block)
            seeds = max(seeds, values.shape[1])
            series.append({"label": own.label, **entry(values, own.k.most)})
    density = 1 / (1 - _same_axis(all_results, "sparsity"))
    return _report(figure, {"inverse_density": _nulls(density), "series": series}, seeds)


def features_per_dimension_report(sources: Sequence[Source], samples: int, inputs: str) -> Report:
    """Figure 3, with and without the authors' factor 1 / k; bands where there is an axis seed."""

    def entry(values: Array, k: int) -> dict[str, Any]:
        mean, sd = _mean_and_sd(values)
        fields = {"mean": mean / k, "sd": sd / k, "mean_without_1_k": mean}
        return {**{name: _nulls(numbers) for name, numbers in fields.items()}, "without_1_k_differs": k > 1}

    return _density_report("fig3", sources, lambda results: _density_measures(results, samples, inputs), entry)


def losses_report(sources: Sequence[Source]) -> Report:
    """Figure 7: the natural logarithm of the mean reconstruction loss over the seeds."""

    def entry(values: Array, k: int) -> dict[str, Any]:
        mean, sd = _mean_and_sd(values, logarithm=True)
        return {"log_loss": _nulls(mean), "sd": _nulls(sd)}

    return _density_report("fig7", sources, lambda results: results.array("reconstruction_losses"), entry)
