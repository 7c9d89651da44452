"""What tests of the program from outside share: how to call it, and what a refusal must be like."""

import functools
import os
import pty
import resource
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "phasegrid"
SWEEP = """
name = "small"
restarts = 2
[model]
n_features = 2
n_hidden = 1
n_experts = 2
[train]
steps = 40
batch = 64
[axes]
sparsity = [0.1, 0.5, 0.9]
last_importance = { start = 0.5, stop = 1.5, step = 0.5 }
"""


def phasegrid(*words, **options):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120, check=False,
                          **options)


def train_for(process, seconds):
    """Sleeps so long from when the process has threads that train: a machine may take its time to start it."""
    for _ in range(1200):
        if process.poll() is not None or len(os.listdir(f"/proc/{process.pid}/task")) > 1:
            break
        time.sleep(0.05)
    time.sleep(seconds)


@functools.cache
def lives_within(addresses):
    """Whether the program starts with so many bytes of addresses; under AddressSanitizer, which takes them all, it
    does not."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))  # noqa: E731
    return phasegrid("--version", preexec_fn=limit).returncode == 0


def on_a_terminal(*words):
    """The exit status, and the bytes that a terminal at stderr gets."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([PROGRAM, *map(str, words)], stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:
        pass  # the program closed its end
    os.close(leader)
    return process.wait(), seen


class CommandLineCase(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self.scratch.name)
        self.sweep = self.write("small.toml", SWEEP)
        self.out = self.folder / "out.npz"

    def tearDown(self):
        self.scratch.cleanup()

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def files(self):
        return sorted(p.name for p in self.folder.iterdir())

    def expect_refused(self, result, *parts):
        """One line on stderr with all parts, status 2, nothing left behind."""
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        for part in parts:
            self.assertIn(part, result.stderr)
        self.assertEqual([name for name in self.files() if "out" in name or name.startswith(".")], [])
