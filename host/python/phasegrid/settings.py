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

    Numbers that may be an axis take a sequence instead: seed, n_hidden, n_experts, top_k, sparsity, last_importance,
    active, samples, steps, batch, learning_rate, weight_decay, load_balance, warmup, floor, beta1, beta2, epsilon,
    momentum and loss_power.
    """

    # the defaults of others' notebooks, for what is not given: "anthropic", "arena", "spd", "devinterp" or "liu2025"
    convention: str
    # of the sweep and its results; a sweep file's own name, where it gives none
    name: str
    # models per cell, which differ in their random numbers alone; the best one is kept
    restarts: int
    # of all random numbers; the values of an axis are added to it
    seed: Number | Numbers
    # n, inputs and outputs of a model; must be given
    n_features: int
    # m, hidden units of an expert
    n_hidden: Number | Numbers
    # E; 1 is the dense model
    n_experts: Number | Numbers
    # k, experts that a sample is sent to, at most n_experts; cells of a grid with more have no model
    top_k: Number | Numbers
    # false: each expert has a decoder D of its own, z = D h + b, beside W
    tied: bool
    # activation of the hidden units, h = W^T x
    hidden: Literal["linear", "relu"]
    # activation of z; of each expert before the gates combine them
    output: Literal["linear", "relu"]
    # false: no b at all
    bias: bool
    # weight of every feature's error: all 1, a list, r^f for feature f from 0, or those in one random order
    importance: Literal["uniform"] | Mapping[str, Any] | Numbers
    # probability that a feature is 0; must be given, here or as an axis, unless data.active is
    sparsity: Number | Mapping[str, Any] | Numbers
    # probability that a feature is 0; must be given, here or as an axis, unless data.active is
    feature_sparsity: Numbers
    # importance of the last feature, instead of what data.importance says
    last_importance: Number | Numbers
    # value of a present feature: U[0, 1), 1, N(0, 1) or U[a, b)
    values: Literal["uniform", "one", "normal"] | Mapping[str, Any]
    # blocks of neighbouring features: present as a whole with probability p = 1 - sparsity, or with probability size p
    # exactly one of them, each equally likely
    groups: Mapping[str, Any]
    # exactly so many features are present, every subset equally likely
    active: Number | Numbers
    # what is to be reconstructed, feature by feature: x, |x| or max(x, 0)
    target: Literal["identity", "absolute", "relu"]
    # a fixed data set of so many samples, drawn once for a cell; batches take them at random with replacement, or,
    # where batch is as many, all in order; not given: always fresh samples
    samples: Number | Numbers
    # which models see the same inputs: restarts of a cell, or all cells of the grid, restart by restart
    shared: Literal["none", "restarts", "cells"]
    # how routers start; k-hot: every expert on n / E features, which E must divide
    router_init: Literal["xavier", "zero", "diagonal", "ordered-k-hot", "random-k-hot"]
    # how biases start: std sqrt(2 / (n + E)), 0, or a standard deviation
    bias_init: Literal["xavier", "zero"] | Mapping[str, Any]
    # how encoders and decoders start: std sqrt(2 / (m (n + E))), or a standard deviation
    weights_init: Literal["xavier"] | Mapping[str, Any]
    # of untied models: random numbers of its own, or equal to the encoder
    decoder_init: Literal["independent", "transpose"]
    # a results file whose kept models training starts at: of the same models and grid, or of one cell for all
    from_init: str
    # steps of a training; 0: losses are those of the initial models
    steps: Number | Numbers
    # samples per step
    batch: Number | Numbers
    # of the optimizer
    learning_rate: Number | Numbers
    # adamw: a step multiplies parameters by 1 - learning_rate weight_decay; adam, sgd: weight_decay w is added to the
    # gradient; below 0 it pulls norms up
    weight_decay: Number | Numbers
    # alpha, weight of the load-balance term in the loss of mixtures; the paper has 0.01
    load_balance: Number | Numbers
    # over the features of a sample
    loss: Literal["mean", "sum"]
    # which restart is kept: that of the lowest loss on one fresh batch of 16,384 samples; "last-batch": on its last
    # training batch, the paper's choice, by which the luckiest wins, often with fewer features; "all": as "evaluation",
    # and results have the parameters of every restart; "training-state": and the optimizer's moments, so that more
    # steps can follow
    keep: Literal["last-batch", "evaluation", "all", "training-state"]
    # factor of the learning rate at step t: 1, 1 - t / steps, (1 + cos(pi t / steps)) / 2, cos(pi t / (2 steps))
    schedule: Literal["constant", "linear", "cosine", "quarter-cosine"]
    # the learning rate is multiplied by drop_factor, once, when a batch's loss is below this; 0: never
    drop_below: float
    # factor of that drop
    drop_factor: float
    # a training ends when a batch's loss is below this; 0: never
    stop_below: float
    # steps after which losses and parameters are kept, ascending
    snapshots: Sequence[int] | NDArray[Any]
    # the first so many steps have factor (t + 1) / warmup in place of the schedule's
    warmup: Number | Numbers
    # the schedule ends at this share of the rate: floor + (1 - floor) factor
    floor: Number | Numbers
    # adam: weight decay is part of the gradient; sgd: v = momentum v + g, w -= rate v; all as PyTorch's
    optimizer: Literal["adamw", "adam", "sgd"]
    # of adamw and adam
    beta1: Number | Numbers
    # of adamw and adam
    beta2: Number | Numbers
    # of adamw and adam
    epsilon: Number | Numbers
    # of sgd
    momentum: Number | Numbers
    # parameters that decay: all, or encoders and decoders alone
    weight_decay_on: Literal["all", "weights"]
    # of the error: the loss is I |x' - target|^loss_power
    loss_power: Number | Numbers
    # samples over which the load balance takes its means: all, or those whose input is not all zero
    load_balance_over: Literal["all", "nonzero"]
