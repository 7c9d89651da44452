"""Results on disk that need not fit in memory: .zarr stores and results files that are read in parts."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_executors import sweeps

import phasegrid
from phasegrid import zarr_store


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zarr_store, "_BLOCK_BYTES", 2000)


def same(a: phasegrid.Results, b: phasegrid.Results) -> None:
    theirs = b.arrays()
    for key, array in a.arrays().items():
        if key != "config":
            np.testing.assert_array_equal(array, theirs[key], err_msg=key)
    assert a.config == b.config


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("with_executor", [False, True])
def test_a_store_has_the_numbers_of_a_file(tmp_path: Path, number: int, with_executor: bool) -> None:
    sweep = sweeps()[number]
    whole = phasegrid.train(sweep, out=tmp_path / "a.npz", progress=False)
    calls: list[tuple[Any, ...]] = []
    with ThreadPoolExecutor(2) as executor:
        stored = phasegrid.train(
            sweep,
            out=tmp_path / "a.zarr",
            executor=executor if with_executor else None,
            progress=lambda *call: calls.append(call),
        )
    assert isinstance(stored, phasegrid.Stored) and stored.complete and calls[-1][:3] == (sweep.models, sweep.models, 1)
    assert np.prod(stored["status"].cdata_shape) > 1
    for opened in (stored, phasegrid.open(tmp_path / "a.npz")):
        same(opened.load(), whole)
        same(opened.isel(sparsity=[0, 2] if number < 2 else 1), whole.isel(sparsity=[0, 2] if number < 2 else 1))
        assert sum(part.models_done for part in opened.blocks()) == sweep.models
        assert set(opened.keys()) == set(whole.arrays()) - {"config"}
        np.testing.assert_array_equal(opened["final_losses"][0], whole.final_losses[0])


KILLED = """
import sys, phasegrid
from test_executors import SWEEP
from phasegrid import zarr_store
zarr_store._BLOCK_BYTES = 2000
phasegrid.train(SWEEP.replace(steps=2000), out="out.zarr", threads=1, progress=lambda done, *_: print(done, flush=True))
"""


def test_a_store_is_gone_on_from_after_a_kill(tmp_path: Path) -> None:
    sweep = sweeps()[0].replace(name="sweep", steps=2000)
    path = f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    reported = 0
    while reported == 0:
        reported = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait()
    there = phasegrid.open(tmp_path / "out.zarr").models_done
    assert reported <= there <= sweep.models
    first: list[int] = []
    stored = phasegrid.train(sweep, out=tmp_path / "out.zarr", progress=lambda done, *_: first.append(done))
    assert first[0] >= there
    np.testing.assert_array_equal(stored.load().expert_weights, phasegrid.train(sweep, progress=False).expert_weights)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shard": "1/2"}, "shard cannot be used with a .zarr store"),
        ({"pieces": 2, "executor": ThreadPoolExecutor(1)}, "pieces cannot be used with a .zarr store"),
        ({"out": "no/folder.zarr"}, "there is no folder 'no'"),
        ({"out": "file.zarr"}, "is there, and no .zarr store of phasegrid"),
        ({"out": "other.zarr"}, "holds another sweep, whose train differs"),
    ],
)
def test_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.zarr").write_text("mine")
    sweep = sweeps()[0]
    phasegrid.train(sweep, out="other.zarr", progress=False)
    with pytest.raises(ValueError, match=said):
        phasegrid.train(sweep.replace(steps=7), progress=False, **{"out": "a.zarr", **options})
    for path in ("file.zarr", "none.npz", "file.npz"):
        Path("file.npz").write_text("PK")
        with pytest.raises(ValueError, match=path):
            phasegrid.open(path)


# A million models and their 150 megabytes of results: what the process takes beside what a small sweep takes.
MEMORY = """
import json, resource, sys
import numpy as np, phasegrid
cells = int(sys.argv[1])
phasegrid.train(n_features=4, n_hidden=3, sparsity=np.linspace(0, 0.9, cells), steps=1, batch=1,
                last_importance=np.linspace(0.1, 1, 1000), restarts=1, keep="last-batch", out=sys.argv[2], threads=1,
                progress=False)
print(json.dumps([phasegrid.open(sys.argv[2]).models_done, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def test_a_million_models_in_little_memory(tmp_path: Path) -> None:
    took = {}
    for cells in (10, 1000):
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(cells), str(tmp_path / f"{cells}.zarr")],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        models, megabytes = json.loads(done.stdout)
        assert models == 1000 * cells
        took[cells] = megabytes
        print(f"{models} models: {megabytes} MB, {time.monotonic() - start:.1f} s")
    assert took[1000] - took[10] < 100 and took[1000] < 400


TOML = """
name = "small"
restarts = 2
model = { n_features = 2, n_hidden = 1 }
train = { steps = 20, batch = 64 }
axes = { sparsity = [0.1, 0.5], last_importance = [0.5, 1] }
"""


def test_the_command(tmp_path: Path, run_program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    (tmp_path / "sweep.toml").write_text(TOML)

    run = functools.partial(run_program, "run", "sweep.toml", "--out", "out.zarr")
    done = run("--set", "restarts=3", "--seed", "4")
    assert (done.returncode, done.stdout) == (0, "out.zarr: 12 of 12 models\n"), done.stderr
    expected = phasegrid.read_sweeps(tmp_path / "sweep.toml", set=["restarts=3", "seed=4"])[0]
    same(phasegrid.open(tmp_path / "out.zarr").load(), phasegrid.train(expected, progress=False))
    for words, said in (
        (("--shard", "1/2"), "--shard cannot be used with a .zarr store"),
        (("--layout", "authors"), "--layout authors cannot be used with a .zarr store"),
        (("sweep.toml",), "a .zarr store holds one sweep"),
        ((), "out.zarr: holds another sweep, whose"),
    ):
        bad = run(*words)
        assert bad.returncode == 2 and said in bad.stderr and bad.stderr.count("\n") == 1, bad.stderr
