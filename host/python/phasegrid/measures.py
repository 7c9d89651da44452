"""The measures of trained models: methods of `Results`, one for each row of the library's table
(host/measure/measures.cpp)."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import warnings
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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


class Routing(NamedTuple):
    """(samples, k) twice: the experts that inputs go to, by falling score, and their gates."""

    experts: IntArray
    gates: DoubleArray


class Estimate(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


class Sharpness(NamedTuple):
    """How abrupt the boundaries of a field are (include/phasegrid/metrics.hpp)."""

    concentration: Estimate
    jump: Estimate
    roughness: Estimate


@dataclass(frozen=True)
class Measure:
    """A row of the library's table of measures."""

    name: str
    results: tuple[str, ...]
    extents: tuple[str, ...]  # of "expert", "feature"
    options: tuple[str, ...]
    needs_inputs: bool
    documentation: str
    source: str

    @functools.cached_property
    def result_type(self) -> Any:
        """What holds several arrays: a named tuple, ExpertUsage for expert_usage."""
        name = "".join(word.capitalize() for word in self.name.split("_"))
        return namedtuple(name, self.results, module=__name__)

    @property
    def draws(self) -> bool:
        """Whether it depends on random inputs or directions; what does not is in every table of results."""
        return "samples" in self.options

    @property
    def shape(self) -> str:
        """Of one array, in the letters that the documentation uses."""
        letters = {"expert": "E", "feature": "n"}
        return f"(S,R,A..{''.join(',' + letters[extent] for extent in self.extents)})"

    def method(self) -> Callable[..., Any]:
        """The method of `Results`."""

        def measure(results: Measures, /, *given: Any, **named: Any) -> Any:
            bound = signature.bind(results, *given, **named)
            bound.apply_defaults()
            return results._measured(self, {name: bound.arguments[name] for name in self.options})

        parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)]
        parameters += [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=OPTIONS[name][0])
            for name in self.options
        ]
        signature = inspect.Signature(parameters)
        measure.__signature__ = signature  # type: ignore[attr-defined]
        measure.__name__, measure.__qualname__ = self.name, f"Results.{self.name}"
        fields = f" {', '.join(self.results)}, each" if len(self.results) > 1 else ""
        lines = [f"{self.documentation[0].upper()}{self.documentation[1:]}. {self.source[0].upper()}{self.source[1:]}."]
        lines += [f"Gives{fields} {self.shape}; NaN where no model was kept."]
        lines += [OPTIONS[name][2] for name in self.options if OPTIONS[name][2]]
        measure.__doc__ = "\n\n".join(lines)
        return measure


class Measures:
    """The part of `Results` that measures kept models. Its measures are methods made of the table, below."""

    core: _core.Results
    sweep: Sweep

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    def _grid(self, flat: NDArray[Any]) -> NDArray[Any]:
        """An array (cells, ..) as one over the grid."""
        return flat.reshape(self.sweep.shape + flat.shape[1:])

    @functools.cached_property
    def _of_weights(self) -> dict[str, Any]:
        """What was measured already, of measures that nothing can be asked for."""
        return {}

    def _measured(self, measure: Measure, options: Mapping[str, Any]) -> Any:
        if measure.name in self._of_weights:
            return self._of_weights[measure.name]
        asked: dict[str, Any] = {}
        for name, value in options.items():
            asked["all_inputs" if name == "inputs" else name] = OPTIONS[name][1](value)
        arrays = [self._grid(flat) for flat in _core.measure(self.core, measure.name, **asked)]
        result = arrays[0] if len(arrays) == 1 else measure.result_type(*arrays)
        if not measure.options:
            self._of_weights[measure.name] = result
        return result

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

    def route(self, cell: Cell, inputs: ArrayLike) -> Routing:
        """experts and gates, each (samples, k): where inputs (samples, n) go, by falling score."""
        return Routing(*_core.route(self.core, self._cell(cell), _inputs(inputs)))

    def _cell(self, cell: object) -> int:
        return int(np.ravel_multi_index(cell_index(self.sweep.axes, cell), self.sweep.shape))


def draw_inputs(
    sparsity: ArrayLike, samples: int, seed: int = 0, inputs: Literal["all", "nonzero"] = "all"
) -> FloatArray:
    """(samples, n): inputs of a sparsity per feature (n,): 0 with that probability, else uniform in [0, 1).

    inputs: "nonzero" draws from those that are not all zero, without drawing any in vain.
    """
    rates = _converted("sparsity", "numbers (n_features,)", sparsity, np.float64)
    return _core.draw_inputs(rates, _whole("samples", samples), _seed(seed), _all_inputs(inputs))


def boundary_sharpness(field: ArrayLike, seed: int = 0) -> Sharpness:
    """How abrupt the boundaries of a field (rows, columns) are: concentration, jump and roughness, each (value, low,
    high) with a 95 % interval (include/phasegrid/metrics.hpp).
    """
    found = _core.boundary_sharpness(_converted("field", "numbers (rows, columns)", field, np.float64), _seed(seed))
    return Sharpness(**{name: Estimate(*estimate) for name, estimate in found.items()})


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


# What a measure can be asked for: default, check, and a line for those who read the method's help. The defaults are
# those of MeasureOptions (tests/python/test_measures.py).
OPTIONS: Mapping[str, tuple[Any, Callable[[Any], Any], str]] = {
    "samples": (4096, functools.partial(_whole, "samples"), "samples: how many inputs or directions are drawn."),
    "seed": (0, _seed, ""),
    "inputs": (
        "nonzero",
        _all_inputs,
        "inputs: those of the cell's sparsity that are not all zero, or \"all\" (the paper's way). The all-zero input "
        "scores every expert 0 and goes to the first; at a sparsity of 0.99 it is 82 % of the inputs of 20 features.",
    ),
    "divide_by_k": (True, bool, ""),
    "threshold": (0.2, functools.partial(_number, "threshold"), ""),
    "least_norm": (0.0, functools.partial(_number, "least_norm"), ""),
}

MEASURES: Mapping[str, Measure] = {row["name"]: Measure(**row) for row in _core.measures()}
for _measure in MEASURES.values():
    setattr(Measures, _measure.name, _measure.method())
    if len(_measure.results) > 1:
        globals()[_measure.result_type.__name__] = _measure.result_type  # where pickle looks for it


def markdown_table() -> str:
    """The measures as the README shows them."""
    rows = ["| `results.` | what it is | shape | source |", "|---|---|---|---|"]
    for measure in MEASURES.values():
        asked = ", ".join(f"{name}={OPTIONS[name][0]!r}" for name in measure.options)
        results = f"{', '.join(measure.results)}: " if len(measure.results) > 1 else ""
        what = f"{results}{measure.documentation}".replace("|", "\\|")
        rows.append(f"| `{measure.name}({asked})` | {what} | {measure.shape} | {measure.source} |")
    return "\n".join(rows)
