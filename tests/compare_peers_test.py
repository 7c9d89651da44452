"""Tests of bench/compare_peers.py without its peers: the table, the check of losses, refusals. Run: python3 FILE"""

from __future__ import annotations

import contextlib
import io
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

import compare_peers
import task


def report(peer: str, ns: float, loss: float = 0.1) -> dict[str, Any]:
    return {
        "peer": peer, "ns_per_sample": ns, "seconds": 1.0, "first_seconds": 3.0, "mean_loss": loss, "sd_loss": 0.01,
        "versions": {peer: "1"},
    }  # fmt: skip


class Compare(unittest.TestCase):
    def compare(self, answers: dict[str, Any], shape: str = "211") -> tuple[Any, list[str]]:
        def run(peer: str, *_: Any, **__: Any) -> dict[str, Any]:
            return answers[peer]

        with mock.patch.object(compare_peers, "run", run), contextlib.redirect_stderr(io.StringIO()):
            return compare_peers.compare(shape, compare_peers.parse([]))

    def test_the_ratio_is_to_the_best_peer(self) -> None:
        answers = {"phasegrid": report("phasegrid", 0.5), "jax": report("jax", 20), "torch": report("torch", 15)}
        summary, wrong = self.compare(answers)
        self.assertEqual(wrong, [])
        self.assertEqual({row["case"] for row in summary["rows"]}, {"fig4_211"})
        self.assertEqual(summary["rows"][1]["samples_per_second"], 1e9 / 20)
        self.assertEqual(summary["rows"][1]["compile_seconds"], 2)
        table = compare_peers.table([summary], "cpu")
        self.assertIn("| 30.0 (asked 5, goal 20) |", table)

    def test_a_peer_that_cannot_run_is_not_measured(self) -> None:
        missing = {"problem": "jax_sweep: jax is missing: make peers"}
        summary, _ = self.compare({"phasegrid": report("phasegrid", 100), "jax": missing, "torch": missing}, "table1")
        self.assertIn("| not run | not run | not measured |", compare_peers.table([summary], "cpu"))
        with self.assertRaisesRegex(SystemExit, "2"):
            self.compare({"phasegrid": {"problem": "no module"}, "jax": missing, "torch": missing})

    def test_a_peer_that_computes_something_else_is_found_out(self) -> None:
        answers = {"phasegrid": report("phasegrid", 1), "jax": report("jax", 9), "torch": report("torch", 9, loss=0.12)}
        _, wrong = self.compare(answers)
        self.assertEqual(wrong, ["211: torch ends at loss 0.12000, phasegrid at 0.10000"])

    def test_importances(self) -> None:
        self.assertEqual(task.SHAPES["211"].importance(), [1.0, 1.0])
        importance = task.SHAPES["table1"].importance()
        self.assertEqual((len(importance), importance[0]), (100, 1.0))
        self.assertAlmostEqual(importance[99], 0.9**99)

    def test_bad_options(self) -> None:
        for bad in (["--rounds", "0"], ["--threads", "0"], ["--shapes", "999"], ["--seconds", "-1"]):
            with self.assertRaises(SystemExit) as caught, contextlib.redirect_stderr(io.StringIO()):
                compare_peers.parse(bad)
            self.assertEqual(caught.exception.code, 2)

    def test_steps_fill_the_time(self) -> None:
        self.assertEqual(compare_peers.steps_for("jax", "211", 16, 100.0, 4.0), int(4e7 / (16 * 512)))
        self.assertEqual(compare_peers.steps_for("jax", "211", 16, 1e9, 4.0), 20)


if __name__ == "__main__":
    unittest.main()
