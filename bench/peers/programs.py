"""Starts phasegrid and its peers, and has them train; task.py says how a peer is talked to."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from array import array
from pathlib import Path
from typing import Any

import task
from candidates import Candidate

PEERS = Path(__file__).resolve().parent
ROOT = PEERS.parent.parent
Row = dict[str, Any]


class Problem(Exception):
    """Why a program could not be run, in a sentence."""


def places(device: str) -> list[Path]:
    """Where phasegrid is looked for."""
    build, gpu = ROOT / "build" / "phasegrid", Path(os.environ.get("GPU_ALL_BUILD", ROOT / "build-gpu"))
    on_gpu = [gpu / "phasegrid", *sorted(gpu.glob("*/phasegrid"))]
    return [*on_gpu, build] if device == "cuda" else [build, *on_gpu]


class Program:
    """What is common: a row of the report that trainings are added to."""

    def __init__(self, row: Row) -> None:
        self.row = row

    def train(self, seed: int) -> float:
        """Seconds of a training; the models' losses are noted."""
        raise NotImplementedError

    def turn(self, first_seed: int, at_least: float) -> float:
        """Trains, and again until so many seconds are over; their sum. The mean of the trainings is noted."""
        seconds = [self.train(first_seed)]
        while sum(seconds) < at_least:
            seconds.append(self.train(first_seed + len(seconds)))
        self.row["seconds"].append(sum(seconds) / len(seconds))
        return sum(seconds)

    def close(self) -> None:
        """Ends it."""


class Peer(Program):
    """A process that compiles once and then answers a seed with a training."""

    def __init__(self, candidate: Candidate, shape: str, row: Row, options: argparse.Namespace) -> None:
        super().__init__(row)
        script = {"jax": "jax_sweep.py", "torch": "torch_ensemble.py"}[candidate.peer]
        command = [sys.executable, str(PEERS / script), "--shape", shape, "--variant", candidate.variant]
        command += ["--models", str(candidate.models), "--steps", str(row["steps"]), "--device", options.device]
        command += ["--threads", str(options.threads)]
        environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # the others need memory, too
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment
        )
        row |= self._answer()

    def _answer(self) -> Row:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            row: Row = json.loads(line)
            return row
        status = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        self.close()
        raise Problem(lines[-1][:300] if lines else f"ended with status {status} and no message")

    def train(self, seed: int) -> float:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended: why, _answer says
            print(seed, file=self.process.stdin, flush=True)
        answer = self._answer()
        self.row["losses"] += answer["losses"]
        return float(answer["seconds"])

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()  # its loop ends with its input
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Phasegrid(Program):
    """The program itself: a whole command is timed, reading the sweep file and writing the results among it."""

    def __init__(self, candidate: Candidate, shape: str, row: Row, options: argparse.Namespace) -> None:
        super().__init__(row)
        self.folder = tempfile.TemporaryDirectory()
        self.results = Path(self.folder.name, "peer.npz")
        sweep = Path(self.folder.name, "peer.toml")
        sweep.write_text(sweep_file(task.SHAPES[shape], candidate.models, row["steps"]))
        self.command = [options.phasegrid, "run", str(sweep), "--out", str(self.results), "--device", options.device]
        self.command += ["--threads", str(options.threads), "--fresh", "--progress", "off", "--seed"]
        row["first_seconds"] = self._run(0)
        with zipfile.ZipFile(self.results) as archive:
            row["versions"] = read_config(archive.read("config.npy"))

    def _run(self, seed: int) -> float:
        start = time.perf_counter()
        done = subprocess.run([*self.command, str(seed)], capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise Problem(lines[-1][:300] if lines else f"ended with status {done.returncode} and no message")
        return seconds

    def train(self, seed: int) -> float:
        seconds = self._run(seed)
        with zipfile.ZipFile(self.results) as archive:
            self.row["losses"] += read_floats(archive.read("all_losses.npy"))
        return seconds

    def close(self) -> None:
        self.folder.cleanup()


def start(candidate: Candidate, shape: str, row: Row, options: argparse.Namespace) -> Program:
    """A program that has trained once. Raises Problem."""
    if candidate.peer == "phasegrid":
        return Phasegrid(candidate, shape, row, options)
    return Peer(candidate, shape, row, options)


def sweep_file(shape: task.Shape, models: int, steps: int) -> str:
    """The sweep that trains the models of `shape` which the peers train."""
    return f"""name = "peer"
restarts = {models}
[model]
n_features = {shape.n_features}
n_hidden = {shape.n_hidden}
n_experts = {shape.n_experts}
top_k = 1
tied = {str(shape.tied).lower()}
hidden = "{shape.hidden}"
[data]
importance = {shape.importance()}
sparsity = {shape.sparsity}
{f'groups = {{ kind = "correlated", size = {shape.group_size} }}' if shape.group_size > 1 else ""}
[init]
bias = "{"zero" if shape.zero_bias else "xavier"}"
[train]
steps = {steps}
batch = {shape.batch}
learning_rate = {task.LEARNING_RATE}
weight_decay = {task.WEIGHT_DECAY}
load_balance = {shape.load_balance}
loss = "mean"
keep = "last-batch"
"""


def body(npy: bytes) -> bytes:
    """What follows the header of a .npy file of version 1."""
    return npy[10 + int.from_bytes(npy[8:10], "little") :]


def read_floats(npy: bytes) -> list[float]:
    """The numbers of a .npy file of float32: NumPy is no part of every machine that this runs on."""
    return array("f", body(npy)).tolist()


def read_config(npy: bytes) -> Row:
    """Version and device of the `config` of a results file, a string in UTF-32."""
    config = json.loads(body(npy).decode("utf-32-le").rstrip("\0"))
    return {"phasegrid": config["phasegrid"], "device": config["device"]}
