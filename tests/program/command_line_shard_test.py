"""Sharding from outside: shares of a sweep, their files, interruption, and the merged file's bytes.

Usage: command_line_shard_test.py PATH-OF-PHASEGRID
"""

import signal
import subprocess
import time
import unittest

import numpy as np
from command_line import PROGRAM, SWEEP, CommandLineCase, phasegrid

# Snapshots and a seed axis; a shape of each mapping.
TINY = SWEEP.replace("steps = 40", "steps = 40\nsnapshots = [0, 20]") + "seed = [0, 5]\n"
BLOCK = SWEEP.replace('"small"', '"block"').replace("n_features = 2", "n_features = 12")
LONG = SWEEP.replace("steps = 40", "steps = 20000").replace("restarts = 2", "restarts = 100")


class Shards(CommandLineCase):
    def setUp(self):
        super().setUp()
        self.tiny = self.write("tiny.toml", TINY)
        self.block = self.write("block.toml", BLOCK)
        self.parts = self.folder / "parts"
        self.parts.mkdir()

    def run_shards(self, count, *words):
        for index in range(1, count + 1):
            result = phasegrid("run", *words, "--shard", f"{index}/{count}", "--device", "cpu")
            self.assertEqual(result.returncode, 0, result.stderr)

    def whole(self, sweep):
        path = self.folder / "whole.npz"
        self.assertEqual(phasegrid("run", sweep, "--out", path, "--device", "cpu").returncode, 0)
        return path.read_bytes()

    # ------------------------------------------------------------ the whole

    def test_merged_file_has_the_bytes_of_the_unsharded_run(self):
        for sweep in (self.tiny, self.block):
            for count in (1, 2, 5):
                with self.subTest(sweep=sweep.name, count=count):
                    self.run_shards(count, sweep, "--out", self.folder / "fig.npz")
                    names = [f"fig.shard-{i}-of-{count}.npz" for i in range(1, count + 1)] if count > 1 else ["fig.npz"]
                    result = phasegrid("merge", *(self.folder / name for name in names), "--out", self.out)
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertEqual(self.out.read_bytes(), self.whole(sweep))

    def test_several_sweeps_at_once_go_through_folders(self):
        self.run_shards(3, self.tiny, self.block, "--out", self.parts)
        self.assertEqual(sorted(p.name for p in self.parts.iterdir()),
                         sorted(f"{name}.shard-{i}-of-3.npz" for name in ("small", "block") for i in (1, 2, 3)))
        merged = self.folder / "merged"
        merged.mkdir()
        for _ in range(2):  # the second time over what the first has written, which agrees
            result = phasegrid("merge", *self.parts.iterdir(), *merged.iterdir(), "--out", merged)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual((merged / "small.npz").read_bytes(), self.whole(self.tiny))
            self.assertEqual((merged / "block.npz").read_bytes(), self.whole(self.block))
        self.assertEqual(sorted(p.name for p in merged.iterdir()), ["block.npz", "small.npz"])

    def test_more_shards_than_cells(self):
        self.run_shards(12, self.sweep, "--out", self.folder / "fig.npz")
        result = phasegrid("merge", *self.folder.glob("fig.shard-*"), "--out", self.out)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.out.read_bytes(), self.whole(self.sweep))

    def test_authors_layout_is_written_by_merge(self):
        result = phasegrid("run", self.sweep, "--out", self.out, "--shard", "1/2", "--layout", "authors")
        self.expect_refused(result, "--layout authors", "merge")
        self.run_shards(2, self.sweep, "--out", self.folder / "fig.npz")
        parts = sorted(self.folder.glob("fig.shard-*"))
        self.assertEqual(phasegrid("merge", *parts, "--out", self.out, "--layout", "authors").returncode, 0)
        whole = self.folder / "whole.npz"
        phasegrid("run", self.sweep, "--out", whole, "--layout", "authors", "--device", "cpu")
        self.assertEqual(self.out.read_bytes(), whole.read_bytes())

    # ------------------------------------------------------------ what is missing or does not fit

    def test_missing_shards_are_named_and_nothing_is_overwritten(self):
        self.run_shards(3, self.sweep, "--out", self.folder / "fig.npz")
        first, second, third = sorted(self.folder.glob("fig.shard-*"))
        self.out.write_bytes(b"before")
        result = phasegrid("merge", first, third, "--out", self.out)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("6 of 18 models of 'small' are missing (33.33 %, in 3 of 9 cells)", result.stderr)
        self.assertIn("--partial", result.stderr)
        self.assertEqual(self.out.read_bytes(), b"before")
        result = phasegrid("merge", first, third, "--out", self.out, "--partial")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("12 of 18 models from 2 files", result.stdout)
        with np.load(self.out) as file:
            self.assertEqual(int((file["status"] == -1).sum()), 6)
        # What was partial can be a part again.
        result = phasegrid("merge", self.out, second, "--out", self.out)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.out.read_bytes(), self.whole(self.sweep))

    def test_what_does_not_fit_is_refused(self):
        self.run_shards(2, self.sweep, "--out", self.folder / "fig.npz")
        first, second = sorted(self.folder.glob("fig.shard-*"))
        other = self.folder / "other.npz"
        phasegrid("run", self.sweep, "--out", other, "--set", "train.steps=41")
        self.expect_refused(phasegrid("merge", first, other, "--out", self.out), "other.npz", "another sweep",
                            "train.steps is 41, not 40")
        # The same settings, other numbers.
        with np.load(first, allow_pickle=False) as file:
            arrays = dict(file)
        trained = np.flatnonzero(arrays["kept"].ravel() >= 0)[0]
        arrays["expert_weights"].reshape(9, -1)[trained] += 1
        np.savez(other, **arrays)
        self.expect_refused(phasegrid("merge", first, second, other, "--out", self.out), "other.npz", "contradicts",
                            f"cell {trained} (sparsity")
        arrays["final_losses"].ravel()[trained] += 1
        np.savez(other, **arrays)
        self.expect_refused(phasegrid("merge", other, second, "--out", self.out), "other.npz", "is broken")
        other.write_bytes(first.read_bytes()[:-40])
        self.expect_refused(phasegrid("merge", first, other, "--out", self.out), "other.npz", "cannot be read")
        self.expect_refused(phasegrid("merge", first, self.folder / "none.npz", "--out", self.out), "none.npz")
        self.expect_refused(phasegrid("merge", "--out", self.out), "parts")
        self.expect_refused(phasegrid("merge", first, second), "--out")
        self.expect_refused(phasegrid("merge", first, second, "--out", self.folder / "missing" / "a.npz"),
                            "cannot be written")

    def test_bad_shards_are_refused(self):
        for shard, parts in {"0/4": ("no shard 0",), "5/4": ("no shard 5",), "3": ("I/N",), "a/b": ("I/N",),
                             "1/0": ("number of shards",), "-1/4": ("no shard -1",), "": ("I/N",)}.items():
            with self.subTest(shard):
                result = phasegrid("run", self.sweep, "--out", self.out, f"--shard={shard}")
                self.expect_refused(result, "shard", *parts)

    # ------------------------------------------------------------ interruption

    def long_shard(self, index, *words):
        return [PROGRAM, "run", str(self.write("long.toml", LONG)), "--out", str(self.folder / "fig.npz"), "--shard",
                f"{index}/2", "--device", "cpu", *words]

    def test_a_shard_goes_on_after_ctrl_c_and_kill(self):
        interrupted = subprocess.Popen(self.long_shard(1), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        killed = subprocess.Popen(self.long_shard(2, "--checkpoint-seconds", "0.2"), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        checkpoint = self.folder / "fig.shard-2-of-2.npz.partial"
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        killed.kill()
        killed.wait()
        interrupted.send_signal(signal.SIGINT)
        _, errors = interrupted.communicate(timeout=30)
        self.assertEqual(interrupted.returncode, 130, errors)
        first, second = self.folder / "fig.shard-1-of-2.npz", self.folder / "fig.shard-2-of-2.npz"
        self.assertFalse(first.exists())
        # What is there can be looked at meanwhile.
        so_far = [f"{first}.partial", checkpoint, "--out", self.folder / "so_far.npz"]
        self.assertEqual(phasegrid("merge", *so_far).returncode, 2)
        self.assertEqual(phasegrid("merge", *so_far, "--partial").returncode, 0)
        for index in (1, 2):
            rest = subprocess.run(self.long_shard(index), capture_output=True, text=True, check=False, timeout=300)
            self.assertEqual(rest.returncode, 0, rest.stderr)
            self.assertRegex(rest.stdout, r"going on from \d+ of (400|500) models")
        self.assertFalse(checkpoint.exists())
        self.assertEqual(phasegrid("merge", first, second, "--out", self.out).returncode, 0)
        self.assertEqual(self.out.read_bytes(), self.whole(self.folder / "long.toml"))

    def test_a_finished_shard_is_kept(self):
        self.run_shards(2, self.sweep, "--out", self.folder / "fig.npz")
        first = self.folder / "fig.shard-1-of-2.npz"
        before, written = first.read_bytes(), first.stat().st_mtime_ns
        again = ["run", self.sweep, "--out", self.folder / "fig.npz", "--shard", "1/2", "--device", "cpu"]
        result = phasegrid(*again)
        self.assertEqual(result.returncode, 0)
        self.assertIn("fig.shard-1-of-2.npz: holds all 10 models of this sweep already", result.stdout)
        self.assertEqual(first.stat().st_mtime_ns, written)
        result = phasegrid(*again, "--fresh")
        self.assertEqual(result.returncode, 0)
        self.assertIn("10 of 10 models", result.stdout)
        self.assertGreater(first.stat().st_mtime_ns, written)
        self.assertEqual(first.read_bytes(), before)

    def test_an_incomplete_merge_does_not_replace_more(self):
        self.run_shards(2, self.sweep, "--out", self.folder / "fig.npz")
        first, second = sorted(self.folder.glob("fig.shard-*"))
        self.assertEqual(phasegrid("merge", first, second, "--out", self.out).returncode, 0)
        whole = self.out.read_bytes()
        result = phasegrid("merge", first, "--out", self.out, "--partial")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertRegex(result.stderr, r"out\.npz: holds 18 models, more than the 10 that were merged; merge it too")
        self.assertEqual(self.out.read_bytes(), whole)
        self.assertEqual(phasegrid("merge", first, self.out, "--out", self.out, "--partial").returncode, 0)
        self.assertEqual(self.out.read_bytes(), whole)


if __name__ == "__main__":
    unittest.main()
