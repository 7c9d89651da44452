"""The part of `Results` that holds losses and models: arrays over the grid, mostly views of the memory of C++."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.measures import FloatArray, IntArray, Measures


class Models(Measures):
    """Losses of every restart, and the models that were kept."""

    # ---------------------------------------------------------------- losses
    @property
    def reconstruction_losses(self) -> FloatArray:
        """(S,R,A..): how well the kept model reconstructs: its weighted squared error, without a load-balance term.
        Compare models by this one.
        """
        return self._grid(self.core.reconstruction_losses)

    @property
    def final_losses(self) -> FloatArray:
        """(S,R,A..): the training loss of the kept model: for a mixture with a load balance, `reconstruction_losses`
        and that term, about alpha k; the authors' array.
        """
        return self._grid(self.core.final_losses)

    @property
    def all_reconstruction_losses(self) -> FloatArray:
        """(S,R,A..,restarts): of every restart."""
        return self._grid(self.core.all_reconstruction_losses)

    @property
    def all_losses(self) -> FloatArray:
        """(S,R,A..,restarts): training losses, by which restarts were compared."""
        return self._grid(self.core.all_losses)

    @property
    def status(self) -> IntArray:
        """(S,R,A..,restarts): 0 trained, -1 not trained, -2 where top_k is above n_experts, so that there is no such
        model, else the step (from 1) whose loss was not finite.
        """
        return self._grid(self.core.status)

    @property
    def kept(self) -> IntArray:
        """(S,R,A..): the restart that was kept, -1 where none has a finite loss."""
        return self._grid(self.core.kept)

    # ---------------------------------------------------------------- kept models
    @property
    def expert_weights(self) -> FloatArray:
        """(S,R,A..,E,n,m): W of every expert."""
        return self._part("parameters", "expert_weights")

    @property
    def decoder_weights(self) -> FloatArray:
        """(S,R,A..,E,n,m): D of every expert, which is W where weights are tied."""
        return self._part("parameters", "decoder_weights")

    @property
    def biases(self) -> FloatArray:
        """(S,R,A..,E,n); 0 where the models have none."""
        return self._part("parameters", "biases")

    @property
    def router_weights(self) -> FloatArray:
        """(S,R,A..,E,n): G; an input's score is G x."""
        return self._part("parameters", "router_weights")

    # ---------------------------------------------------------------- every restart
    @property
    def all_expert_weights(self) -> FloatArray:
        """(S,R,A..,restarts,E,n,m): W of every restart, with keep="all"; NaN where it was not trained or diverged.

            results = phasegrid.train(n_features=5, n_hidden=2, sparsity=[0.5, 0.9], restarts=40, keep="all")
            norms = np.linalg.norm(results.all_expert_weights, axis=-1)       # (2,1,40,1,5)

        Raises ValueError where the sweep was trained with another keep.
        """
        return self._part(self._every_restart(), "expert_weights")

    @property
    def all_decoder_weights(self) -> FloatArray:
        """(S,R,A..,restarts,E,n,m), as all_expert_weights."""
        return self._part(self._every_restart(), "decoder_weights")

    @property
    def all_biases(self) -> FloatArray:
        """(S,R,A..,restarts,E,n), as all_expert_weights."""
        return self._part(self._every_restart(), "biases")

    @property
    def all_router_weights(self) -> FloatArray:
        """(S,R,A..,restarts,E,n), as all_expert_weights."""
        return self._part(self._every_restart(), "router_weights")

    @property
    def _has_every_restart(self) -> bool:
        return self.core.all_parameters.size > 0

    def _every_restart(self) -> str:
        if not self._has_every_restart:
            raise ValueError("only the kept models' parameters are there; train with keep=\"all\" for every restart's")
        return "all_parameters"

    # ---------------------------------------------------------------- snapshots
    @property
    def snapshot_steps(self) -> IntArray:
        """(T,): after how many steps snapshots were taken."""
        return np.array(self.core.sweep.snapshots, np.int32)

    @property
    def snapshot_losses(self) -> FloatArray:
        """(S,R,A..,restarts,T): training losses of the batch that the next step trains on."""
        return self._grid(self.core.snapshot_losses)

    @property
    def snapshot_reconstruction_losses(self) -> FloatArray:
        """(S,R,A..,restarts,T): reconstruction losses of the same batch."""
        return self._grid(self.core.snapshot_reconstruction_losses)

    @property
    def snapshot_expert_weights(self) -> FloatArray:
        """(S,R,A..,T,E,n,m) of the kept model."""
        return self._part("snapshot_parameters", "expert_weights")

    @property
    def snapshot_decoder_weights(self) -> FloatArray:
        """(S,R,A..,T,E,n,m) of the kept model."""
        return self._part("snapshot_parameters", "decoder_weights")

    @property
    def snapshot_biases(self) -> FloatArray:
        """(S,R,A..,T,E,n)."""
        return self._part("snapshot_parameters", "biases")

    @property
    def snapshot_router_weights(self) -> FloatArray:
        """(S,R,A..,T,E,n)."""
        return self._part("snapshot_parameters", "router_weights")

    @functools.cached_property
    def _spread(self) -> dict[str, FloatArray]:
        """Models of different shapes, each laid out as the largest; made when they are asked for."""
        return {}

    def _models(self, name: str) -> FloatArray:
        models: FloatArray = getattr(self.core, name)
        if not self.core.sweep.has_shape_axes:
            return models
        if name not in self._spread:
            self._spread[name] = self.core.spread_out(name).reshape(models.shape)
        return self._spread[name]

    def _part(self, name: str, part: str) -> NDArray[Any]:
        """A part of an array of models (cells, .., parameters): views, as each part lies together in its model."""
        models = self._models(name)
        parts = self.core.parts
        if part not in parts and part == "decoder_weights":
            part = "expert_weights"
        if part not in parts:  # models without biases
            start, extents = parts["router_weights"]
            return np.zeros(self.sweep.shape + models.shape[1:-1] + extents, models.dtype)
        start, extents = parts[part]
        chosen = models[..., start : start + math.prod(extents)]
        return chosen.reshape(self.sweep.shape + models.shape[1:-1] + extents)
