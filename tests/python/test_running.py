"""What may go wrong while train() trains and must not end it: Ctrl-C pressed twice, a stderr that is full, threads that
cannot be had. Each in a process of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest


def run(code: str, **options: Any) -> str:
    """Standard output of the code, which must not fail."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    streams["env"] = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # NumPy's own threads, which do not give in as well
    done = subprocess.run([sys.executable, "-c", code], text=True, timeout=120, check=False, **streams)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


TWICE = """
import os, signal, threading, time
import phasegrid
def press():
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(PAUSE)
pressing = threading.Thread(target=press)
def training(*_):
    if pressing.ident is None:
        pressing.start()
try:
    phasegrid.train(n_features=2, sparsity=[.1, .5], restarts=100000, steps=2000, threads=1, progress=training)
except phasegrid.Interrupted as stopped:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # those that come later are of another request
    print("finished", stopped)
"""


@pytest.mark.parametrize("pause", [0.01, 0.02])
def test_a_repeated_ctrl_c_is_the_same_request(pause: float) -> None:
    assert run(TWICE.replace("PAUSE", str(pause))).startswith("finished interrupted after ")


LATE = """
import os, signal
import phasegrid
# As the last model ends: nothing looks for it any more but the return.
def last(models_done, models_total, share_done, seconds):
    if models_done == models_total:
        os.kill(os.getpid(), signal.SIGINT)
try:
    phasegrid.train(n_features=2, sparsity=0.5, steps=10, restarts=2, progress=last)
except phasegrid.Interrupted as stopped:
    print("complete", stopped.results.complete)
"""


def test_ctrl_c_at_the_very_end_carries_the_results() -> None:
    assert run(LATE) == "complete True\n"


TRAIN = """
import phasegrid
results = phasegrid.train(n_features=2, sparsity=[.1, .5], steps=3000, restarts=40, threads=1, progress=PROGRESS)
print(results.complete)
"""


@pytest.mark.parametrize("progress", ["True", "None"])
def test_a_progress_bar_that_cannot_be_written_ends_nothing(progress: str) -> None:
    with open("/dev/full", "w") as full:
        assert run(TRAIN.replace("PROGRESS", progress), stderr=full) == "True\n"
    closed = "import sys; sys.stderr = None" + TRAIN.replace("PROGRESS", progress)
    assert run(closed) == "True\n"


def limited(limit: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))


NO_THREAD = limited(resource.RLIMIT_STACK, 1 << 46)  # no machine has addresses for such a stack
FEW_THREADS = limited(resource.RLIMIT_AS, 4_000_000 * 1024)
THREADS = """
import warnings
import phasegrid
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    results = phasegrid.train(n_features=2, sparsity=0.5, steps=5, restarts=5000, threads=4096, device="cpu")
print(results.complete, [str(w.message) for w in caught if w.category is RuntimeWarning])
"""


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (FEW_THREADS, "of 4096 threads could be started (Resource temporarily"),
        (NO_THREAD, "no thread could be started to train with (Resource temporarily"),
    ],
)
def test_threads_that_cannot_be_had_are_a_warning(limit: Callable[[], None], sentence: str) -> None:
    said = run(THREADS, preexec_fn=limit)
    assert said.startswith("True [") and sentence in said and said.count("could be started") == 1


ERROR = """
import warnings
import phasegrid
warnings.simplefilter("error")
try:
    phasegrid.train(n_features=2, sparsity=0.5, steps=5, threads=2, device="cpu")
except RuntimeWarning as warning:
    print(warning)
"""


def test_a_warning_made_an_error_comes_out() -> None:
    assert "could be started" in run(ERROR, preexec_fn=NO_THREAD)
