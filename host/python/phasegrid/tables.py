"""Results as tables of other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.measures import MEASURES
from phasegrid.text import need, shown

if TYPE_CHECKING:
    import pandas
    import xarray

    from phasegrid.results import Results


def dataset(results: Results) -> xarray.Dataset:
    """What Results.to_xarray() promises."""
    need("xarray", "to_xarray()")
    import xarray

    grid = tuple(results.axes)
    feature = (*grid, "expert", "feature")
    variables: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {
        "reconstruction_loss": (grid, results.reconstruction_losses),
        "training_loss": (grid, results.final_losses),
        "all_reconstruction_losses": ((*grid, "restart"), results.all_reconstruction_losses),
        "all_training_losses": ((*grid, "restart"), results.all_losses),
        "status": ((*grid, "restart"), results.status),
        "kept": (grid, results.kept),
        "expert_weights": ((*feature, "hidden"), results.expert_weights),
        "decoder_weights": ((*feature, "hidden"), results.decoder_weights),
        "biases": (feature, results.biases),
        "router_weights": (feature, results.router_weights),
    }
    for measure in MEASURES.values():
        if not measure.draws:
            variables[measure.results[0]] = ((*grid, *measure.extents), getattr(results, measure.name)())
    coordinates = {name: values for name, values in results.axes.items() if not np.isnan(values).any()}
    return xarray.Dataset(variables, coordinates, {"config": results.core.config})


def frame(results: Results, rows: str) -> pandas.DataFrame:
    """What Results.to_pandas() promises."""
    if rows not in ("cell", "restart"):
        raise ValueError(f'rows must be "cell" or "restart", not {shown(rows)}')
    need("pandas", "to_pandas()")
    import pandas

    grid = np.meshgrid(*results.axes.values(), indexing="ij")
    columns: dict[str, NDArray[Any]] = {name: values.ravel() for name, values in zip(results.axes, grid, strict=True)}
    kept, status, restarts = results.kept.ravel(), results.core.status, np.arange(results.sweep.restarts)
    if rows == "cell":
        columns |= {
            "reconstruction_loss": results.reconstruction_losses.ravel(),
            "training_loss": results.final_losses.ravel(),
            "kept": kept,
            "trained": np.count_nonzero(status == 0, axis=1),
            "diverged": np.count_nonzero(status > 0, axis=1),
        }
        for measure in MEASURES.values():
            if not measure.draws and not measure.extents:
                columns[measure.results[0]] = getattr(results, measure.name)().ravel()
    else:
        columns = {name: np.repeat(values, len(restarts)) for name, values in columns.items()}
        columns |= {
            "restart": np.tile(restarts, len(kept)),
            "reconstruction_loss": results.all_reconstruction_losses.ravel(),
            "training_loss": results.all_losses.ravel(),
            "status": status.ravel(),
            "kept": (kept[:, None] == restarts).ravel(),
        }
    return pandas.DataFrame(columns)
