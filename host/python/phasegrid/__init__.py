"""phasegrid: trains tiny mixture-of-experts autoencoders by the hundred thousand and maps their phase diagrams.

    import numpy as np
    import phasegrid

    results = phasegrid.train(n_features=3, n_hidden=2, n_experts=2, top_k=1, restarts=10, steps=2000,
                              sparsity=np.linspace(0, 0.95, 20), last_importance=np.geomspace(0.1, 10, 20))
    results.draw("diagram.png")
    results.explore("diagram.html")

What trains needs the compiled part, `phasegrid._core`; pictures, the explorer and result files do not, so each name is
loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegrid import explorer as explorer
    from phasegrid import pictures as pictures
    from phasegrid.arrays import open_arrays as open_arrays
    from phasegrid.executors import WorkersLost as WorkersLost
    from phasegrid.health import TrainingWarning as TrainingWarning
    from phasegrid.machine import __version__ as __version__
    from phasegrid.machine import devices as devices
    from phasegrid.measures import boundary_sharpness as boundary_sharpness
    from phasegrid.measures import draw_inputs as draw_inputs
    from phasegrid.merging import merge_files as merge_files
    from phasegrid.refining import refine as refine
    from phasegrid.results import Results as Results
    from phasegrid.results import load as load
    from phasegrid.results import merge as merge
    from phasegrid.stored import Stored as Stored
    from phasegrid.stored import open as open
    from phasegrid.sweep import Settings as Settings
    from phasegrid.sweep import Sweep as Sweep
    from phasegrid.sweep import read_sweeps as read_sweeps
    from phasegrid.training import Interrupted as Interrupted
    from phasegrid.training import NotSaved as NotSaved
    from phasegrid.training import train as train

# Public name -> the module that has it.
_HOMES = {
    "open_arrays": "phasegrid.arrays",
    "Settings": "phasegrid.sweep",
    "Sweep": "phasegrid.sweep",
    "read_sweeps": "phasegrid.sweep",
    "Interrupted": "phasegrid.training",
    "NotSaved": "phasegrid.training",
    "TrainingWarning": "phasegrid.health",
    "WorkersLost": "phasegrid.executors",
    "train": "phasegrid.training",
    "refine": "phasegrid.refining",
    "Results": "phasegrid.results",
    "boundary_sharpness": "phasegrid.measures",
    "draw_inputs": "phasegrid.measures",
    "Stored": "phasegrid.stored",
    "open": "phasegrid.stored",
    "load": "phasegrid.results",
    "merge": "phasegrid.results",
    "merge_files": "phasegrid.merging",
    "devices": "phasegrid.machine",
    "__version__": "phasegrid.machine",
}

# Modules that are names of the package; they ask for Matplotlib and plotly only when they draw.
_MODULES = ("explorer", "pictures")

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"phasegrid.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'phasegrid' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
