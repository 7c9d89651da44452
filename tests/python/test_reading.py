"""What is read is one sentence or sound: .npz that are broken or made to harm, in every place that takes them."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_samples import results

import phasegrid
from phasegrid import explorer, pictures
from phasegrid.arrays import settings_of
from phasegrid.sentences import sentence

CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus" / "npz"
READERS: dict[str, Callable[[Any], Any]] = {
    "load": phasegrid.load,
    "open_arrays": phasegrid.open_arrays,
    "explore": lambda path: explorer.explore(path, Path(path).with_suffix(".html")),
    "phase_diagram": pictures.phase_diagram,
    "experts": pictures.experts,
    "training": pictures.training,
}


def refusal(read: Callable[[Any], Any], path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) <= 300
    return text


def written(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in entries.items():
            file.writestr(f"{name}.npy", data)
    return path


def npy(array: Any) -> bytes:
    entry = io.BytesIO()
    np.save(entry, np.asarray(array))
    return entry.getvalue()


def sound() -> dict[str, bytes]:
    return {key: npy(array) for key, array in results("one", (2, 1, 2)).items()}


def header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin1") + data


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
@pytest.mark.parametrize("reader", READERS)
def test_files_that_fuzzing_found(reader: str, name: str, tmp_path: Path) -> None:
    copy = tmp_path / f"{name}.npz"
    copy.write_bytes((CORPUS / name).read_bytes())
    assert f"{name}.npz" in refusal(READERS[reader], copy)
    assert list(tmp_path.iterdir()) == [copy]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "entry",
    [
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 900 + "), }", bytes(4)),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 999999999999, 999999999999), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 1000),
        header("{'descr': '<U9999999', 'fortran_order': False, 'shape': (9999999,), }"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (), }", b"\x80\x04."),
        header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", bytes(4)),
        header("x" * 70_000, version=2),
        header("", version=9),
        header("{'descr': 'zz', 'fortran_order': False, 'shape': (1,), }"),
        b"\x93NUMPY",
        b"",
        npy(np.zeros((2, 3, 2), complex)),
        npy(np.array(["2020"], "M8[Y]")),
    ],
    ids=range(15),
)
def test_headers_and_types(reader: str, entry: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "bad.npz", sound() | {"final_losses": entry})
    assert "bad.npz" in refusal(READERS[reader], path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("reader", READERS)
def test_other_compressions(reader: str, method: int, tmp_path: Path) -> None:
    path = written(tmp_path / "packed.npz", sound(), method)
    assert "compressed in a way that NumPy does not write" in refusal(READERS[reader], path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested too deeply"),
        ("{", "is not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": -Infinity}', "-Infinity is no JSON number"),
        ('{"a": 1e999}', "1e999 is no JSON number"),
        ('{"a": ' + "9" * 5000 + "}", "is not JSON"),
        ('{"name": "\\ud800"}', "is not JSON"),
        ("\n" * 1000, "is not JSON"),
    ],
)
def test_configs(config: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "bad.npz", sound() | {"config": npy(config)})
    with pytest.raises(ValueError, match=words) as caught:
        settings_of(phasegrid.open_arrays(path), "bad.npz")
    assert len(str(caught.value)) <= 300
    for read in (READERS["explore"], READERS["load"], pictures.features_per_dimension):
        assert "bad.npz" in refusal(read, path)


def test_good_files_are_read_as_numpy_does(tmp_path: Path) -> None:
    arrays = {
        "f4": np.arange(6, dtype="<f4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "f2": np.ones(3, np.float16),
        "big": np.arange(3, dtype=">i8"),
        "u1": np.zeros((0, 5), np.uint8),
        "bool": np.array([True, False]),
        "text": np.array("a \u00e9 \U0001f600"),
        "texts": np.array(["a", "bc"]),
        "scalar": np.float64(3),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "good.npz", **arrays)  # type: ignore[arg-type]
        opened = phasegrid.open_arrays(tmp_path / "good.npz")
        assert list(opened) == list(arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(opened[key], array)
            assert opened[key].dtype == array.dtype
            assert opened[key].flags.writeable
    assert list(phasegrid.open_arrays(tmp_path / "good.npz", ["big", "none"])) == ["big"]


def test_what_is_unpacked_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("final_losses.npy", "w") as entry:
        entry.write(header("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000,), }"))
        for _ in range(25):
            entry.write(bytes(16_000_000))
    assert path.stat().st_size < 1e6
    tracemalloc.start()
    assert "unpack to more than 256 MiB" in refusal(phasegrid.open_arrays, path)
    # A directory that lies: it says 16 bytes, and the data have more.
    data = bytearray(path.read_bytes())
    small = header("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000,), }")
    at = data.rfind(b"PK\x01\x02") + 24
    data[at : at + 4] = (len(small) + 16).to_bytes(4, "little")
    path.write_bytes(data)
    refusal(phasegrid.open_arrays, path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path / "pipe.npz", tmp_path, Path("/dev/zero"), tmp_path / "a\nb.npz", tmp_path / ("n" * 300)):
        for read in READERS.values():
            refusal(read, path)
    refusal(phasegrid.open_arrays, "zero\0byte.npz")  # type: ignore[arg-type]
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert "not a readable .npz" in refusal(phasegrid.open_arrays, tmp_path / "one.npy")


def test_an_array_that_stands_there_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "twice.npz", sound())
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "a") as file:
        file.writestr("kept.npy", npy(np.zeros(3)))
    for read in READERS.values():
        assert "'kept' stands in it twice" in refusal(read, path)


def test_whole_numbers_of_the_page_are_whole(tmp_path: Path) -> None:
    arrays = results("one", (2, 1, 2))
    for bad in (np.nan, 0.5, 2.0**40):
        changed = np.array(arrays["kept"], float)
        changed.ravel()[0] = bad
        with pytest.raises(ValueError, match="kept must hold whole numbers of 32 bits"):
            explorer.explore(arrays | {"kept": changed}, tmp_path / "page.html")


def test_a_file_that_no_training_leaves(tmp_path: Path) -> None:
    trained = phasegrid.train(n_features=2, sparsity=[0.1, 0.5], steps=5, batch=8, restarts=2, progress=False)
    good = tmp_path / "good.npz"
    trained.save(good)
    with np.load(good) as file:
        arrays = dict(file)
    for key, number in (("expert_weights", np.nan), ("all_losses", -1e30), ("status", -5), ("kept", -1)):
        forged = {name: array.copy() for name, array in arrays.items()}
        forged[key].ravel()[0] = number
        np.savez(tmp_path / "forged.npz", **forged)  # type: ignore[arg-type]
        assert "no training ends like this" in refusal(phasegrid.load, tmp_path / "forged.npz")
        os.replace(tmp_path / "forged.npz", tmp_path / "out.npz.partial")
        with pytest.raises(ValueError, match=r"out\.npz\.partial: is broken.* away"):
            phasegrid.train(trained.sweep, out=tmp_path / "out.npz", progress=False)
        assert (tmp_path / "out.npz.partial").exists()


def test_errors_are_one_short_line() -> None:
    assert sentence("a\nb\x1b\u2028c\x85d") == "a b c d"
    assert sentence("\ud800") == "?"
    long = sentence("begin " + "x" * 10**6 + " end")
    assert len(long) == 280
    assert long.startswith("begin x")
    assert long.endswith("x end")
    text = "k" * 5_000_000
    for call in (
        lambda: phasegrid.read_sweeps("a\nb" + text[:200] + ".toml"),
        lambda: phasegrid.load("a\nb.npz"),
        lambda: phasegrid.train(n_features=2, sparsity=0.5, name=text),
        lambda: phasegrid.train(n_features=2, sparsity=0.5, **{text: 1}),  # type: ignore[misc]
        lambda: phasegrid.train(n_features=2, sparsity=0.5, keep=text),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 2000
    json.dumps(str(caught.value))
