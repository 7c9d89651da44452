"""Pictures with Matplotlib: every figure of the paper, from results in memory, from .npz, or from the reports of
`phasegrid reproduce`; as a program, `python -m phasegrid.pictures`.

Wherever results are taken, they may be a path, a mapping of arrays or `phasegrid.Results` (phasegrid.arrays.Source);
the compiled part of the package is not needed. `colours="safe"` is for every kind of colour vision. `width` is
"column" (3.25 inches), "text" (6.75 inches), a number of inches, or None for each picture's own; letters keep their
size. Figures are Matplotlib's own; `save` writes them for publication: vector, fonts embedded, and the same bytes for
the same picture. Bad input raises ValueError with one sentence.

    figure            function
    1, 2, 6           experts(results, cell): what each expert represents
    3                 features_per_dimension([results, ...])
    4                 phase_diagram([results, ...]); beside=... for a second set to the right
    5                 router_regions([results, ...], cell)
    7                 losses([results, ...])
    8                 loss_boxes([results, ...])
    all, Table 1      report(path), from what `phasegrid reproduce` found
    none              features(results, cell): the feature directions; draw(results): what results have to show;
                      curves([results, ...]): a measure over any axis; training(results, cell): losses over the steps
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegrid.pictures.api import curves as curves
    from phasegrid.pictures.api import draw as draw
    from phasegrid.pictures.api import experts as experts
    from phasegrid.pictures.api import features as features
    from phasegrid.pictures.api import features_per_dimension as features_per_dimension
    from phasegrid.pictures.api import loss_boxes as loss_boxes
    from phasegrid.pictures.api import losses as losses
    from phasegrid.pictures.api import phase_diagram as phase_diagram
    from phasegrid.pictures.api import report as report
    from phasegrid.pictures.api import router_regions as router_regions
    from phasegrid.pictures.api import save as save
    from phasegrid.pictures.api import training as training
    from phasegrid.pictures.errors import InputError as InputError

# Loaded when first asked for, so that the program can say what is missing where Matplotlib is.
__all__ = [
    "InputError",
    "curves",
    "draw",
    "experts",
    "features",
    "features_per_dimension",
    "loss_boxes",
    "losses",
    "phase_diagram",
    "report",
    "router_regions",
    "save",
    "training",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'phasegrid.pictures' has no attribute '{name}'")
    home = "errors" if name == "InputError" else "api"
    return getattr(importlib.import_module(f"phasegrid.pictures.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
