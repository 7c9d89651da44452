"""Results of any axes, opened for curves and single models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from phasegrid.arrays import (
    MOST_EXPERTS,
    SHAPE_AXES,
    Arrays,
    Source,
    as_doubles,
    axis_of,
    check_counts,
    name_of,
    open_arrays,
    settings_of,
)
from phasegrid.cells import Cell, cell_index
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array
from phasegrid.pictures.shapes import Ints, Shapes

# What an axis is called below a picture.
AXES: Mapping[str, str] = {
    "sparsity": "feature sparsity S",
    "last_importance": "importance r of the last feature",
    "active": "present features of an input",
    "samples": "samples of the data set",
    "n_hidden": "hidden units m",
    "n_experts": "experts E",
    "top_k": "active experts k",
    "steps": "training steps",
    "batch": "batch size",
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "load_balance": "weight of the load balance",
    "beta1": "beta 1 of Adam",
    "beta2": "beta 2 of Adam",
    "epsilon": "epsilon of Adam",
    "momentum": "momentum",
    "loss_power": "power of the error",
    "warmup": "steps of warm-up",
    "floor": "last share of the learning rate",
    "seed": "seed",
}
# The same in a title: S = 0.99, learning rate = 0.001.
SHORT: Mapping[str, str] = {name: name.replace("_", " ") for name in AXES} | {
    "sparsity": "S",
    "last_importance": "r",
    "n_hidden": "m",
    "n_experts": "E",
    "top_k": "k",
}
MODEL_AXES = {"final_losses": 0, "reconstruction_losses": 0, "kept": 0}
MODEL_AXES |= {"expert_weights": 3, "decoder_weights": 3, "router_weights": 2, "biases": 2}
MODEL_AXES |= {"snapshot_losses": 2, "snapshot_reconstruction_losses": 2}
# Why a file has no such array, and what to do.
NOT_OURS = {"reconstruction_losses": "the authors' files hold training losses alone; ask for those"}


@dataclass(frozen=True)
class Opened:
    """Results in either layout; their arrays begin with the extents of `axes`, and NaN is where nothing was trained."""

    source: Source
    arrays: Arrays

    @property
    def place(self) -> str:
        return name_of(self.source)

    @cached_property
    def axes(self) -> dict[str, Array]:
        """Name -> values of the dimensions, in the order of the arrays."""
        names = {f"{name}_values": name for name in AXES} | {"importance_values": "last_importance"}
        found = {names[key]: axis_of(self.arrays, key, self.place) for key in self.arrays if key in names}
        extents = tuple(values.size for values in found.values())
        for key in ("final_losses", "expert_weights"):
            if key not in self.arrays:
                raise InputError(f"{self.place}: no key {key}; it is not a results file")
            shape = np.shape(self.arrays[key])
            if shape[: len(shape) - MODEL_AXES[key]] != extents or 0 in shape:
                raise InputError(
                    f"{self.place}: {key} has shape {shape}; it must begin with the axes' extents {extents}"
                )
        return found

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Every setting, where the file has them; the authors' have not."""
        return settings_of(self.arrays, self.place)

    def array(self, key: str) -> Array:
        """A grid's array of models, in float64. Raises InputError where there is none, or of another shape."""
        if key not in self.arrays:
            why = (
                "train with snapshots"
                if key.startswith("snapshot")
                else NOT_OURS.get(key, "it is not in phasegrid's layout")
            )
            raise InputError(f"{self.place}: no key {key}; {why}")
        values = np.asarray(self.arrays[key])
        extents = tuple(axis.size for axis in self.axes.values())
        if values.dtype.kind not in "fiu" or values.ndim != len(extents) + MODEL_AXES[key]:
            raise InputError(f"{self.place}: {key} must hold numbers in {len(extents) + MODEL_AXES[key]} dimensions")
        if values.shape[: len(extents)] != extents:
            raise InputError(f"{self.place}: {key} has shape {values.shape}; it must begin with {extents}")
        return as_doubles(values)

    def cell(self, cell: Cell) -> tuple[int, ...]:
        """The index of a cell of the grid."""
        try:
            return cell_index(self.axes, cell)
        except ValueError as error:
            raise InputError(f"{self.place}: {error}") from None

    def of_cell(self, key: str, cell: Cell) -> Array:
        """One cell's part of an array: of its own experts and hidden units. Raises InputError where there is none."""
        at = self.cell(cell)
        own = self.shapes.at(at)
        if not own.exist:
            raise InputError(
                f"{self.place}: there is no model of top_k {own.top_k} and n_experts {own.experts}; give a cell whose "
                "top_k is at most its n_experts"
            )
        return own.crop(key, np.asarray(self.array(key)[at]))

    def title(self, cell: Cell, shape: bool = True) -> str:
        """A cell by the values of its axes: S and every axis of more than one value; where not `shape`, without those
        that change the shape of models.
        """
        axes = self.axes
        named = [
            f"{SHORT[name]} = {axes[name][at]:.4g}"
            for name, at in zip(axes, self.cell(cell), strict=True)
            if (axes[name].size > 1 or name == "sparsity")
            and np.isfinite(axes[name][at])
            and (shape or name not in SHAPE_AXES)
        ]
        return ", ".join(named)

    @cached_property
    def feature_sparsities(self) -> Array:
        """(S,R,A..,n): of every feature."""
        extents = tuple(values.size for values in self.axes.values())
        n = np.shape(self.arrays["expert_weights"])[-2]
        S = self.axes["sparsity"]
        if np.isnan(S).any():  # each feature has its own
            data = self.config.get("data")
            given = data.get("sparsity") if isinstance(data, dict) else None
            if (
                not isinstance(given, list)
                or len(given) != n
                or not all(type(rate) in (int, float) and 0 <= rate <= 1 for rate in given)
            ):
                raise InputError(f"{self.place}: config's data.sparsity must hold {n} numbers from 0 to 1")
            return np.broadcast_to(np.array(given, np.float64), (*extents, n))
        if not ((S >= 0) & (S < 1)).all():
            raise InputError(f"{self.place}: sparsity_values must be from 0 to below 1")
        return np.broadcast_to(S.reshape(-1, *[1] * len(extents)), (*extents, n))

    @cached_property
    def shapes(self) -> Shapes:
        """Of every cell's models; k is 1 where the file does not say."""
        experts, _, hidden = np.shape(self.arrays["expert_weights"])[-3:]
        model = self.config.get("model")
        top_k = model.get("top_k", 1) if isinstance(model, dict) and "top_k" not in self.axes else 1
        if isinstance(top_k, bool) or not isinstance(top_k, int) or not 1 <= top_k <= experts:
            raise InputError(f"{self.place}: config's top_k must be a whole number from 1 to {experts}, not {top_k!r}")
        return Shapes(
            self._of_cells("n_experts", experts, experts),
            self._of_cells("n_hidden", hidden, hidden),
            self._of_cells("top_k", top_k, MOST_EXPERTS),
            vary=bool(self.axes.keys() & SHAPE_AXES),
        )

    def _of_cells(self, name: str, alone: int, most: int) -> Ints:
        """(S,R,A..): of each cell the value of an axis, or where there is none `alone`."""
        extents = tuple(values.size for values in self.axes.values())
        if name not in self.axes:
            return np.broadcast_to(np.intp(alone), extents)
        values = self.axes[name]
        check_counts(name, values, most, self.place)
        behind = len(extents) - 1 - list(self.axes).index(name)
        return np.broadcast_to(values.astype(np.intp).reshape(-1, *[1] * behind), extents)

    @cached_property
    def weights(self) -> Array:
        """(S,R,A..,E,n,m): W, with 0 for hidden units that a model does not have; NaN for experts that it has not, and
        where there is none.
        """
        return self.shapes.closed(self.array("expert_weights"))

    @property
    def load_balance(self) -> float | None:
        """alpha; None where the file does not say."""
        train = self.config.get("train")
        alpha = train.get("load_balance") if isinstance(train, dict) else None
        return float(alpha) if isinstance(alpha, int | float) else None


def opened(source: Source) -> Opened:
    """Raises InputError where it cannot be read."""
    return Opened(source, open_arrays(source))
