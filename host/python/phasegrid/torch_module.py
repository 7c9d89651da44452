"""A trained model as a PyTorch module. Importing this file imports torch, as `Results.to_torch` does when called."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Routing(NamedTuple):
    """(.., k) twice: the experts that inputs go to, by falling score, and their gates."""

    experts: Tensor
    gates: Tensor


class ToyModel(nn.Module):
    """A mixture of E experts over n features, k of which answer to an input; E = 1 is the dense model.

        x' = sum over the k active e of  g_e output(D_e hidden(W_e^T x) + b_e),   g = softmax of the k active scores G x

    Parameters, named as in results, and trainable:
        expert_weights W (E, n, m), router_weights G (E, n),
        decoder_weights D (E, n, m), None where weights are tied and D is W,
        biases b (E, n), None where the model has none.

    Which experts are active has no gradient; their gates have one.
    """

    def __init__(
        self,
        expert_weights: Tensor,
        router_weights: Tensor,
        decoder_weights: Tensor | None = None,
        biases: Tensor | None = None,
        *,
        top_k: int = 1,
        hidden: str = "linear",
        output: str = "relu",
    ) -> None:
        """Of tensors of the shapes above, which are not copied; hidden and output are "linear" or "relu"."""
        super().__init__()
        self.expert_weights = nn.Parameter(expert_weights)
        self.router_weights = nn.Parameter(router_weights)
        self.decoder_weights = None if decoder_weights is None else nn.Parameter(decoder_weights)
        self.biases = None if biases is None else nn.Parameter(biases)
        self.top_k, self.hidden, self.output = top_k, hidden, output

    def route(self, x: Tensor) -> Routing:
        """experts and gates, each (.., k): where inputs x (.., n) go, by falling score; of equal scores the lower
        expert is first, so that an input of zeros goes to the first k.

        Scores are sums in float64, as in `Results.route`: rounded to float32, near ones could change places.
        Raises ValueError where x has another last extent than n.
        """
        n = self.router_weights.shape[-1]
        if x.ndim < 1 or x.shape[-1] != n:
            raise ValueError(f"inputs must have the shape (.., n_features = {n}), not {tuple(x.shape)}")
        scores = x.double() @ self.router_weights.double().T
        best, experts = scores.sort(dim=-1, descending=True, stable=True)  # topk leaves the order of ties open
        gates = best[..., : self.top_k].softmax(dim=-1)
        return Routing(experts[..., : self.top_k], gates.to(self.router_weights.dtype))

    def gates(self, x: Tensor) -> Tensor:
        """(.., E): the gate of every expert for inputs x (.., n), 0 where it is not active. Raises as `route`."""
        experts, gates = self.route(x)
        return gates.new_zeros((*x.shape[:-1], len(self.router_weights))).scatter(-1, experts, gates)

    def forward(self, x: Tensor) -> Tensor:
        """(.., n): x' of inputs x (.., n) in the parameters' dtype. Raises as `route`."""
        gates = self.gates(x)
        decoder = self.expert_weights if self.decoder_weights is None else self.decoder_weights
        h = _activated(self.hidden, torch.einsum("...n,enm->...em", x, self.expert_weights))
        z = torch.einsum("...em,enm->...en", h, decoder)
        y = _activated(self.output, z if self.biases is None else z + self.biases)
        return torch.einsum("...e,...en->...n", gates, y)

    def extra_repr(self) -> str:
        """What print() says of it."""
        experts, n, m = self.expert_weights.shape
        parts = f"tied={self.decoder_weights is None}, bias={self.biases is not None}"
        return f"n={n}, m={m}, E={experts}, k={self.top_k}, hidden={self.hidden}, output={self.output}, {parts}"


def _activated(activation: str, z: Tensor) -> Tensor:
    return torch.relu(z) if activation == "relu" else z
