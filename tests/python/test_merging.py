"""merge_files(): the bytes of the unsharded run, in memory that does not grow with the files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_executors import SWEEP, sweeps

import phasegrid

SHARDS = 5


def shards(sweep: phasegrid.Sweep, folder: Path) -> list[Path]:
    paths = [folder / f"shard-{i}.npz" for i in range(1, SHARDS + 1)]
    for i, path in enumerate(paths, 1):
        phasegrid.train(sweep, shard=f"{i}/{SHARDS}", progress=False).save(path)
    return paths


@pytest.mark.parametrize("number", range(3))
def test_the_bytes_of_the_unsharded_run(tmp_path: Path, number: int) -> None:
    sweep = sweeps()[number]
    parts = shards(sweep, tmp_path)
    phasegrid.train(sweep, out=tmp_path / "whole.npz", progress=False)
    phasegrid.merge_files([*parts, parts[0]], tmp_path / "merged.npz")
    assert (tmp_path / "merged.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert zipfile.ZipFile(tmp_path / "merged.npz").testzip() is None


def test_what_no_part_has_is_missing(tmp_path: Path) -> None:
    parts = shards(SWEEP, tmp_path)
    phasegrid.merge_files(parts[1:4], tmp_path / "merged.npz")
    phasegrid.merge([phasegrid.load(part) for part in parts[1:4]]).save(tmp_path / "expected.npz")
    assert (tmp_path / "merged.npz").read_bytes() == (tmp_path / "expected.npz").read_bytes()


def test_parts_of_restarts(tmp_path: Path) -> None:
    """As a training leaves them that was interrupted: each with some restarts of a cell."""
    few = phasegrid.train(SWEEP.replace(restarts=4), progress=False)
    begun = phasegrid.Results(phasegrid.extending.widened(SWEEP, few.core))
    begun.save(tmp_path / "begun.npz")
    whole = phasegrid.train(SWEEP, progress=False)
    whole.save(tmp_path / "whole.npz")
    for order in (["begun", "whole"], ["whole", "begun"]):
        phasegrid.merge_files([tmp_path / f"{name}.npz" for name in order], tmp_path / "merged.npz")
        assert (tmp_path / "merged.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def changed(path: Path, key: str) -> Path:
    """A copy with another number in an array."""
    with np.load(path) as file:
        arrays = dict(file)
    flat = arrays[key].ravel().copy()
    flat[np.flatnonzero(arrays["status"].ravel() == 0)[0] if key == "all_losses" else 0] += 1
    other = path.with_name(f"changed-{key}.npz")
    np.savez(other, **{**arrays, key: flat.reshape(arrays[key].shape)})  # type: ignore[arg-type]
    return other


def test_bad_input(tmp_path: Path) -> None:
    whole, other = tmp_path / "whole.npz", tmp_path / "other.npz"
    phasegrid.train(SWEEP, out=whole, progress=False)
    phasegrid.train(SWEEP.replace(steps=7), out=other, progress=False)
    (tmp_path / "broken.npz").write_bytes(whole.read_bytes()[:5000])
    for parts, said in (
        ([whole, other], "other.npz: is of another sweep than .*whole.npz: train.steps is 7, not "),
        ([whole, tmp_path / "no.npz"], "no.npz: cannot be read as .npz: No such file"),
        ([whole, tmp_path / "broken.npz"], "broken.npz: cannot be read as .npz"),
        (
            [whole, changed(whole, "all_losses")],
            "changed-all_losses.npz: contradicts what was merged before it: restart 0 of .* another loss",
        ),
        (
            [whole, changed(whole, "expert_weights")],
            "contradicts what was merged before it: cell 0 .* other parameters",
        ),
        ([], "parts must be a sequence of paths"),
    ):
        with pytest.raises(ValueError, match=said):
            phasegrid.merge_files(parts, tmp_path / "merged.npz")
    assert not list(tmp_path.glob("*merged*"))


# Shards as a job array leaves them, and what merging them takes (experiments/scale.md has it of larger ones).
MEMORY = """
import json, resource, sys, time
import numpy as np, phasegrid
folder, count, cells = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
parts = [f"{folder}/{i}.npz" for i in range(count)]
if sys.argv[4] == "make":
    sweep = phasegrid.Sweep(n_features=30, n_hidden=10, sparsity=np.linspace(0, 0.9, cells), restarts=1, steps=0,
                            keep="last-batch", batch=1, last_importance=1.0)
    whole = phasegrid.train(sweep, progress=False)
    from phasegrid.grid_parts import arrays_of
    empty = {name: np.array(array) for name, array in arrays_of(phasegrid._core.Results(sweep.core)).items()}
    config = json.dumps(whole.config)
    for i, path in enumerate(parts):
        mine = np.random.default_rng(0).permutation(cells) % count == i
        arrays = {name: np.where(mine.reshape(-1, *[1] * (array.ndim - 1)), array, empty[name])
                  for name, array in arrays_of(whole.core).items()}
        phasegrid.Results(phasegrid._core.results_from(config, arrays)).save(path)
    whole.save(f"{folder}/whole.npz")
else:
    start = time.monotonic()
    phasegrid.merge_files(parts, f"{folder}/merged.npz")
    print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.monotonic() - start]))
"""


def test_memory(tmp_path: Path) -> None:
    words = [sys.executable, "-c", MEMORY, str(tmp_path), "16", "12000"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([*words, "make"], check=True, env=environment)
    merged = subprocess.run([*words, "merge"], check=True, env=environment, capture_output=True, text=True)
    megabytes, seconds = json.loads(merged.stdout)
    size = (tmp_path / "whole.npz").stat().st_size / 2**20
    print(f"16 shards of {size:.0f} MB: {megabytes:.0f} MB of memory, {seconds:.1f} s")
    assert size > 12 and megabytes < 150
    assert (tmp_path / "merged.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
