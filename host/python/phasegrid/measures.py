"""The paper's measures of trained models, each with its formula and source in include/phasegrid/metrics.hpp."""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasegrid import _core, health
from phasegrid.cells import Cell, cell_index
from phasegrid.sweep import Sweep
from phasegrid.text import is_sequence, shown

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

_MOST_NUMBERS = 100_000_000  # of a list that is made an array


class Measures:
    """The part of `Results` that measures kept models."""

    core: _core.Results
    sweep: Sweep

    def _grid(self, flat: NDArray[Any]) -> NDArray[Any]:
        """An array (cells, ..) as one over the grid."""
        return flat.reshape(self.sweep.shape + flat.shape[1:])

    @functools.cached_property
    def _feature_metrics(self) -> tuple[FloatArray, ...]:
        return tuple(self._grid(flat) for flat in _core.feature_metrics(self.core))

    def feature_norms(self) -> FloatArray:
        """(S,R,A..,E,n): ||W_i||, near 1 when feature i is fully represented. Paper 3.2."""
        return self._feature_metrics[0]

    def interference(self) -> FloatArray:
        """(S,R,A..,E,n): sum over j != i of (W_i / ||W_i|| . W_j)^2. Paper 3.2."""
        return self._feature_metrics[1]

    def polysemanticity(self) -> FloatArray:
        """(S,R,A..,E,n): the square root of the interference, as Figures 1 and 2 colour it."""
        return self._feature_metrics[2]

    def feature_dimensionality(self) -> FloatArray:
        """(S,R,A..,E,n): D_i = ||W_i||^2 / sum over all j of (W_i / ||W_i|| . W_j)^2; 1 is monosemantic. Paper 3.2."""
        return self._feature_metrics[3]

    def total_capacity(self) -> DoubleArray:
        """(S,R,A..): the sum of D_i over experts and features, at most E m. Paper 3.2."""
        return self._grid(_core.total_capacity(self.core))

    def expert_usage(
        self, samples: int = 4096, seed: int = 0, inputs: Literal["nonzero", "all"] = "nonzero"
    ) -> tuple[DoubleArray, DoubleArray]:
        """(S,R,A..,E) twice: each expert's mean gate weight, and the share of inputs that is routed to it. Paper 3.2.

        Over `samples` inputs of the cell's own sparsity: those of them that are not all zero, or all (the paper's way).
        The all-zero input scores every expert 0 and goes to the first; at a sparsity of 0.99 it is 82 % of the inputs
        of 20 features. NaN where no input counts.
        """
        gate, active = _core.expert_usage(self.core, _whole("samples", samples), _seed(seed), _all_inputs(inputs))
        return self._grid(gate), self._grid(active)

    def features_per_dimension(
        self,
        samples: int = 4096,
        seed: int = 0,
        divide_by_k: bool = True,
        inputs: Literal["nonzero", "all"] = "nonzero",
    ) -> DoubleArray:
        """(S,R,A..): sum over e of p_e ||W_e||_F^2 / m, times 1 / k as in Figure 3 unless divide_by_k is False.

        p_e is the mean gate weight of `expert_usage`, over inputs that are not all zero or over all (Figure 3's way).
        """
        values = _core.features_per_dimension(
            self.core, _whole("samples", samples), _seed(seed), bool(divide_by_k), _all_inputs(inputs)
        )
        return self._grid(values)

    def global_feature_dimensionality(self, samples: int = 4096, seed: int = 0) -> DoubleArray:
        """(S,R,A..,n): sum over e of P(e active | feature i present) D_i^e: what an input with the feature meets."""
        return self._grid(_core.global_feature_dimensionality(self.core, _whole("samples", samples), _seed(seed)))

    def monosemantic_counts(self, threshold: float = 0.2, least_norm: float = 0) -> DoubleArray:
        """(S,R,A..,E): how many features an expert represents monosemantically, as Table 1 counts."""
        return self._grid(
            _core.monosemantic_counts(self.core, _number("threshold", threshold), _number("least_norm", least_norm))
        )

    def cone_shares(self, samples: int = 4096, seed: int = 0) -> DoubleArray:
        """(S,R,A..,E): share of the directions of the positive orthant that go to each expert first. Paper 5, A.3."""
        return self._grid(_core.cone_shares(self.core, _whole("samples", samples), _seed(seed)))

    def training_health(self) -> dict[str, int]:
        """What should not be believed, counted: diverged (restarts whose loss stopped being finite), empty (cells
        without a finite model), dead (kept models without a feature whose norm is above 0.1).
        """
        return dict(self._health)

    @functools.cached_property
    def _health(self) -> dict[str, int]:
        return health.counts(self.core)

    def reconstruct(self, cell: Cell, inputs: ArrayLike) -> DoubleArray:
        """(samples, n): x' of inputs (samples, n) by the kept model of a cell, given by index or by value (`cell`)."""
        return _core.reconstruct(self.core, self._cell(cell), _inputs(inputs))

    def route(self, cell: Cell, inputs: ArrayLike) -> tuple[IntArray, DoubleArray]:
        """(samples, k) twice: the experts that inputs (samples, n) go to, by falling score, and their gates."""
        return _core.route(self.core, self._cell(cell), _inputs(inputs))

    def _cell(self, cell: object) -> int:
        return int(np.ravel_multi_index(cell_index(self.sweep.axes, cell), self.sweep.shape))


def draw_inputs(sparsity: ArrayLike, samples: int, seed: int = 0) -> FloatArray:
    """(samples, n): inputs of a sparsity a feature (n,): 0 with that probability, else uniform in [0, 1)."""
    rates = _converted("sparsity", "numbers (n_features,)", sparsity, np.float64)
    return _core.draw_inputs(rates, _whole("samples", samples), _seed(seed))


def boundary_sharpness(field: ArrayLike, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """How abrupt the boundaries of a field (rows, columns) are: concentration, jump and roughness, each (value, low,
    high) with a 95 % interval (include/phasegrid/metrics.hpp).
    """
    return _core.boundary_sharpness(_converted("field", "numbers (rows, columns)", field, np.float64), _seed(seed))


def _converted(name: str, kind: str, values: ArrayLike, dtype: type) -> NDArray[Any]:
    if not isinstance(values, np.ndarray) and is_sequence(values) and len(values) > _MOST_NUMBERS:  # type: ignore[arg-type]
        raise ValueError(f"{name} has {len(values)} entries; at most {_MOST_NUMBERS} are allowed")  # type: ignore[arg-type]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # complex numbers, which would lose their imaginary part
            return np.ascontiguousarray(values, dtype)
    except (TypeError, ValueError, OverflowError, MemoryError, Warning):
        raise ValueError(f"{name} must be {kind}, not {shown(values)}") from None


def _inputs(inputs: ArrayLike) -> FloatArray:
    return _converted("inputs", "numbers (samples, n_features)", inputs, np.float32)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= 10_000_000:
        raise ValueError(f"{name} must be a whole number from 1 to 10000000, not {shown(value)}")
    return int(value)


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            if math.isfinite(number := float(value)):
                return number
    raise ValueError(f"{name} must be a finite number, not {shown(value)}")


def _seed(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < 2**64:
        raise ValueError(f"seed must be a whole number from 0 to {2**64 - 1}, not {shown(value)}")
    return int(value)


def _all_inputs(inputs: object) -> bool:
    if inputs not in ("nonzero", "all"):
        raise ValueError(f"inputs must be one of nonzero, all, not {shown(inputs)}")
    return inputs == "all"
