"""phasegrid.train(): the numbers of the program, from keywords and files, with progress, Ctrl-C and callbacks."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phasegrid

TINY: dict[str, Any] = {
    "n_features": 3,
    "n_hidden": 2,
    "n_experts": 2,
    "restarts": 3,
    "steps": 60,
    "batch": 64,
    "sparsity": [0.1, 0.5, 0.9],
    "last_importance": np.array([0.5, 2.0]),
}


def same(ours: phasegrid.Results, theirs: Any) -> None:
    arrays = ours.arrays()
    assert set(arrays) == set(theirs)
    for key in set(arrays) - {"config"}:
        assert arrays[key].dtype == theirs[key].dtype, key
        np.testing.assert_array_equal(arrays[key], theirs[key], err_msg=key)
    assert str(arrays["config"]) == str(theirs["config"])


def test_gives_the_programs_numbers(tmp_path: Path, program: str) -> None:
    text = """
        name = "t"
        restarts = 2
        [model]
        n_features = 6
        n_hidden = 2
        n_experts = 3
        top_k = 2
        [data]
        importance = { geometric = 0.9 }
        [init]
        router = "ordered-k-hot"
        [train]
        steps = 30
        batch = 32
        loss = "sum"
        schedule = "cosine"
        snapshots = [0, 20]
        [axes]
        sparsity = [0.2, 0.7]
        learning_rate = [0.001, 0.01]
        seed = [0, 3]
    """
    (tmp_path / "t.toml").write_text(text)
    subprocess.run([program, "run", tmp_path / "t.toml", "--out", tmp_path / "t.npz"], check=True, capture_output=True)
    theirs = np.load(tmp_path / "t.npz")
    by_keyword = phasegrid.train(
        name="t",
        restarts=2,
        n_features=6,
        n_hidden=2,
        n_experts=3,
        top_k=2,
        importance={"geometric": 0.9},
        router_init="ordered-k-hot",
        steps=30,
        batch=32,
        loss="sum",
        schedule="cosine",
        snapshots=range(0, 40, 20),
        sparsity=(0.2, 0.7),
        learning_rate=np.array([1e-3, 1e-2]),
        seed=[0, 3],
    )
    same(by_keyword, theirs)
    [sweep] = phasegrid.read_sweeps(tmp_path / "t.toml")
    assert sweep == by_keyword.sweep
    same(phasegrid.train(sweep, threads=1), theirs)
    loaded = phasegrid.load(tmp_path / "t.npz")
    same(loaded, theirs)
    assert loaded.axes.keys() == {"sparsity", "last_importance", "learning_rate", "seed"}
    assert loaded.snapshot_expert_weights.shape == (2, 1, 2, 2, 2, 3, 6, 2)
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "t.npz").read_bytes()


def test_files_presets_and_changes(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(
        "[model]\nn_features = 2\n[train]\nsteps = 9\n[axes]\nsparsity = [0.1]\n[presets.quick]\ntrain.steps = 3\n"
    )
    assert phasegrid.read_sweeps(path)[0].config["train"]["steps"] == 9
    assert phasegrid.read_sweeps(path, preset="quick")[0].config["train"]["steps"] == 3
    assert phasegrid.read_sweeps(path, set=["train.steps=5"])[0].config["train"]["steps"] == 5
    with pytest.raises(ValueError, match=r"f\.toml: there is no preset 'slow'"):
        phasegrid.read_sweeps(path, preset="slow")
    with pytest.raises(ValueError, match="sequence of changes"):
        phasegrid.read_sweeps(path, set="train.steps=5")
    with pytest.raises(ValueError, match="nothing.toml"):
        phasegrid.read_sweeps(tmp_path / "nothing.toml")


def test_a_list_of_sweeps_is_trained_in_one_go() -> None:
    sweeps = [phasegrid.Sweep(**{**TINY, "sparsity": s, "last_importance": 1.0}) for s in (0.1, 0.5, 0.9)]
    together = phasegrid.train(sweeps)
    grid = phasegrid.train(**{**TINY, "last_importance": 1.0})
    for i, one in enumerate(together):
        np.testing.assert_array_equal(one.expert_weights[0], grid.expert_weights[i])
    assert phasegrid.train([]) == []


def test_views_are_read_only_and_outlive_their_results() -> None:
    results = phasegrid.train(**TINY)
    weights, losses = results.expert_weights, results.final_losses
    assert np.shares_memory(weights, results.router_weights) is False
    assert np.shares_memory(weights, results.core.parameters)
    assert np.shares_memory(losses, results.final_losses)
    for array in results.arrays().values():
        if array.dtype.kind in "fi" and array.size and np.shares_memory(array, results.core.parameters):
            assert not array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        weights[...] = 0
    kept = weights.copy()
    del results
    gc.collect()
    junk = [np.full(1000, 7.0) for _ in range(1000)]
    np.testing.assert_array_equal(weights, kept)
    assert junk[0][0] == 7


def test_progress_is_called_and_an_exception_in_it_ends_the_training() -> None:
    seen: list[tuple[int, int, float, float]] = []
    phasegrid.train(**TINY, progress=lambda *args: seen.append(args))
    assert seen[-1][:3] == (18, 18, 1.0)
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen)

    def fail(*_: object) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        phasegrid.train(**{**TINY, "steps": 10_000_000}, progress=fail)


def test_the_gil_is_free_while_it_trains() -> None:
    ticks: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(0.005):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    before = time.monotonic()
    phasegrid.train(**{**TINY, "steps": 20000, "batch": 512}, threads=1)
    after = time.monotonic()
    stop.set()
    ticker.join()
    assert sum(before < at < after for at in ticks) > (after - before) * 10


def test_several_threads_may_train_at_once() -> None:
    answers: list[phasegrid.Results] = []
    workers = [threading.Thread(target=lambda: answers.append(phasegrid.train(**TINY))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for answer in answers:
        np.testing.assert_array_equal(answer.expert_weights, answers[0].expert_weights)
    assert len(answers) == 4


INTERRUPTED = """
import signal, sys, threading, time, os
import phasegrid
pressing = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
def training(models_done, *_):
    if models_done and pressing.ident is None:
        pressing.start()
try:
    phasegrid.train(n_features=2, sparsity=[.1, .5], restarts=100000, steps=2000, threads=1, progress=training)
except phasegrid.Interrupted as stopped:
    results = stopped.results
    assert isinstance(stopped, KeyboardInterrupt)
    assert not results.complete and results.models_done > 0, results
    assert (results.status == 0).sum() == results.models_done
    print("finished", results.models_done)
"""


def test_ctrl_c_keeps_what_is_finished_and_a_training_resumes() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True, timeout=60)
    assert "finished" in done.stdout

    calls = 0

    def interrupt(models_done: int, *_: object) -> None:
        nonlocal calls
        calls += 1
        if models_done:
            os.kill(os.getpid(), signal.SIGINT)

    settings = {**TINY, "steps": 30000}
    with pytest.raises(phasegrid.Interrupted) as caught:
        phasegrid.train(**settings, progress=interrupt, threads=1)
    part = caught.value.results
    assert isinstance(part, phasegrid.Results)
    assert 0 < part.models_done < part.sweep.models
    assert np.isnan(part.all_losses[part.status == -1]).all()
    whole = phasegrid.train(part.sweep, resume=part)
    np.testing.assert_array_equal(whole.all_losses[part.status == 0], part.all_losses[part.status == 0])
    fresh = phasegrid.train(**settings)
    np.testing.assert_array_equal(whole.expert_weights, fresh.expert_weights)


# Waits to be killed once its first checkpoint is there: however fast the machine, the training has not ended then.
KILLED = """
import os, phasegrid, sys, time
phasegrid.train(n_features=2, sparsity=[.1, .5], restarts=300, steps=5000, threads=1, out=sys.argv[1],
                checkpoint_seconds=0.05,
                progress=lambda *_: time.sleep(600) if os.path.exists(sys.argv[1] + ".partial") else None)
"""


def test_out_is_written_and_gone_on_from_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "k.npz"
    child = subprocess.Popen([sys.executable, "-c", KILLED, path])
    partial = Path(f"{path}.partial")
    while not partial.exists() and child.poll() is None:
        time.sleep(0.02)
    child.kill()
    child.wait()
    saved = phasegrid.load(partial).models_done
    first: list[int] = []
    settings: dict[str, Any] = {"n_features": 2, "sparsity": [0.1, 0.5], "restarts": 300, "steps": 5000}
    results = phasegrid.train(**settings, out=path, progress=lambda done, *_: first.append(done))
    assert first[0] >= saved > 0
    assert results.complete and not partial.exists()
    np.testing.assert_array_equal(phasegrid.load(path).all_losses, phasegrid.train(**settings).all_losses)
    with pytest.raises(ValueError, match="cannot be written"):
        phasegrid.train(**TINY, out=tmp_path / "no" / "folder.npz")
    many = phasegrid.train([phasegrid.Sweep(**TINY), phasegrid.Sweep(**{**TINY, "name": "b"})], out=tmp_path)
    np.testing.assert_array_equal(phasegrid.load(tmp_path / "b.npz").kept, many[1].kept)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leave_partial(path: Path, **shard: str) -> Path:
    """What an interrupted training into `path` leaves."""
    phasegrid.train(**TINY, **shard).save(path)
    return path.rename(f"{path}.partial")


def test_a_finished_out_is_returned_and_not_trained_again(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    calls: list[int] = []
    first = phasegrid.train(**TINY, out=path)
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    again = phasegrid.train(**TINY, out=path, progress=lambda *_: calls.append(1))
    same(again, first.arrays())
    assert not calls and path.stat().st_mtime_ns == written
    # Also as one of several sweeps, of which another is new.
    both = [phasegrid.Sweep(**TINY, name="f"), phasegrid.Sweep(**TINY, name="g", seed=1)]
    phasegrid.train(both[0], out=tmp_path / "f.npz")
    written = path.stat().st_mtime_ns
    trained = phasegrid.train(both, out=tmp_path, progress=lambda done, *_: calls.append(done))
    assert calls[0] >= 18 and path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(trained[0].all_losses, first.all_losses)
    calls.clear()
    phasegrid.train(both[0], out=path, fresh=True, progress=lambda *_: calls.append(1))
    assert calls and path.stat().st_mtime_ns > written
    other = phasegrid.train(**{**TINY, "seed": 9}, out=path)
    np.testing.assert_array_equal(phasegrid.load(path).all_losses, other.all_losses)
    assert path.read_bytes() != before
    with pytest.raises(ValueError, match=r"^fresh must be True or False, not 3$"):
        phasegrid.train(**TINY, out=path, fresh=3)  # type: ignore[call-overload]


def test_an_unfinished_training_does_not_touch_a_finished_out(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    settings: dict[str, Any] = {**TINY, "steps": 30000}
    phasegrid.train(**TINY, out=path)
    before = path.read_bytes()

    def fail(models_done: int, *_: object) -> None:
        if models_done:
            raise LookupError("enough")

    kept = 0

    def interrupt(models_done: int, *_: object) -> None:
        if models_done > kept:  # those of the failed call count
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(LookupError, match="enough") as failed:
        phasegrid.train(**settings, out=path, progress=fail, threads=1)
    partial = f"{path}.partial"
    assert failed.value.__notes__ == [f"what was finished is in {partial}; the same call goes on from there"]
    assert path.read_bytes() == before and names(tmp_path) == ["f.npz", "f.npz.partial"]
    kept = phasegrid.load(partial).models_done
    assert kept > 0
    try:
        phasegrid.train(**settings, out=path, progress=interrupt, threads=1)
    except phasegrid.Interrupted as stopped:
        assert stopped.saved == [partial] and f" and in {partial}; the same call goes on" in str(stopped)
        assert phasegrid.load(partial).models_done == stopped.results.models_done > kept  # type: ignore[union-attr]
        assert path.read_bytes() == before
        # The exception, and with it the call's frame, still lives here.
        whole = phasegrid.train(**settings, out=path)
    assert names(tmp_path) == ["f.npz"]
    same(phasegrid.load(path), whole.arrays())
    np.testing.assert_array_equal(whole.expert_weights, phasegrid.train(**settings).expert_weights)


def test_resume_and_out_go_together(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    leave_partial(path, shard="1/2")
    first: list[int] = []
    other = phasegrid.train(**TINY, shard="2/2")
    whole = phasegrid.train(**TINY, out=path, resume=other, progress=lambda done, *_: first.append(done))
    assert first[0] == 18 and whole.complete and names(tmp_path) == ["r.npz"]
    same(whole, phasegrid.train(**TINY).arrays())


def test_models_of_another_sweep_and_foreign_files_stay(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    partial = leave_partial(path, shard="1/2")
    with pytest.raises(ValueError, match=r"another sweep, whose train\.steps is 60, not 61; .*or give fresh=True"):
        phasegrid.train(**{**TINY, "steps": 61}, out=path)
    with pytest.raises(ValueError, match=r"r\.npz: does not exist yet; .* is in .*r\.npz\.partial"):
        phasegrid.load(path)
    assert phasegrid.load(partial).models_done == 9
    partial.write_text("mine")
    with pytest.raises(ValueError, match="move it away"):
        phasegrid.train(**TINY, out=path, fresh=True)
    assert partial.read_text() == "mine" and names(tmp_path) == ["r.npz.partial"]


def test_a_partial_file_is_drawn_and_explored(tmp_path: Path) -> None:
    partial = leave_partial(tmp_path / "r.npz", shard="1/2")
    phasegrid.load(partial).draw(tmp_path / "r.png")
    phasegrid.load(partial).explore(tmp_path / "r.html")
    command = [sys.executable, "-m", "phasegrid.explorer", partial, "--out", tmp_path / "e.html"]
    subprocess.run(command, check=True)
    assert (tmp_path / "e.html").stat().st_size > 10000


def test_only_one_training_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    refused: list[str] = []

    def second(models_done: int, *_: object) -> None:
        if not refused:
            with pytest.raises(ValueError) as caught:
                phasegrid.train(**TINY, out=path)
            refused.append(str(caught.value))

    phasegrid.train(**TINY, out=path, progress=second)
    assert refused == [f"{path}: another training is writing this file; wait until it ends, or write to another file"]
    assert names(tmp_path) == ["r.npz"]


def test_results_are_not_lost_with_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    def remove(*_: object) -> None:
        if folder.exists():
            folder.rename(tmp_path / "renamed")

    with pytest.raises(phasegrid.NotSaved, match=r"r\.npz: cannot be written: .*; the results are in") as caught:
        phasegrid.train(**TINY, out=folder / "r.npz", progress=remove)
    assert isinstance(caught.value.results, phasegrid.Results)
    same(caught.value.results, phasegrid.train(**TINY).arrays())


def test_shards_merge_to_the_whole(tmp_path: Path) -> None:
    shards = [phasegrid.train(**TINY, shard=f"{i}/3", out=tmp_path / f"{i}.npz") for i in (1, 2, 3)]
    assert not any(shard.complete for shard in shards)
    assert sum(shard.models_done for shard in shards) == 18
    whole = phasegrid.merge(shards)
    same(whole, phasegrid.train(**TINY).arrays())
    same(phasegrid.merge([phasegrid.load(tmp_path / f"{i}.npz") for i in (3, 1, 2)]), whole.arrays())
    for bad in ([], [whole, phasegrid.train(**{**TINY, "seed": 3})], "x", [3]):
        with pytest.raises(ValueError):
            phasegrid.merge(bad)
    with pytest.raises(ValueError, match="shard"):
        phasegrid.train(**TINY, shard="4/3")


def test_sweeps_pickle() -> None:
    sweep = phasegrid.Sweep(**TINY, seed=2**63 - 1)
    assert pickle.loads(pickle.dumps(sweep)) == sweep
    assert sweep.shape == (3, 2) and sweep.models == 18
    assert hash(sweep) == hash(phasegrid.Sweep(**TINY, seed=2**63 - 1)) and sweep != phasegrid.Sweep(**TINY)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"top_k": 3}, r"^top_k must be at most n_experts = 2, not 3$"),
        ({"sparsity": float("nan")}, r"^sparsity must be a number from 0 to below 1, not nan$"),
        ({"sparsity": [0.1, np.nan]}, r"^sparsity\[1\] must be a number from 0 to below 1, not nan$"),
        ({"sparsity": [0.1, 0.1]}, r"^sparsity has the value 0\.1 twice$"),
        ({"steps": "many"}, r"^steps must be a number or a sequence of numbers, not 'many'$"),
        (
            {"n_features": [3, 4]},
            r"^n_features must be a number, not \[3, 4\]; it cannot be an axis: train a list of sweeps",
        ),
        ({"stop_below": [0, 0.1]}, r"\[sweep\.replace\(stop_below=value\) for value in \[0, 0\.1\]\]$"),
        ({"n_hidden": [1, 2.5]}, r"^n_hidden\[1\] must be a whole number from 1 to 256, not 2\.5"),
        ({"n_experts": [1, 2], "top_k": [3, 4]}, r"^top_k must be at most n_experts = 2, not 3$"),
        ({"loss": ["mean", "sum"]}, r"^loss must be a string, not .*; it cannot be an axis: .*replace\(loss=value\)"),
        ({"learning_rate": True}, r"^learning_rate must be a number or a sequence of numbers, not True$"),
        ({"importance": [1.0]}, r"^importance must be \"uniform\" or a list of n_features = 3 numbers, not of 1$"),
        ({"importance": {"linear": 1}}, r"^importance must be \"uniform\", a sequence .* not \{'linear': 1\}$"),
        ({"importance": "even"}, r"^importance must be \"uniform\", a sequence .* not 'even'$"),
        ({"importance": {"geometric": 3}}, r'^importance\["geometric"\] must be a number from above 0 to 1, not 3$'),
        ({"router_init": "diag"}, r'^router_init must be "xavier" or .*, not "diag"$'),
        ({"router_init": "ordered-k-hot"}, r'^router_init = "ordered-k-hot" needs a n_experts that divides n_features'),
        ({"sparsity": np.zeros((2, 2))}, r"^sparsity must have one dimension, not the shape \(2, 2\)$"),
        ({"sparsity": range(10**9)}, r"^sparsity has 1000000000 values; at most 1000000 are allowed$"),
        ({"n_features": 2**40}, r"^n_features must be a whole number from 1 to 1024, not 1099511627776"),
        ({"restarts": 10**18}, r"^restarts must be a whole number from 1 to 1000000, not 1000000000000000000$"),
        ({"seed": -1}, r"^seed must be a whole number from 0"),
        ({"seed": [0, -1]}, r"^seed\[1\] must be a whole number from 0"),
        ({"seed": 2**70}, r"^seed must be a whole number from 0"),
        ({"snapshots": [99]}, r"^snapshots must be steps from 0 to the fewest steps of the sweep, 60, not 99$"),
        ({"loss": "train.loss"}, r"^loss must be \"mean\" or \"sum\", not \"train\.loss\"$"),
        ({"loss": 3}, r"^loss must be a string, not 3$"),
        ({"stesp": 3}, r"^there is no setting 'stesp'; did you mean steps; there are name, restarts"),
        ({"lr": 3}, r"^there is no setting 'lr'; did you mean learning_rate;"),
        ({"epochs": 3}, r"^there is no setting 'epochs'; did you mean steps;"),
        ({"hidden": 3}, r"^hidden must be a string, not 3; the number of hidden units is n_hidden$"),
        ({"batch_size": 3}, r"^there is no setting 'batch_size'; did you mean batch;"),
        ({"router": "zero"}, r"^there is no setting 'router'; did you mean router_init;"),
        ({"n_jobs": 3}, r"^there is no setting 'n_jobs'; did you mean threads;"),
        ({"optimizer": 3}, r"^optimizer must be a string, not 3$"),
        ({"tied": 1}, r"^tied must be True or False, not 1$"),
        ({"groups": {"size": "two"}}, r"^groups must be "),
        ({"name": "a\nb"}, r"^name must be 1 to 200 letters"),
        ({"device": "tpu"}, r"^device must be one of auto, cpu, cuda, not 'tpu'$"),
        ({"threads": -1}, r"^threads must be a whole number from 0"),
        ({"out": "a\0b"}, r"^out must be a path"),
        ({"checkpoint_seconds": 10**400}, r"^checkpoint_seconds must be a number above 0"),
        ({"progress": 3}, r"^progress must be True, False, None or a function, not 3$"),
        ({"resume": "x"}, r"^resume must be Results"),
        ({"out": 3}, r"^out must be a path, .* not 3$"),
        ({"feature_sparsity": [0.1, 0.2, 0.3]}, r"^sparsity and feature_sparsity exclude each other"),
    ],
)
def test_bad_arguments_get_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        phasegrid.train(**{**TINY, **settings})
    assert "\n" not in str(caught.value)


def test_what_has_no_default_must_be_given() -> None:
    for settings in ({"n_hidden": 2, "sparsity": 0.9}, {"sparsity": [0.1]}, {"n_experts": 2, "sparsity": 0.9}):
        with pytest.raises(ValueError, match=r"^n_features must be given, a whole number from 1 to 1024$"):
            phasegrid.train(**settings)
    with pytest.raises(ValueError, match=r"^sparsity must be given, a number from 0 to below 1 or a sequence of them"):
        phasegrid.Sweep(n_features=3)
    with pytest.raises(ValueError, match=r"^feature_sparsity must be a list of n_features = 3 numbers, not of 2$"):
        phasegrid.Sweep(n_features=3, feature_sparsity=[0.1, 0.2])
    with pytest.raises(ValueError, match=r"^feature_sparsity\[1\] must be a number from 0 to below 1, not 2$"):
        phasegrid.Sweep(n_features=2, feature_sparsity=[0.1, 2])


def test_what_the_machine_cannot_hold_is_refused() -> None:
    shape = {"n_features": 256, "n_hidden": 64, "n_experts": 64}
    huge = {**shape, "restarts": 100, "sparsity": np.linspace(0, 0.9, 50_000)}
    with pytest.raises(ValueError, match="GB of memory"):
        phasegrid.train(**huge)
