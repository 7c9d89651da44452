"""Results as a mapping of arrays: the keys of the .npz, from a file or from memory.

Pictures and the explorer take any of these, so that they work on a file without the compiled part:

    sparsity_values (S), importance_values (R), <axis>_values of further axes A..          float64
    final_losses (S,R,A..), all_losses (S,R,A..,restarts)                                  float32
    expert_weights (S,R,A..,E,n,m), router_weights and biases (S,R,A..,E,n)                float32
    status (S,R,A..,restarts), kept (S,R,A..)                                              int32
    config: a JSON string of every setting
    with snapshots: their steps, losses and parameters (see include/phasegrid/results_file.hpp)

The authors' own files have the first two axes, final_losses and expert_weights alone.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@runtime_checkable
class HasArrays(Protocol):
    """Results in memory: `phasegrid.Results`."""

    def arrays(self) -> Arrays: ...


Source: TypeAlias = str | os.PathLike[str] | Arrays | HasArrays


def open_arrays(source: Source) -> Arrays:
    """The arrays of a results file or of results in memory.

    Raises ValueError, naming the file and what is wrong with it, where it cannot be read.
    """
    if isinstance(source, HasArrays):
        return source.arrays()
    if isinstance(source, Mapping):
        return source
    path = os.fspath(source)
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array")
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a results file (.npz): {error}") from None
