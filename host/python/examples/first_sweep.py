"""A thousand models, a phase diagram and a page to explore it, in five lines."""

import numpy as np

import phasegrid

S, r = np.linspace(0, 0.95, 10), np.geomspace(0.1, 10, 10)
results = phasegrid.train(
    n_features=3, n_hidden=2, n_experts=2, top_k=1, restarts=10, steps=2000, sparsity=S, last_importance=r
)
results.draw("first_sweep.png")
results.explore("first_sweep.html")
