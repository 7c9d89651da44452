"""
The compiled part of phasegrid; use the names of the package phasegrid instead.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy
from numpy.typing import NDArray


class Sweep:
    """A checked sweep."""

    @property
    def name(self) -> str: ...

    @property
    def restarts(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def n_features(self) -> int: ...

    @property
    def n_hidden(self) -> int: ...

    @property
    def n_experts(self) -> int: ...

    @property
    def top_k(self) -> int: ...

    @property
    def models(self) -> int:
        """Models that a training makes."""

    @property
    def has_shape_axes(self) -> bool:
        """Whether cells have models of different shapes."""

    @property
    def parts(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """
        Name -> (first parameter, extents) of each part of the largest model's parameters.
        """

    def work(self) -> Annotated[NDArray[numpy.float64], dict(writable=False)]:
        """
        (cells,): about what each costs, in tenths of a nanosecond on one core; 0 where there is no model.
        """

    @property
    def snapshots(self) -> list[int]: ...

    @property
    def config(self) -> str:
        """Every setting, as the JSON of a results file has them."""

    @property
    def dimensions(self) -> list[tuple[str, Annotated[NDArray[numpy.float64], dict(writable=False)]]]:
        """(name, values) of the grid's dimensions, in the order of the arrays."""

def parse_sweep(text: str, origin: str) -> Sweep:
    """A sweep from TOML; ValueError where it cannot be used."""

def nearest_name(word: str, names: Sequence[str]) -> str:
    """The name that is nearest to a word, or '' where none is near."""

def settings() -> str:
    """The settings table, as JSON."""

def settings_markdown() -> str:
    """The settings table, as a table of Markdown."""

def conventions() -> list[list[str]]:
    """(name, what it is, TOML) of every convention."""

def parse_config(config: str) -> Sweep:
    """The sweep of a `config`."""

def read_sweeps(path: str, set: Sequence[str], preset: str, variant: str) -> list[Sweep]:
    """The sweeps of a TOML file."""

class Results:
    """What a sweep's training left."""

    def __init__(self, sweep: Sweep) -> None:
        """Nothing trained yet."""

    @property
    def sweep(self) -> Sweep: ...

    @property
    def device(self) -> str: ...

    @property
    def complete(self) -> bool: ...

    @property
    def config(self) -> str: ...

    @property
    def final_losses(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """(cells,)"""

    @property
    def reconstruction_losses(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """(cells,)"""

    @property
    def all_losses(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """(cells, restarts)"""

    @property
    def all_reconstruction_losses(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """(cells, restarts)"""

    @property
    def status(self) -> Annotated[NDArray[numpy.int32], dict(writable=False)]:
        """(cells, restarts)"""

    @property
    def kept(self) -> Annotated[NDArray[numpy.int32], dict(writable=False)]:
        """(cells,)"""

    @property
    def parameters(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """
        (cells, parameters): experts (E, n, m), biases (E, n), router (E, n); smaller models first, then NaN
        """

    @property
    def all_parameters(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """
        (cells, restarts, parameters), or (cells, 0, parameters) where keep is another than "all" and "training-state\"
        """

    @property
    def first_moments(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """as all_parameters, with keep "training-state\""""

    @property
    def second_moments(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """as first_moments"""

    @property
    def snapshot_losses(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """(cells, restarts, snapshots)"""

    @property
    def snapshot_reconstruction_losses(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """(cells, restarts, snapshots)"""

    @property
    def snapshot_parameters(self) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """(cells, snapshots, parameters)"""

    def spread_out(self, name: str) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
        """
        (cells, restarts, snapshots or 1, parameters): that array with every model laid out as the largest is, NaN where it has no such expert or hidden unit.
        """

    @property
    def parts(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """
        Name -> (first parameter, extents) of each part of a model's parameters.
        """

    def save(self, path: str, authors: bool) -> None: ...

def results_from(config: str, arrays: dict[str, Any]) -> Results:
    """Results of a config and of their arrays, each under its name."""

def merge(parts: Sequence[Results]) -> Results: ...

def merge_files(parts: Sequence[str], out: str) -> None: ...

def load(path: str) -> Results: ...

def measures() -> list[dict[str, Any]]:
    """The table of measures."""

def measure(results: Results, name: str, **options: Any) -> list[NDArray[Any]]:
    """What a measure gives, each (cells, extents)."""

def training_health(results: Results) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """
    Diverged restarts, cells without a finite model, dead models: how many, and the first one's cell.
    """

def reconstruct(results: Results, cell: int, inputs: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.float64], dict(writable=False)]:
    """(samples, n)"""

def route(results: Results, cell: int, inputs: Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)]) -> tuple[Annotated[NDArray[numpy.int32], dict(writable=False)], Annotated[NDArray[numpy.float64], dict(writable=False)]]:
    """experts and gates, each (samples, k)"""

def draw_inputs(sparsity: Annotated[NDArray[numpy.float64], dict(order='C', device='cpu', writable=False)], samples: int, seed: int, all_inputs: bool) -> Annotated[NDArray[numpy.float32], dict(writable=False)]:
    """(samples, n)"""

def boundary_sharpness(field: Annotated[NDArray[numpy.float64], dict(order='C', device='cpu', writable=False)], seed: int) -> dict[str, tuple[float, float, float]]:
    """concentration, jump and roughness, each (value, low, high)"""

class TrainingFiles:
    """The results files of a training, and what is saved beside them."""

    def __init__(self, sweeps: Sequence[Sweep], paths: Sequence[str], shard: str, fresh: bool) -> None: ...

    def take_earlier(self) -> list[Results]:
        """
        What earlier trainings of the same sweeps left, one entry a sweep; once.
        """

    @property
    def all_finished(self) -> bool: ...

    def save(self, so_far: Sequence[Results]) -> None:
        """Saves what is finished, one entry a sweep."""

    def place(self, sweep: int) -> str:
        """The file that has a sweep's models now; '' where none has."""

    def close(self) -> None:
        """Lets go of the files, for another training."""

def train(sweeps: Sequence[Sweep], device: str, threads: int, instruction_set: str, progress: object | None, files: TrainingFiles | None, checkpoint_seconds: float, resume: Sequence[Results], shard: str, initial: Sequence[Annotated[NDArray[numpy.float32], dict(order='C', device='cpu', writable=False)]], shorter: Sequence[Results | None] = []) -> tuple[list[Results], bool, str]:
    """
    (results, interrupted, why they are not in the files or '') of the sweeps.
    """

def devices() -> list[str]:
    """One line a device: what it offers, or why it cannot be used."""

version: str = '0.2.0'
