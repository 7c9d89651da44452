"""Results made into the reports that the paper's pictures are drawn from, so that one picture has one drawing code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import Source, name_of, open_arrays
from phasegrid.pictures.grids import Array, InputError
from phasegrid.pictures.reports import Report, parse

if TYPE_CHECKING:
    from phasegrid.results import Results


def _report(figure: str, picture: Mapping[str, Any], seeds: int | None = None) -> Report:
    settings = {"seeds": seeds} if seeds else {}
    return parse({"figure": figure, "settings": settings, "picture": picture}, (figure,))


def _nulls(values: NDArray[Any]) -> Any:
    """Numbers for a report, in which null stands for NaN: lists of lists, or one number."""
    if values.ndim == 0:
        return float(values) if np.isfinite(values) else None
    return [_nulls(np.asarray(row)) for row in values]


def kept(source: Source, key: str, cell: tuple[int, ...], dimensions: int) -> NDArray[np.float64]:
    """One cell's entry of an array whose last `dimensions` axes belong to the model."""
    arrays = open_arrays(source, (key,))
    if key not in arrays:
        raise InputError(f"{name_of(source)}: no key {key}; it is not a results file in phasegrid's layout")
    values = np.asarray(arrays[key], np.float64)
    grid = values.shape[: values.ndim - dimensions]
    where = (*cell, *(0,) * (len(grid) - len(cell))) if len(cell) <= len(grid) else cell
    if len(where) != len(grid) or not all(-extent <= at < extent for at, extent in zip(where, grid, strict=True)):
        raise InputError(f"{name_of(source)}: cell {cell} is not in the grid {grid}")
    chosen = np.asarray(values[where])
    return chosen


def feature_measures(weights: Array) -> tuple[Array, Array, Array]:
    """Of an expert W (n, m): ||W_i|| (n); polysemanticity (n), the square root of sum over j != i of (Ŵ_i . W_j)^2; and
    Ŵ_i . W_j (n, n), with Ŵ_i = W_i / ||W_i||, 0 for W_i = 0. Paper 3.2; authors' notebook demo-superposition.
    """
    norm = np.linalg.norm(weights, axis=1)
    unit = np.divide(weights, norm[:, None], out=np.zeros_like(weights), where=norm[:, None] > 0)
    gram = unit @ weights.T
    squares = np.square(gram)
    return norm, np.sqrt(squares.sum(axis=1) - np.diag(squares)), gram


def experts_report(source: Source, cell: tuple[int, ...]) -> Report:
    """Figures 1, 2 and 6 for the kept model of a cell."""
    weights = kept(source, "expert_weights", cell, 3)
    panels = []
    for e, expert in enumerate(weights):
        norm, polysemanticity, gram = feature_measures(expert)
        panels.append(
            {
                "title": f"expert {e + 1}" if len(weights) > 1 else "dense",
                "norm": _nulls(norm),
                "polysemanticity": _nulls(polysemanticity),
                "gram": _nulls(gram),
            }
        )
    n, m = weights.shape[1:]
    title = f"n = {n}, m = {m}, E = {len(weights)}, cell {', '.join(map(str, cell))}"
    return _report("fig1", {"panels": panels, "groups": [{"title": title, "panels": list(range(len(panels)))}]})


def regions_report(sources: Sequence[Source], cell: tuple[int, ...], titles: Sequence[str]) -> Report:
    """Figure 5: which expert each point of the plane goes to, for models of two features."""
    panels = []
    for at, source in enumerate(sources):
        router = kept(source, "router_weights", cell, 2)
        if router.shape[1] != 2:
            raise InputError(f"{name_of(source)}: regions of the plane need 2 features, not {router.shape[1]}")
        loss = kept(source, "final_losses", cell, 0)
        title = titles[at] if titles else f"{at + 1}."
        panels.append({"title": title, "router": _nulls(router), "loss": _nulls(loss)})
    return _report("fig5", {"panels": panels})


def _along_sparsity(results: Results, values: Array) -> tuple[Array, Array, int]:
    """Mean and standard deviation over the axis `seed`, by rising sparsity, of values (S,R,A..)."""
    names = list(results.axes)
    others = [name for name in names if name not in ("sparsity", "seed") and len(results.axes[name]) > 1]
    if others or np.isnan(results.sparsity_values).any():
        raise InputError(
            f"{results.sweep.name}: curves need the axis sparsity, and at most seed beside it, not "
            + (", ".join(others) or "a sparsity a feature")
        )
    seeds = values.reshape(len(results.sparsity_values), -1)[np.argsort(results.sparsity_values)]
    return seeds.mean(axis=1), seeds.std(axis=1, ddof=1) if seeds.shape[1] > 1 else 0 * seeds[:, 0], seeds.shape[1]


def _label(results: Results) -> str:
    sweep = results.sweep
    if sweep.n_experts == 1:
        return f"dense, m = {sweep.n_hidden}"
    return f"{sweep.n_experts} experts, m = {sweep.n_hidden}, k = {sweep.top_k}"


def _curves(figure: str, results: Sequence[Results], entry: Any) -> Report:
    if not results:
        raise InputError("curves need at least one result")
    axis = np.sort(results[0].sparsity_values)
    series, seeds = [], 0
    for one in results:
        if not np.array_equal(np.sort(one.sparsity_values), axis):
            raise InputError(f"{one.sweep.name}: its sparsities are not those of {results[0].sweep.name}")
        fields, seeds = entry(one)
        series.append({"label": _label(one), **fields})
    return _report(figure, {"inverse_density": _nulls(1 / (1 - axis)), "series": series}, seeds if seeds > 1 else None)


def features_per_dimension_report(results: Sequence[Results], samples: int) -> Report:
    """Figure 3: over the inverse density, a curve for each architecture; bands where there is an axis seed."""

    def entry(one: Results) -> tuple[dict[str, Any], int]:
        mean, sd, seeds = _along_sparsity(one, one.features_per_dimension(samples))
        without, _, _ = _along_sparsity(one, one.features_per_dimension(samples, divide_by_k=False))
        return {
            "mean": _nulls(mean),
            "sd": _nulls(sd),
            "mean_without_1_k": _nulls(without),
            "without_1_k_differs": one.sweep.top_k > 1,
        }, seeds

    return _curves("fig3", results, entry)


def losses_report(results: Sequence[Results]) -> Report:
    """Figure 7: the logarithm of the loss over the inverse density."""

    def entry(one: Results) -> tuple[dict[str, Any], int]:
        mean, sd, seeds = _along_sparsity(one, one.final_losses.astype(np.float64))
        return {"log_loss": _nulls(np.log(mean)), "sd": _nulls(sd / mean)}, seeds

    return _curves("fig7", results, entry)
