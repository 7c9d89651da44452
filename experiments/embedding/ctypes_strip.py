"""The C interface from another language, here Python's ctypes over the shared library (-DBUILD_SHARED_LIBS=ON).

    python ctypes_strip.py LIBRARY

In Python the package is the better way; this is how Julia, R or Rust would go about it.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_size_t, c_ssize_t, c_void_p

OK = 0
SWEEP = b"""
restarts = 5
model = { n_features = 2, n_hidden = 1, n_experts = 2, top_k = 1 }
train = { steps = 500, batch = 256 }
data = { last_importance = 0.8 }
axes = { sparsity = [0.1, 0.3, 0.5, 0.7, 0.9] }
"""


class Array(ctypes.Structure):
    """phasegrid_array of phasegrid.h."""

    _fields_ = [
        ("data", c_void_p),
        ("type", c_int32),
        ("n_dimensions", c_int32),
        ("extents", c_size_t * 16),
        ("strides", c_ssize_t * 16),
    ]


def open_library(path: str) -> ctypes.CDLL:
    """The library with the argument types of the functions used here."""
    library = ctypes.CDLL(path)
    library.phasegrid_last_error.restype = c_char_p
    library.phasegrid_sweep_parse.argtypes = [c_char_p, c_char_p, c_char_p, POINTER(c_void_p)]
    library.phasegrid_train.argtypes = [POINTER(c_void_p), c_size_t, c_void_p, POINTER(c_void_p)]
    library.phasegrid_results_array.argtypes = [c_void_p, c_char_p, POINTER(Array)]
    library.phasegrid_results_free.argtypes = [c_void_p]
    library.phasegrid_results_free.restype = None
    library.phasegrid_sweep_free.argtypes = [c_void_p]
    library.phasegrid_sweep_free.restype = None
    return library


def check(library: ctypes.CDLL, status: int) -> None:
    if status != OK:
        raise ValueError(library.phasegrid_last_error().decode())


def train_strip(library: ctypes.CDLL, toml: bytes = SWEEP) -> list[tuple[float, float]]:
    """(sparsity, loss of the kept model) of every cell. Raises ValueError with the library's sentence."""
    sweep, results = c_void_p(), c_void_p()
    sparsities, losses = Array(), Array()
    try:
        check(library, library.phasegrid_sweep_parse(toml, None, None, byref(sweep)))
        check(library, library.phasegrid_train(byref(sweep), 1, None, byref(results)))
        check(library, library.phasegrid_results_array(results, b"sparsity_values", byref(sparsities)))
        check(library, library.phasegrid_results_array(results, b"reconstruction_losses", byref(losses)))
        assert sparsities.data is not None and losses.data is not None
        return [
            (
                c_double.from_address(sparsities.data + i * sparsities.strides[0]).value,
                c_float.from_address(losses.data + i * losses.strides[0]).value,
            )
            for i in range(losses.extents[0])
        ]
    finally:
        library.phasegrid_results_free(results)
        library.phasegrid_sweep_free(sweep)


def main() -> None:
    for sparsity, loss in train_strip(open_library(sys.argv[1])):
        print(f"S {sparsity:.1f}  loss {loss:.4f}")


if __name__ == "__main__":
    main()
