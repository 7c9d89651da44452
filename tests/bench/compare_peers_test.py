"""Tests of bench/compare_peers.py without JAX and PyTorch: rows, ratios, check of losses, peers that fail, refusals.
Run: python3 FILE [PROGRAM], PROGRAM being build/phasegrid, without which the test that trains is skipped."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "peers")]

import candidates  # noqa: E402
import compare_peers  # noqa: E402
import comparison  # noqa: E402
import programs  # noqa: E402
import task  # noqa: E402

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 and Path(sys.argv[1]).is_file() else None
Row = dict[str, Any]


def program(peer: str, variant: str, seconds: list[float], loss: float = 0.1) -> Row:
    return {
        "peer": peer, "variant": variant, "models": 100, "steps": 1000, "seconds": seconds, "first_seconds": 3.0,
        "losses": [loss - 0.01, loss + 0.01] * 50, "versions": {},
    }  # fmt: skip


SAMPLES = 100 * 1000 * 512


class Comparison(unittest.TestCase):
    def rows(self, *others: Row) -> list[Row]:
        return comparison.summarise({"shape": "211", "programs": [program("phasegrid", "auto", [1.0, 2.0]), *others]})

    def test_the_best_round_counts(self) -> None:
        row = self.rows()[0]
        self.assertEqual(row["case"], "fig4_211")
        self.assertAlmostEqual(row["ns_per_sample"], 1e9 / SAMPLES)
        self.assertAlmostEqual(row["ns_per_sample_worst"], 2e9 / SAMPLES)
        self.assertAlmostEqual(row["samples_per_second"], SAMPLES)
        self.assertAlmostEqual(row["loss_error"], 0.01 / math.sqrt(99))

    def test_the_ratio_is_to_the_best_peer_and_to_the_best_without_the_hash(self) -> None:
        rows = self.rows(program("jax", "fused-hash", [4.0]), program("torch", "written-rand", [9.0]))
        table = comparison.table(rows, "cpu")
        self.assertIn("211: 4.0 times the best peer (jax fused-hash; 9.0 times the best without the 32-bit hash", table)
        self.assertIn("NOT MET (asked 5, goal 20)", table)
        self.assertIn(": met (asked 5", comparison.table(self.rows(program("jax", "fused-hash", [5.0])), "cpu"))

    def test_a_peer_that_failed_is_no_row(self) -> None:
        failed = program("jax", "fused-hash", [0.1]) | {"problem": "killed"}
        never = program("torch", "written-hash", [])
        self.assertEqual([row["peer"] for row in self.rows(failed, never)], ["phasegrid"])
        self.assertIn("211: not measured", comparison.table(self.rows(failed), "cpu"))

    def test_a_peer_that_computes_something_else_is_found_out(self) -> None:
        self.assertEqual(comparison.disagreements(self.rows(program("jax", "fused-hash", [4.0], loss=0.101))), [])
        wrong = comparison.disagreements(self.rows(program("jax", "fused-hash", [4.0], loss=0.12)))
        self.assertEqual(len(wrong), 1)
        self.assertIn("fig4_211: jax fused-hash ends at 0.120000, phasegrid at 0.100000", wrong[0])
        self.assertEqual(
            len(comparison.disagreements(self.rows(program("jax", "fused-hash", [4.0], loss=math.nan)))), 1
        )

    def test_figure_4_needs_all_its_architectures(self) -> None:
        self.assertIn("not measured (212", comparison.figure4(self.rows(program("jax", "fused-hash", [4.0]))))
        rows: list[Row] = []
        for shape in task.FIGURE4:
            both = [program("phasegrid", "auto", [1.0]), program("jax", "fused-hash", [12.0])]
            rows += comparison.summarise({"shape": shape, "programs": both})
        seconds = 8 * 22_620 * 5_000 * 512 / SAMPLES
        self.assertIn(
            f"{seconds:.3g} s, the best peers {12 * seconds:.3g} s, 12.0 times: met", comparison.figure4(rows)
        )


class Programs(unittest.TestCase):
    def test_every_candidate_is_a_variant_of_its_program(self) -> None:
        for peer, script in (("jax", "jax_sweep.py"), ("torch", "torch_ensemble.py")):
            text = (BENCH / "peers" / script).read_text()
            for device in ("cpu", "cuda"):
                for shape in task.SHAPES:
                    for candidate in candidates.of(device, shape, "all", [peer])[1:]:
                        layout, _, generator = candidate.variant.partition("-")
                        for word in filter(None, (layout, generator)):
                            self.assertIn(word, text)
                        self.assertEqual(candidate.models % 2, 0)  # so many threads this project measures on

    def test_a_peer_without_its_framework_says_so(self) -> None:
        options = argparse.Namespace(device="cpu", threads=1)
        row: Row = {"steps": 1}
        for peer, missing in (("jax", "jax"), ("torch", "torch")):
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, f"{missing}.py").write_text(f"raise ImportError('no', name='{missing}')\n")
                with (
                    mock.patch.dict("os.environ", {"PYTHONPATH": folder}),
                    self.assertRaisesRegex(programs.Problem, f"Python has no {missing}: install"),
                ):
                    programs.start(candidates.of("cpu", "211", "best", [peer])[1], "211", row, options)

    @unittest.skipUnless(PROGRAM, "no program named")
    def test_phasegrid_trains_what_the_peers_train(self) -> None:
        options = argparse.Namespace(device="cpu", threads=1, phasegrid=PROGRAM)
        for shape in ("323", "table1", "groups", "dense1000"):
            row: Row = {"steps": 3, "seconds": [], "losses": []}
            ours = programs.start(candidates.Candidate("phasegrid", "auto", 8), shape, row, options)
            ours.turn(first_seed=1, at_least=1e-9)
            ours.close()
            self.assertEqual((len(row["seconds"]), len(row["losses"])), (1, 8))
            self.assertTrue(all(0 < loss < 10 for loss in row["losses"]))
            self.assertEqual(list(row["versions"]), ["phasegrid", "device"])

    def test_a_sweep_file_says_what_the_shape_is(self) -> None:
        groups = tomllib.loads(programs.sweep_file(task.SHAPES["groups"], 8, 3))
        self.assertEqual((groups["model"]["tied"], groups["model"]["hidden"]), (False, "relu"))
        self.assertEqual(groups["data"]["groups"], {"kind": "correlated", "size": 5})
        plain = tomllib.loads(programs.sweep_file(task.SHAPES["dense1000"], 8, 3))
        self.assertEqual((plain["model"]["tied"], plain["model"]["hidden"]), (True, "linear"))
        self.assertNotIn("groups", plain["data"])

    def test_a_turn_lasts_and_its_mean_is_noted(self) -> None:
        class Slow(programs.Program):
            seeds: list[int] = []

            def train(self, seed: int) -> float:
                self.seeds.append(seed)
                return 0.4 if seed == 7 else 0.2

        row: Row = {"seconds": []}
        self.assertAlmostEqual(Slow(row).turn(first_seed=7, at_least=0.7), 0.8)
        self.assertEqual(Slow.seeds, [7, 8, 9])
        self.assertAlmostEqual(row["seconds"][0], 0.8 / 3)

    def test_importances(self) -> None:
        self.assertEqual(task.SHAPES["211"].importance(), [1.0, 1.0])
        importance = task.SHAPES["table1"].importance()
        self.assertEqual((len(importance), importance[0]), (100, 1.0))
        self.assertAlmostEqual(importance[99], 0.9**99)


class CommandLine(unittest.TestCase):
    def test_what_cannot_be_used_ends_with_status_2(self) -> None:
        wrong = (
            ["--rounds", "0"],
            ["--threads", "-1"],
            ["--shapes", "999"],
            ["--budget", "0"],
            ["--turn", "0"],
            ["--phasegrid", "no/such"],
        )
        for arguments in wrong:
            said = io.StringIO()
            with self.assertRaises(SystemExit) as caught, contextlib.redirect_stderr(said):
                compare_peers.parse(["--phasegrid", __file__, *arguments])
            self.assertEqual(caught.exception.code, 2)
            self.assertIn(arguments[0] if arguments[0] != "--phasegrid" else "no/such", said.getvalue())

    def test_no_peer_at_all_is_status_2_and_the_file_is_written(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "new", "peers.json")
            arguments = ["compare_peers.py", "--phasegrid", __file__, "--shapes", "211", "--out", str(out)]
            said = io.StringIO()
            with (
                mock.patch.object(sys, "argv", arguments),
                mock.patch.object(programs, "start", side_effect=programs.Problem("no framework here")),
                contextlib.redirect_stderr(said),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                self.assertEqual(compare_peers.main(), 2)
            self.assertIn("no peer could be run: no framework here", said.getvalue())
            self.assertIn("no framework here", out.read_text())


if __name__ == "__main__":
    unittest.main()
