"""10,000 random calls: whatever is handed over, an answer or an exception, never the end of the interpreter."""

from __future__ import annotations

import subprocess
import sys

CALLS = 10_000

FUZZ = """
import math, random, sys
from fractions import Fraction
from decimal import Decimal
import numpy as np
import phasegrid

random.seed(1)
ANY = ["", "x", "mean", b"y", None, True, -1, 0, 1, 2, 3, 7, 64, 257, 2**31, 2**40, 2**63, 2**64, 10**400, -2**70, 0.0,
       -0.0, 0.5, 0.999, 1.0, 1e-310, 1e308, math.nan, math.inf, -math.inf, 1j, [], (), {}, [0.1, 0.9], [[1]], ["a"],
       [None], [math.nan], range(3), range(10**12), np.zeros(0), np.zeros((2, 2)), np.array(0.3), np.float32(0.3),
       np.int8(3), np.array([0.1, np.nan]), np.array(["a"]), np.array([1j]), np.zeros(3, bool), np.datetime64("2020"),
       np.array([0.1, 0.5], np.float16), np.ma.array([1, 2]), {"geometric": 0.9}, {"geometric": "x"}, {1: 2}, object(),
       Fraction(1, 3), Decimal("0.1"), set(), iter([1]), (x for x in [0.1]), lambda *a: None, print, int, "\\ud800",
       "a\\0b", "a" * 100000, memoryview(b"abc"), bytearray(b"ab"), 3, 0.1, [0.1]]
GOOD = {"n_features": [1, 2, 3, 5], "n_hidden": [1, 2], "n_experts": [1, 2, 3], "top_k": [1, 2], "restarts": [1, 2],
        "steps": [1, 2, 3], "batch": [1, 7, 33], "sparsity": [0.1, [0.1, 0.9], np.array([0.5])],
        "seed": [0, 5, [0, 1]], "last_importance": [1.0, [0.5, 2]], "importance": ["uniform", {"geometric": 0.9}],
        "loss": ["mean", "sum"], "keep": ["last-batch"], "snapshots": [[0], [0, 1]], "schedule": ["linear"],
        "router_init": ["zero", "diagonal"], "bias_init": ["zero"], "load_balance": [0, 0.01]}
KEYS = list(phasegrid.Settings.__annotations__) + ["nonsense", "device", "threads", "progress", "resume",
        "instruction_set", "checkpoint_seconds"]
BASE = {"steps": 2, "batch": 16, "restarts": 1, "sparsity": 0.5}
ALLOWED = (ValueError, MemoryError, TypeError)


def any_value():
    value = random.choice(ANY)
    return [random.choice(ANY) for _ in range(random.randrange(4))] if random.random() < 0.1 else value


def settings():
    chosen = dict(BASE)
    for key in random.sample(list(GOOD), random.randrange(5)):
        chosen[key] = random.choice(GOOD[key])
    for key in random.sample(KEYS, random.randrange(4)):
        chosen[key] = any_value()
    # What may be valid must stay small; what is invalid may be as large as it likes.
    for key, most in (("steps", 5), ("batch", 64), ("restarts", 4)):
        value = chosen.get(key)
        number = isinstance(value, (int, float, np.number, Fraction, Decimal)) and not isinstance(value, bool)
        if number and most < value <= 1e9:
            chosen[key] = most
    return chosen


results = phasegrid.train(**BASE, n_features=3, n_experts=2)
METHODS = ["feature_norms", "total_capacity", "expert_usage", "features_per_dimension", "monosemantic_counts", "save",
           "global_feature_dimensionality", "cone_shares", "reconstruct", "route", "to_xarray", "arrays", "__repr__"]
counts = {"trained": 0, "answered": 0, "refused": 0}
for call in range(int(sys.argv[1])):
    kind = random.random()
    try:
        if kind < 0.7:
            kw = settings()
            kw.setdefault("progress", False)
            phasegrid.train(**kw)
            counts["trained"] += 1
        elif kind < 0.9:
            name = random.choice(METHODS)
            arguments = [any_value() for _ in range(random.randrange(3))]
            if name == "save":
                arguments = [a for a in arguments if not isinstance(a, str)] or [7]
            if name in ("expert_usage", "features_per_dimension", "global_feature_dimensionality", "cone_shares"):
                arguments = [a for a in arguments if not (isinstance(a, int) and a > 1000)] or [10]
            getattr(results, name)(*arguments)
            counts["answered"] += 1
        else:
            function = random.choice([phasegrid.draw_inputs, phasegrid.boundary_sharpness, phasegrid.load,
                                      phasegrid.open_arrays, phasegrid.read_sweeps])
            function(*[any_value() for _ in range(1 if function is not phasegrid.draw_inputs else 2)])
            counts["answered"] += 1
    except ALLOWED as error:
        assert str(error), (call, error)
        counts["refused"] += 1
print(counts)
"""


def test_ten_thousand_random_calls() -> None:
    done = subprocess.run([sys.executable, "-c", FUZZ, str(CALLS)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    counts = eval(done.stdout.splitlines()[-1])
    assert sum(counts.values()) == CALLS
    assert min(counts.values()) > CALLS / 50, counts  # it tried all sorts
