"""Optuna through ask and tell: every batch of trials, a few hundred models, is one call of phasegrid.train().

    pip install optuna
    python optuna_search.py [BATCHES]

Searched are learning rate, weight decay and load-balance weight of a mixture of two experts; the objective is the loss
of the best of ten restarts on a fresh batch of 16,384 samples (keep="evaluation").
"""

from __future__ import annotations

import sys

import optuna

import phasegrid

TRIALS = 30  # a batch: with ten restarts, 300 models


def sweep_of(trial: optuna.Trial) -> phasegrid.Sweep:
    return phasegrid.Sweep(
        n_features=3,
        n_hidden=2,
        n_experts=2,
        top_k=1,
        restarts=10,
        sparsity=0.7,
        last_importance=0.8,
        steps=500,
        keep="evaluation",
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        weight_decay=trial.suggest_float("weight_decay", 0.0, 0.1),
        load_balance=trial.suggest_float("load_balance", 0.0, 0.1),
    )


def search(batches: int) -> optuna.Study:
    """A study of `batches` times TRIALS trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # constant_liar: trials of a batch are told apart although none of them has an answer yet.
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, constant_liar=True))
    for batch in range(batches):
        trials = [study.ask() for _ in range(TRIALS)]
        for trial, results in zip(trials, phasegrid.train([sweep_of(t) for t in trials], progress=False), strict=True):
            loss = float(results.reconstruction_losses.item())
            if loss == loss:
                study.tell(trial, loss)
            else:  # every restart diverged
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
        print(f"batch {batch + 1}: best loss {study.best_value:.5f} of {len(study.trials)} trials")
    return study


def main() -> None:
    study = search(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
    print(", ".join(f"{name} {value:.3g}" for name, value in study.best_params.items()))


if __name__ == "__main__":
    main()
