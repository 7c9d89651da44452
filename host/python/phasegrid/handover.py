"""Trained models for other packages: PyTorch and safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.cells import Cell, cell_index
from phasegrid.text import file_to_write, need, shown, write_whole

if TYPE_CHECKING:
    from phasegrid.results import Results
    from phasegrid.torch_module import ToyModel


def torch_model(results: Results, cell: Cell, restart: int | None) -> ToyModel:
    """What Results.to_torch() promises."""
    index = cell_index(results.axes, cell)
    if (results.status[index] == -2).any():
        raise ValueError(f"cell {index} has no model: its top_k is above its n_experts")
    results = results.isel(**dict(zip(results.axes, index, strict=True)))  # whose shape is that of the cell's models
    model = parts_of(results, restart)
    if not all(np.isfinite(array).all() for array in model.values()):
        which = "no kept model" if restart is None else f"no finite model of restart {restart}"
        raise ValueError(f"cell {index} has {which}: it was not trained, or diverged")
    need("torch", "to_torch()")
    import torch

    from phasegrid.torch_module import ToyModel

    settings = results.sweep.settings
    return ToyModel(
        **{name: torch.tensor(array) for name, array in model.items()},
        top_k=results.sweep.top_k,
        hidden=settings["hidden"],
        output=settings["output"],
    )


def parts_of(results: Results, restart: int | None) -> dict[str, NDArray[Any]]:
    """Name -> array (E, ..) of the parts that the model of results of one cell has."""
    index = (0,) * len(results.axes)
    if restart is None:
        return {name: getattr(results, name)[index] for name in results.core.parts}
    models = {name: getattr(results, f"all_{name}")[index] for name in results.core.parts}
    restarts = results.sweep.restarts
    if isinstance(restart, bool) or not isinstance(restart, int | np.integer) or not 0 <= restart < restarts:
        raise ValueError(f"restart must be a whole number from 0 to {restarts - 1}, not {shown(restart)}")
    return {name: array[restart] for name, array in models.items()}


def write_safetensors(results: Results, path: object) -> None:
    """What Results.to_safetensors() promises."""
    text = file_to_write("path", path, [".safetensors"])
    need("safetensors", "to_safetensors()")
    from safetensors.numpy import save

    arrays = dict(results.arrays())
    config = str(arrays.pop("config"))
    # It reads the memory that an array begins at, whatever its strides.
    data = save({key: np.ascontiguousarray(array) for key, array in arrays.items()}, {"config": config})
    write_whole(text, data)
