"""Results as a mapping of arrays: the keys of the .npz, from a file or from memory.

Pictures and the explorer take any of these, so that they work on a file without the compiled part:

    sparsity_values (S), importance_values (R), <axis>_values of further axes A..          float64
    final_losses, reconstruction_losses (S,R,A..)                                          float32
    all_losses, all_reconstruction_losses (S,R,A..,restarts)                               float32
    expert_weights (S,R,A..,E,n,m), router_weights and biases (S,R,A..,E,n)                float32
    status (S,R,A..,restarts), kept (S,R,A..)                                              int32
    config: a JSON string of every setting
    with snapshots: their steps, losses and parameters (see include/phasegrid/results_file.hpp)

The authors' own files have the first two axes, final_losses and expert_weights alone.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@runtime_checkable
class HasArrays(Protocol):
    """Results in memory: `phasegrid.Results`."""

    def arrays(self) -> Arrays: ...


Source: TypeAlias = str | os.PathLike[str] | Arrays | HasArrays


def name_of(source: Source) -> str:
    """What messages call it."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "results"


def open_arrays(source: Source, keys: Collection[str] | None = None) -> Arrays:
    """The arrays of a results file or of results in memory: those of `keys` that it has, or all.

    Raises ValueError, naming the file and what is wrong with it, where it cannot be read.
    """
    if isinstance(source, HasArrays):
        return source.arrays()
    if isinstance(source, Mapping):
        return source
    if not isinstance(source, str | os.PathLike):
        raise ValueError(f"results must be a path, a mapping of arrays or Results, not {type(source).__name__}")
    path = os.fspath(source)
    broken = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, AttributeError, TypeError, NotImplementedError)
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:  # an .npy fails here: TypeError
            return {key: file[key] for key in file.files if keys is None or key in keys}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; give an .npz that phasegrid or the authors wrote") from None
    except broken:
        raise ValueError(
            f"{path}: not a readable .npz of numbers; give one that phasegrid or the authors wrote"
        ) from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}; give a readable .npz") from None
