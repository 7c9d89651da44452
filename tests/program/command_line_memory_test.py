"""The memory that the program says a training takes, against what it is measured to take, and limits that it keeps to.

Usage: command_line_memory_test.py PATH-OF-PHASEGRID
"""

import os
import re
import resource
import subprocess
import time
import unittest

from command_line import PROGRAM, CommandLineCase, phasegrid

HEAD = """
name = "large"
restarts = {restarts}
[model]
n_features = {n}
n_hidden = {m}
n_experts = {E}
[train]
steps = 1
batch = 1
keep = "last-batch"
snapshots = {snapshots}
[data]
{data}
[axes]
"""
CELLS = """
sparsity = {{ start = 0, stop = {last}, step = 0.001 }}
seed = {{ start = 0, stop = {seeds}, step = 1 }}
"""


def sweep(*, n=2, m=1, E=1, restarts=1, sparsities=100, seeds=100, snapshots=(), tied=False):
    """tied: one sparsity a feature, which is the block mapping's, so that no sparsity is an axis."""
    data = f"sparsity = {[0.5] * (n - 1) + [0.6]}" if tied else ""
    axes = CELLS.format(last=(sparsities - 1) / 1000, seeds=seeds - 1)
    if tied:
        axes = "\n".join(line for line in axes.splitlines() if not line.startswith("sparsity"))
    return HEAD.format(n=n, m=m, E=E, restarts=restarts, snapshots=list(snapshots), data=data) + axes


# Each of some hundred megabytes: many cells, many restarts, snapshots, models of the block mapping, wide models whose
# threads need much.
SWEEPS = {
    "many cells": sweep(sparsities=900, seeds=700),
    "many restarts": sweep(n=3, m=2, E=3, restarts=1000, sparsities=10, seeds=150),
    "snapshots": sweep(n=3, m=3, E=2, restarts=10, sparsities=100, seeds=600, snapshots=(0, 1)),
    "block models": sweep(n=40, m=10, E=4, restarts=10, sparsities=100, seeds=100),
    "block models, a sparsity a feature": sweep(n=60, m=5, E=2, restarts=5, seeds=20000, tied=True),
    "wide models": sweep(n=256, m=64, E=16, restarts=10, sparsities=2, seeds=16),
}


def limited(limit, value):
    return lambda: resource.setrlimit(limit, (value, value))


class Memory(CommandLineCase):
    def run_measured(self, *words):
        """Status and peak of the resident memory in bytes."""
        child = subprocess.Popen([PROGRAM, *map(str, words)], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return child.returncode, used.ru_maxrss * 1024

    def said(self, *words):
        """The bytes that the refusal names, where there are 60 MB of addresses."""
        result = phasegrid(*words, preexec_fn=limited(resource.RLIMIT_AS, 60_000_000))
        self.expect_refused(result, "training takes", "ulimit -v allows 0.06 GB")
        return 1e9 * float(re.search(r"takes ([\d.]+) GB", result.stderr)[1])

    def expect_close(self, said, measured, name):
        print(f"{name}: said {said / 1e6:.0f} MB, took {measured / 1e6:.0f} MB, {said / measured:.2f} times as much")
        self.assertGreater(said, 0.97 * measured, name)
        self.assertLess(said, 1.5 * measured + 10e6, name)

    def test_what_is_said_is_what_is_taken(self):
        for name, text in SWEEPS.items():
            with self.subTest(name):
                words = ("run", self.write("large.toml", text), "--out", self.out, "--device", "cpu")
                said = self.said(*words)
                status, measured = self.run_measured(*words)
                self.assertEqual(status, 0)
                self.expect_close(said, measured, name)
                self.out.unlink()

    def test_a_resumed_training_too(self):
        for name in ("many cells", "many restarts"):
            with self.subTest(name):
                path = self.write("large.toml", SWEEPS[name])
                words = ("run", path, "--out", self.out, "--device", "cpu")
                self.assertEqual(phasegrid(*words).returncode, 0)
                self.out.rename(f"{self.out}.partial")
                result = phasegrid(*words, preexec_fn=limited(resource.RLIMIT_AS, 60_000_000))
                self.assertEqual(result.returncode, 2)
                said = 1e9 * float(re.search(r"takes ([\d.]+) GB", result.stderr)[1])
                status, measured = self.run_measured(*words)
                self.assertEqual(status, 0)
                # Nothing is left to train, so less is taken than where a part is.
                self.assertGreater(said, 0.97 * measured, name)
                self.out.unlink()

    def test_what_is_far_too_large_is_refused_at_once(self):
        text = sweep(restarts=1, sparsities=990, seeds=10000)
        for words in ((), ("--shard", "3/8")):
            began = time.monotonic()
            result = phasegrid("run", self.write("huge.toml", text), "--out", self.out, *words,
                               preexec_fn=limited(resource.RLIMIT_AS, 400_000_000))
            self.expect_refused(result, "training takes", "ulimit -v allows 0.4 GB", "take fewer cells")
            self.assertLess(time.monotonic() - began, 5)

    def test_what_just_fits_is_trained(self):
        words = ("run", self.write("large.toml", SWEEPS["many restarts"]), "--out", self.out, "--threads", "2")
        said = self.said(*words)
        room = int(said + 150e6)  # the program's own addresses, and a thread's
        result = phasegrid(*words, preexec_fn=limited(resource.RLIMIT_AS, room))
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
