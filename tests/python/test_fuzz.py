"""10,000 random calls: whatever is handed over, an answer or an exception, never the end of the interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    assert min(counts.values()) > CALLS / 100, counts  # it tried all sorts


FILES = 4_000

FUZZ_FILES = """
import io, json, random, sys, tempfile, warnings, zipfile
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[2])
from explorer_samples import results
from shape_samples import of_shapes
import phasegrid
from phasegrid import explorer
from phasegrid.explorer import page
from phasegrid.pictures.grids import load_grids
from phasegrid.pictures.opened import opened
from phasegrid.pictures.results import experts_report

random.seed(2)
warnings.simplefilter("error")
page.plotly = lambda: ""  # 4 MB of each page
SAMPLES = [results("one", (2, 1, 2)), results("two", (3, 2, 3)), of_shapes(n=2, n_experts=[1, 2], top_k=[1, 2])]
CONFIGS = ["[" * 50000, '{"name": ' * 9999, "NaN", "null", "", '{"name": 1e999}', '{"name": "\\\\ud800"}',
           '{"axes": 3}', '{"name": {"a": []}}', '{"name": "' + "n" * 10**5 + '"}', '{"name": "<script>"}',
           '{"model": []}', '{"model": {"n_experts": "x"}}', '{"train": {"snapshots": 3}}',
           '{"model": {"top_k": 10' + "0" * 5000 + "}}"]
VALUES = [0, 1, -1, 7, 255, 2**31 - 1, np.nan, np.inf, -np.inf, 1e300, 1e-300, -0.0]
TYPES = ["<f4", "<f8", "<f2", ">f4", "<i4", "<i8", "<u8", "|b1", "<c8", "<U3", "|S2", "<M8[s]"]


def npy(array):
    entry = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.save(entry, array, allow_pickle=True)
    return entry.getvalue()


def flipped(data, most=4):
    data = bytearray(data)
    for _ in range(random.randrange(1, most + 1)):
        if data:
            at = random.randrange(len(data)) if random.random() < 0.5 else random.randrange(min(len(data), 130))
            data[at] = random.choice([random.randrange(256), 0, 255, 40, 41, 44, 48, 57])
    if random.random() < 0.1:
        data = data[: random.randrange(len(data) + 1)]
    return bytes(data)


def changed(array):
    kind = random.random()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind < 0.3 and array.dtype.kind in "fi" and array.size:
            array = array.astype(random.choice([array.dtype, np.float64]))
            array.ravel()[random.randrange(array.size)] = np.asarray(random.choice(VALUES)).astype(array.dtype)
        elif kind < 0.5:
            array = array.reshape(-1)[: random.randrange(array.size + 1)]
        elif kind < 0.7 and array.dtype.kind in "fi":
            array = array.astype(random.choice(TYPES))
        elif kind < 0.8:
            array = array[None] if random.random() < 0.5 else np.asarray(array).T
        elif kind < 0.9:
            array = np.array(random.choice(CONFIGS))
        else:
            array = np.array([{"pickled": 1}, None], object)
    return array


def made():
    arrays = dict(random.choice(SAMPLES))
    entries = {key: npy(array) for key, array in arrays.items()}
    method = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED] * 5 + [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    whole = random.random()
    for _ in range(random.randrange(1, 3) if whole < 0.8 else 0):
        key = random.choice(list(entries))
        how = random.random()
        if how < 0.4:
            entries[key] = flipped(entries[key])
        elif how < 0.8 and key in arrays:
            entries[key] = npy(changed(arrays[key]))
        elif how < 0.9:
            del entries[key]
        else:
            entries["config"] = npy(np.array(random.choice(CONFIGS)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        for key, entry in entries.items():
            file.writestr(key + ".npy", entry)
    return flipped(packed.getvalue(), 20) if whole > 0.7 else packed.getvalue()


READERS = {
    "explore": lambda path: explorer.explore(path, path.with_suffix(".html")),
    "phase diagram": lambda path: load_grids([path]),
    "model": lambda path: experts_report(path, 0) and opened(path).shapes.label,
    "load": phasegrid.load,
}
counts = {"taken": 0, "refused": 0}
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "fuzz.npz"
    for number in range(int(sys.argv[1])):
        path.write_bytes(made())
        for name, read in READERS.items():
            try:
                read(path)
                counts["taken"] += 1
            except ValueError as error:
                text = str(error)
                assert "fuzz.npz" in text and text.splitlines() == [text] and len(text) <= 300, (number, name, text)
                counts["refused"] += 1
            except BaseException as error:
                raise AssertionError((number, name)) from error
print(counts)
"""


def test_four_thousand_broken_files() -> None:
    command = [sys.executable, "-c", FUZZ_FILES, str(FILES), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    counts = eval(done.stdout.splitlines()[-1])
    assert sum(counts.values()) == 4 * FILES
    assert min(counts.values()) > FILES / 10, counts
