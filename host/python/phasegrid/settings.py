"""The keywords of `Sweep` and `train`. Written by experiments/write_settings.py from the settings table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = float | np.number[Any]
Numbers: TypeAlias = Sequence[float] | NDArray[Any]


class Settings(TypedDict, total=False):
    """Keyword arguments of `Sweep` and `train`, named as in sweep files (experiments/README.md).

    Numbers that may be an axis take a sequence instead: seed, sparsity, last_importance, steps, batch, learning_rate,
    weight_decay and load_balance.
    """

    # of the sweep and its results; a sweep file's own name, where it gives none
    name: str
    # models per cell, which differ in their random numbers alone; the best one is kept
    restarts: int
    # of all random numbers; the values of an axis are added to it
    seed: Number | Numbers
    # n, inputs and outputs of a model; must be given
    n_features: int
    # m, hidden units of an expert
    n_hidden: int
    # E; 1 is the dense model
    n_experts: int
    # k, experts that a sample is sent to, at most n_experts
    top_k: int
    # weight of every feature's error: all 1, a list, r^f for feature f from 0, or those in one random order
    importance: Literal["uniform"] | Mapping[str, float] | Numbers
    # probability that a feature is 0, else it is uniform in [0, 1); must be given, here or as an axis
    sparsity: Number | Numbers
    # probability that a feature is 0, else it is uniform in [0, 1); must be given, here or as an axis
    feature_sparsity: Numbers
    # importance of the last feature, instead of what data.importance says
    last_importance: Number | Numbers
    # how routers start; k-hot: every expert on n / E features, which E must divide
    router_init: Literal["xavier", "zero", "diagonal", "ordered-k-hot", "random-k-hot"]
    # how biases start
    bias_init: Literal["xavier", "zero"]
    # steps of a training
    steps: Number | Numbers
    # samples per step
    batch: Number | Numbers
    # of AdamW (beta 0.9 and 0.999, epsilon 1e-8)
    learning_rate: Number | Numbers
    # decoupled, of all parameters: a step multiplies them by 1 - learning_rate weight_decay
    weight_decay: Number | Numbers
    # alpha, weight of the load-balance term in the loss of mixtures; the paper has 0.01
    load_balance: Number | Numbers
    # over the features of a sample
    loss: Literal["mean", "sum"]
    # which restart is kept: that of the lowest loss on one fresh batch of 16,384 samples; "last-batch": on its last
    # training batch, the paper's choice, by which the luckiest wins, often with fewer features; "all": as "evaluation",
    # and results have the parameters of every restart
    keep: Literal["last-batch", "evaluation", "all"]
    # of the learning rate; linear and cosine end at 0
    schedule: Literal["constant", "linear", "cosine"]
    # the learning rate is multiplied by drop_factor, once, when a batch's loss is below this; 0: never
    drop_below: float
    # factor of that drop
    drop_factor: float
    # a training ends when a batch's loss is below this; 0: never
    stop_below: float
    # steps after which losses and parameters are kept, ascending
    snapshots: Sequence[int] | NDArray[Any]
