"""Results made into the reports that the paper's pictures are drawn from, so that one picture has one drawing code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import Source
from phasegrid.cells import Cell
from phasegrid.pictures import measures
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array
from phasegrid.pictures.opened import AXES, Opened, opened
from phasegrid.pictures.reports import Report, parse

# What can be drawn over an axis: how the axis beside it is called.
MEASURES: Mapping[str, str] = {
    "loss": "final loss",
    "log_loss": "natural log of the final loss",
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


def experts_report(source: Source, cell: Cell) -> Report:
    """Figures 1, 2 and 6 for the kept model of a cell."""
    results = opened(source)
    weights = results.of_cell("expert_weights", cell)
    panels = []
    for e, expert in enumerate(weights):
        norm, polysemanticity, gram = measures.feature_measures(expert)
        panels.append(
            {
                "title": f"expert {e + 1}" if len(weights) > 1 else "dense",
                "norm": _nulls(norm),
                "polysemanticity": _nulls(polysemanticity),
                "gram": _nulls(gram),
            }
        )
    n, m = weights.shape[1:]
    title = f"n = {n}, m = {m}, E = {len(weights)}, cell {', '.join(map(str, results.cell(cell)))}"
    return _report("fig1", {"panels": panels, "groups": [{"title": title, "panels": list(range(len(panels)))}]})


def regions_report(sources: Sequence[Source], cell: Cell, titles: Sequence[str]) -> Report:
    """Figure 5: which expert each point of the plane goes to, for models of two features."""
    panels = []
    for at, source in enumerate(sources):
        results = opened(source)
        router = results.of_cell("router_weights", cell)
        if router.shape[1] != 2:
            raise InputError(f"{results.place}: regions of the plane need 2 features, not {router.shape[1]}")
        title = titles[at] if titles else f"{at + 1}."
        panels.append({"title": title, "router": _nulls(router), "loss": _nulls(results.of_cell("final_losses", cell))})
    return _report("fig5", {"panels": panels})


def training_report(source: Source, cell: Cell) -> Report:
    """The losses of every restart of a cell over the snapshots' steps."""
    results = opened(source)
    losses = results.of_cell("snapshot_losses", cell)
    steps = np.asarray(results.arrays["snapshot_steps"], np.float64)
    title = f"{results.label}, cell {', '.join(map(str, results.cell(cell)))}"
    kept = int(results.of_cell("kept", cell))
    return _report("training", {"title": title, "steps": _nulls(steps), "losses": _nulls(losses), "kept": kept})


# --- Curves -----------------------------------------------------------------------------------------------------------


def _axis_of(results: Opened) -> str:
    """The one axis of more than one value, seeds aside; sparsity where there is none."""
    long = [name for name, values in results.axes.items() if values.size > 1 and name != "seed"]
    if len(long) > 1:
        raise InputError(f"{results.place}: name the axis of the curves, one of {', '.join(long)}")
    return long[0] if long else "sparsity"


def _along(results: Opened, axis: str, fixed: Mapping[str, int], values: Array) -> Array:
    """(values of the axis, seeds), rising along the axis, of values over the whole grid."""
    names = list(results.axes)
    if axis not in names:
        raise InputError(f"{results.place}: no axis {axis}; there are {', '.join(names)}")
    if np.isnan(results.axes[axis]).any():
        raise InputError(f"{results.place}: {axis} is no single number, but one a feature; give another axis")
    for name in reversed(names):
        if name in (axis, "seed"):
            continue
        extent, at = results.axes[name].size, fixed.get(name, 0 if results.axes[name].size == 1 else None)
        if at is None:
            raise InputError(
                f"{results.place}: curves over {axis} need one value of {name}, which has {extent}; "
                f"give its index, such as fixed={{{name!r}: 0}}"
            )
        if isinstance(at, bool) or not isinstance(at, int | np.integer) or not -extent <= at < extent:
            raise InputError(f"{results.place}: fixed[{name!r}] must be an index into its {extent} values, not {at!r}")
        values = np.take(values, at, axis=names.index(name))
    if "seed" in names and axis != "seed" and names.index("seed") < names.index(axis):
        values = values.T
    return values.reshape(results.axes[axis].size, -1)[np.argsort(results.axes[axis], kind="stable")]


def _density_measures(results: Opened, samples: int) -> Array:
    """(S,R,A..): features per dimension without 1 / k, of router uses measured on `samples` inputs of each cell."""
    weights, router = results.array("expert_weights"), results.array("router_weights")
    extents = weights.shape[:-3]
    sparsity = results.axes["sparsity"]
    if np.isnan(sparsity).any():
        raise InputError(f"{results.place}: features per dimension need one sparsity, not one a feature")
    values = np.full(extents, np.nan)
    for s, rate in enumerate(sparsity):
        random = np.random.default_rng(0)
        present = random.random((samples, router.shape[-1])) >= rate
        inputs = np.where(present, random.random(present.shape), 0)
        for rest in np.ndindex(extents[1:]):
            cell = (s, *rest)
            if np.isfinite(weights[cell]).all():
                usage = measures.expert_usage(router[cell], results.top_k, inputs)
                values[cell] = measures.features_per_dimension(weights[cell], usage)
    return values


def _fields(results: Opened, measure: str, samples: int) -> list[tuple[str, Array]]:
    """(label, values over the grid): one field of a model's measure, or one for each of its experts."""
    if measure == "features_per_dimension":
        return [(results.label, _density_measures(results, samples) / results.top_k)]
    if measure in ("loss", "log_loss"):
        losses = results.array("final_losses")
        return [(results.label, losses)]  # the logarithm is of the mean over seeds
    weights = results.array("expert_weights")
    values = measures.last_norm(weights) if measure == "norm" else measures.last_score(weights)
    experts = weights.shape[-3]
    names = [results.label] if experts == 1 else [f"{results.label}: expert {e + 1}" for e in range(experts)]
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
    sources: Sequence[Source], axis: str | None, measure: str, fixed: Mapping[str, int], samples: int
) -> Report:
    """A measure over any axis."""
    if measure not in MEASURES:
        raise InputError(f"measure {measure!r}: allowed are {', '.join(MEASURES)}")
    if axis is not None and axis not in AXES:
        raise InputError(f"axis {axis!r}: allowed are {', '.join(AXES)}")
    if fixed.keys() - AXES.keys():
        raise InputError(f"fixed names {sorted(fixed.keys() - AXES.keys())[0]!r}; allowed are {', '.join(AXES)}")
    all_results = _open_all(sources)
    axis = axis or _axis_of(all_results[0])
    series, seeds = [], 1
    for results in all_results:
        for label, field in _fields(results, measure, samples):
            values = _along(results, axis, fixed, field)
            mean, sd = _mean_and_sd(values, logarithm=measure == "log_loss")
            series.append({"label": label, "mean": _nulls(mean), "sd": _nulls(sd)})
            seeds = max(seeds, values.shape[1])
    at = _same_axis(all_results, axis)
    return _report("curves", {"x": AXES[axis], "y": MEASURES[measure], "at": _nulls(at), "series": series}, seeds)


def _density_report(
    figure: str, sources: Sequence[Source], entry: Callable[[Opened, Callable[[Array], Array]], dict[str, Any]]
) -> Report:
    """Over the inverse density; `entry` makes the numbers of a curve, and is given what reads a field along it."""
    all_results = _open_all(sources)
    series, seeds = [], 1
    for results in all_results:

        def along(field: Array, results: Opened = results) -> Array:
            nonlocal seeds
            values = _along(results, "sparsity", {}, field)
            seeds = max(seeds, values.shape[1])
            return values

        series.append({"label": results.label, **entry(results, along)})
    density = 1 / (1 - _same_axis(all_results, "sparsity"))
    return _report(figure, {"inverse_density": _nulls(density), "series": series}, seeds)


def features_per_dimension_report(sources: Sequence[Source], samples: int) -> Report:
    """Figure 3, with and without the authors' factor 1 / k; bands where there is an axis seed."""

    def entry(results: Opened, along: Callable[[Array], Array]) -> dict[str, Any]:
        mean, sd = _mean_and_sd(along(_density_measures(results, samples)))
        k = results.top_k
        fields = {"mean": mean / k, "sd": sd / k, "mean_without_1_k": mean}
        return {**{name: _nulls(values) for name, values in fields.items()}, "without_1_k_differs": k > 1}

    return _density_report("fig3", sources, entry)


def losses_report(sources: Sequence[Source]) -> Report:
    """Figure 7: the natural logarithm of the mean loss over the seeds."""

    def entry(results: Opened, along: Callable[[Array], Array]) -> dict[str, Any]:
        mean, sd = _mean_and_sd(along(results.array("final_losses")), logarithm=True)
        return {"log_loss": _nulls(mean), "sd": _nulls(sd)}

    return _density_report("fig7", sources, entry)
