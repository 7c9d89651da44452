"""Results: NumPy views of what a training left, and the paper's measures of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core, health
from phasegrid.arrays import Arrays
from phasegrid.cells import Cell, Place, Value, cell_index, check_axis, places, places_of_values
from phasegrid.grid_parts import RESTART_MODELS, GridPart, arrays_of, kept_of_restarts
from phasegrid.measures import DoubleArray
from phasegrid.models import Models
from phasegrid.sweep import Settings, Sweep
from phasegrid.text import file_to_write, path_text, shown

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

    from phasegrid.torch_module import ToyModel


class Results(Models):
    """What a sweep's training left: losses of every restart, and the kept model of every cell.

    Arrays are read-only views of the memory of C++. Their shapes begin with the grid's extents, written (S,R,A..): the
    sparsities, the last importances, then further axes in the order of `axes`. NaN stands for what was not trained, or
    for a model that diverged. With axes of n_hidden, n_experts or top_k, E and m are the largest of the grid; NaN
    stands where a cell's models have no such expert or hidden unit.
    """

    def __init__(self, core: _core.Results) -> None:
        self.core = core
        self.sweep = Sweep.from_core(core.sweep)
        self._extents = self.sweep.shape

    # ---------------------------------------------------------------- what was trained
    @property
    def axes(self) -> dict[str, DoubleArray]:
        """Name -> values of the dimensions, in the order of the arrays."""
        return self.sweep.axes

    @property
    def sparsity_values(self) -> DoubleArray:
        """(S,); NaN where features have sparsities of their own."""
        return self.axes["sparsity"]

    @property
    def importance_values(self) -> DoubleArray:
        """(R,): importances of the last feature."""
        return self.axes["last_importance"]

    @property
    def complete(self) -> bool:
        """Whether every model was trained."""
        return self.core.complete

    @property
    def models_done(self) -> int:
        """Models that were trained; `sweep.models` is all of them."""
        return int(np.count_nonzero(self.core.status >= 0))

    @property
    def device(self) -> str:
        """What trained it, e.g. "cpu avx512"."""
        return self.core.device

    @property
    def config(self) -> dict[str, Any]:
        """Every setting, the version and the device."""
        config: dict[str, Any] = json.loads(self.core.config)
        return config

    # ---------------------------------------------------------------- parts of the grid
    def cell(self, **values: float) -> tuple[int, ...]:
        """The index of a cell that is given by the values of its axes: a cell for `reconstruct`, `route`, pictures.

            results.expert_weights[results.cell(sparsity=0.9, last_importance=1)]       # (E,n,m)

        Axes of one value may be left out. Raises ValueError where an axis has no such value (to 1e-6 of it).
        """
        return cell_index(self.axes, values)

    def sel(self, **values: Value) -> Results:
        """The results of a part of the grid, chosen by the axes' values.

            results.sel(sparsity=0.9)                                   # one value: the axis stays, of length 1
            results.sel(sparsity=[0.1, 0.9], last_importance=slice(0.5, 2))     # some; from .. to, both included

        What comes back is what training that part alone would have given, bit for bit, with everything that results
        can do. A value is met to 1e-6 of itself, never the nearest: raises ValueError, naming the nearest values,
        where the axis has none such, and where a keyword is no axis.
        """
        return self._part_of_grid(values, lambda name, there, value: places_of_values(name, there, value))

    def isel(self, **indices: Place) -> Results:
        """The results of a part of the grid, chosen by index.

            results.isel(sparsity=-1, last_importance=slice(0, 3))

        Each is a number (negative ones count from the end), a sequence of numbers, or a slice; else as `sel`.
        """
        return self._part_of_grid(indices, lambda name, there, index: places(name, len(there), index))

    def _part_of_grid(
        self, wanted: Mapping[str, Any], find: Callable[[str, DoubleArray, Any], NDArray[np.intp]]
    ) -> Results:
        axes = self.axes
        chosen = [np.arange(extent) for extent in self._extents]
        for name, value in wanted.items():
            check_axis(axes, name)
            chosen[list(axes).index(name)] = find(name, axes[name], value)
        part = GridPart(self.core.sweep, chosen)
        return _restored(part.config_in(self.core.config), part.take(arrays_of(self.core)))

    # ---------------------------------------------------------------- the kept models elsewhere
    def evaluate(self, **settings: Unpack[Settings]) -> Results:
        """Results of the kept models, as they are, at other settings: their losses on fresh batches there.

            results = phasegrid.train(n_features=20, n_hidden=5, sparsity=0.9)
            results.evaluate(sparsity=[0.5, 0.7, 0.9, 0.99]).reconstruction_losses     # (4,1)

        A sequence makes an axis, as in `Sweep`; a model without that axis stands in all of its cells.
        """
        from phasegrid.training import train

        untrained: dict[str, Any] = {"steps": 0, "restarts": 1, "snapshots": [], "keep": "evaluation"}
        return train(self.sweep.replace(**{**untrained, **settings}), initial=self, progress=False)

    # ---------------------------------------------------------------- out of here
    def arrays(self) -> Arrays:
        """Every array under the key that a results file has for it."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, values in self.axes.items():
            arrays["importance_values" if name == "last_importance" else f"{name}_values"] = values
        parts = tuple(self.core.parts)
        keys = ("final_losses", "reconstruction_losses", *parts)
        for key in (*keys, "all_losses", "all_reconstruction_losses", "status", "kept"):
            arrays[key] = getattr(self, key)
        for kept in kept_of_restarts(self.core.config):
            for key in parts:
                arrays[f"{kept}_{key}"] = self._part(RESTART_MODELS[kept], key)
        if len(self.snapshot_steps):
            for key in ("steps", "losses", "reconstruction_losses", *parts):
                arrays[f"snapshot_{key}"] = getattr(self, f"snapshot_{key}")
        arrays["config"] = np.array(self.core.config)
        return arrays

    def save(self, path: str | os.PathLike[str], layout: Literal["phasegrid", "authors"] = "phasegrid") -> None:
        """Writes a results file (.npz). Layout "authors" is that of the authors' published files, which their notebook
        opens: flat over the cells of sparsity and last importance, with the load balance of a dense model counted
        as they do (include/phasegrid/results_file.hpp).

        Raises ValueError naming the path where it cannot be written; the file is whole or absent.
        """
        if layout not in ("phasegrid", "authors"):
            raise ValueError(f"layout must be one of phasegrid, authors, not {shown(layout)}")
        self.core.save(file_to_write("path", path, [".npz"]), layout == "authors")

    def to_xarray(self) -> xarray.Dataset:
        """An xarray.Dataset of losses, kept models and measures that draw nothing, with named dimensions
        and the axes' values as coordinates. Needs the package xarray.
        """
        from phasegrid import tables

        return tables.dataset(self)

    def to_pandas(self, rows: Literal["cell", "restart"] = "cell") -> pandas.DataFrame:
        """A pandas.DataFrame with a row for each cell, or for each restart of each cell.

            results.to_pandas().pivot(index="sparsity", columns="last_importance", values="reconstruction_loss")
            results.to_pandas("restart").groupby("sparsity").reconstruction_loss.std()

        Both have a column for each axis, reconstruction_loss and training_loss. Rows of cells have what is said of kept
        models: kept (which restart), how many restarts were trained and how many diverged, and the measures that
        are one number and draw nothing (total_capacity). Rows of restarts have restart, status and kept (whether it is
        the kept one). Needs the package pandas.
        """
        from phasegrid import tables

        return tables.frame(self, rows)

    def to_torch(self, cell: Cell = 0, restart: int | None = None) -> ToyModel:
        """The kept model of a cell as a torch.nn.Module: to 1e-6 it gives what `reconstruct` gives, for every member of
        the family, and it can be trained on.

            model = results.to_torch(results.cell(sparsity=0.9))
            model(x)                     # (.., n) of x (.., n)
            model.route(x)               # experts and gates, each (.., k), as `route`; model.gates(x) is (.., E)
            model.expert_weights         # a parameter (E,n,m); so are router_weights, decoder_weights and biases

        Parameters are float32 copies; decoder_weights is None where weights are tied, biases where there are none.
        After `model.double()` it agrees with `reconstruct` to 1e-12. restart: another than the kept one, of results
        that were trained with keep="all". Raises ValueError where there is no such model. Needs the package torch.
        """
        from phasegrid import handover

        return handover.torch_model(self, cell, restart)

    def to_safetensors(self, path: str | os.PathLike[str]) -> None:
        """Writes every array to a .safetensors file, under the keys of `arrays()` and of results files.

            results.to_safetensors("toy.safetensors")
            safetensors.torch.load_file("toy.safetensors")["expert_weights"]            # (S,R,A..,E,n,m)
            safetensors.safe_open("toy.safetensors", "np").metadata()["config"]         # JSON of every setting

        Of kept models: expert_weights, and decoder_weights of untied ones (S,R,A..,E,n,m), router_weights, and biases
        where there are any (S,R,A..,E,n), final_losses, reconstruction_losses and kept (S,R,A..); of restarts
        all_losses, all_reconstruction_losses and status (S,R,A..,restarts), with keep="all" all_expert_weights and so
        on, with "training-state" first_moment_expert_weights and second_moment_.. too; snapshots, where there are any;
        the axes' values (sparsity_values, importance_values, ..).

        Raises ValueError naming the path where it cannot be written; the file is whole or absent. Needs the package
        safetensors.
        """
        from phasegrid import handover

        handover.write_safetensors(self, path)

    def draw(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        score: Literal["paper", "authors"] = "paper",
        colours: Literal["paper", "safe"] = "paper",
        starved: bool = True,
    ) -> Figure:
        """The last feature over the grid as a Matplotlib figure, saved where a path is given (.png, .pdf, .svg).

            results.draw("diagram.png", colours="safe")

        Over two axes it is a phase diagram, over one lines, over more a diagram for each value of further axes; of one
        cell, its feature directions (`phasegrid.pictures.draw`). starved: experts of a mixture that get under 1 % of
        the inputs that are not all zero are hatched.
        """
        from phasegrid import pictures

        return self._drawn(path, lambda: pictures.draw(self, score=score, colours=colours, starved=starved))

    def draw_features(
        self,
        cell: Cell = 0,
        path: str | os.PathLike[str] | None = None,
        *,
        colours: Literal["paper", "safe"] = "paper",
    ) -> Figure:
        """The feature directions of a cell's kept model, saved where a path is given: arrows for up to three hidden
        units, else norms and W W^T (`phasegrid.pictures.features`).

        results.draw_features(results.cell(sparsity=0.99), "pentagon.png")
        """
        from phasegrid import pictures

        return self._drawn(path, lambda: pictures.features(self, cell, colours=colours))

    def _drawn(self, path: str | os.PathLike[str] | None, draw: Callable[[], Figure]) -> Figure:
        """The figure, saved where a path is given; a path that cannot be written is refused before drawing."""
        if path is not None:
            path = file_to_write("path", path, [".png", ".pdf", ".svg"])
        figure = draw()
        if path is not None:
            from phasegrid import pictures

            pictures.save(figure, path)
        return figure

    def explore(self, path: str | os.PathLike[str] = "explore.html") -> Path:
        """Writes one HTML page in which every cell and its model can be looked at; returns its path."""
        from phasegrid import explorer

        return explorer.explore([self], file_to_write("path", path, [".html"]))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.core.config, arrays_of(self.core))

    def __repr__(self) -> str:
        state = "complete" if self.complete else f"{self.models_done} of {self.sweep.models} models"
        warning = health.brief(self.training_health())
        return f"<Results of {self.sweep!r}, {state}, {self.device or 'untrained'}{warning and f'; {warning}'}>"


def _restored(config: str, arrays: Mapping[str, NDArray[Any]]) -> Results:
    return Results(_core.results_from(config, dict(arrays)))


def load(path: str | os.PathLike[str]) -> Results:
    """Reads a results file in our layout, or the NAME.npz.partial of a training that was interrupted.

        results = phasegrid.load("results/toy.npz")

    Files of the authors' layout say no settings, so they are no Results: `open_arrays` gives their arrays, and pictures
    and the explorer take their paths. Raises ValueError naming the path and what is wrong with it.
    """
    return Results(_core.load(path_text("path", path)))


def merge(parts: Sequence[Results]) -> Results:
    """The results that hold every model which any part has: shards of one sweep, or interrupted trainings of it.

    Raises ValueError where parts are of different sweeps, contradict each other, or there is none.
    """
    if isinstance(parts, str) or not isinstance(parts, Sequence) or not all(isinstance(p, Results) for p in parts):
        raise ValueError(f"parts must be a sequence of Results, not {shown(parts)}")
    return Results(_core.merge([part.core for part in parts]))
