"""phasegrid.train() on engines that exist: the processes of this machine, Dask, Ray and MPI. Any other
concurrent.futures.Executor does as well.

    python engines.py processes
    python engines.py dask                                      # pip install "dask[distributed]"
    python engines.py ray                                       # pip install ray
    mpirun -n 3 python -m mpi4py.futures engines.py mpi         # pip install mpi4py, and an MPI: two workers

Here each has two workers on this machine; for a cluster of your own, give Client(address) to Dask and an address to
ray.init(), or mpirun a list of machines. phasegrid must be installed, in one version, wherever workers run. The results
file has the bytes of one machine.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

import numpy as np

import phasegrid
from phasegrid.executors import Executors

SWEEP: dict[str, Any] = {
    "n_features": 3,
    "n_hidden": 2,
    "n_experts": 2,
    "sparsity": np.linspace(0, 0.95, 12),
    "last_importance": np.geomspace(0.1, 10, 12),
    "restarts": 4,
    "steps": 1000,
}


@contextlib.contextmanager
def processes(workers: int) -> Iterator[Executors]:
    # A pool ends with the first worker that dies. With a function that makes one, training goes on with the next.
    yield lambda: ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


@contextlib.contextmanager
def dask(workers: int) -> Iterator[Executors]:
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        # A worker that dies is started again by its nanny. `retries` are for tasks that raise; ours raise nothing.
        yield client.get_executor(pure=False)


class RayExecutor(Executor):
    """Ray's tasks as futures. A task whose worker dies is tried again by Ray (max_retries)."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        import ray

        task = ray.remote(num_cpus=1, max_retries=3)(function).remote(*args, **kwargs)
        future: Future[Any] = Future()
        task.future().add_done_callback(lambda done: _hand_over(done, future))
        future.add_done_callback(lambda one: ray.cancel(task) if one.cancelled() else None)
        return future


def _hand_over(done: Future[Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    error = done.exception()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())


@contextlib.contextmanager
def ray(workers: int) -> Iterator[Executors]:
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        yield RayExecutor()
    finally:
        ray.shutdown()


@contextlib.contextmanager
def mpi(workers: int) -> Iterator[Executors]:
    from mpi4py.futures import MPIPoolExecutor

    # mpirun has started the workers. When one of them dies it ends them all, this process too: run the same command
    # again, and it goes on from what `out` has.
    with MPIPoolExecutor() as pool:
        yield pool


ENGINES = {"processes": processes, "dask": dask, "ray": ray, "mpi": mpi}


def main() -> None:
    engine, *rest = sys.argv[1:] or ["processes"]
    out = rest[0] if rest else f"{engine}.npz"
    with ENGINES[engine](2) as executor:
        start = time.monotonic()
        results = phasegrid.train(**SWEEP, executor=executor, out=out, checkpoint_seconds=1)
        print(f"{results.models_done} models in {time.monotonic() - start:.1f} s, on {results.device}: {out}")


if __name__ == "__main__":
    main()
