"""`phasegrid reproduce` from outside: what it writes, what it refuses, and that an interrupted one goes on.

Usage: command_line_reproduce_test.py PATH-OF-PHASEGRID
"""

import json
import os
import sys
import unittest

import numpy as np

from command_line import CommandLineCase, phasegrid

FIGURES = ("fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "fig8", "table1", "a2", "a3", "findings", "all", "field")
WORKS = ("phases", "geometry", "pairs", "dynamics", "absolute", "memorise", "scaling", "trainability")
# Figure 5 in a second: what is tested is the way from sweep files to reports.
SMALL = ("--set", "train.steps=50", "--set", "axes.seed=[0, 1, 2, 3]", "--device", "cpu")


class Reproduce(CommandLineCase):
    def reproduce(self, *words):
        return phasegrid("reproduce", *words, env={**os.environ, "PHASEGRID_PYTHON": sys.executable})

    def test_a_report_its_models_and_its_picture(self):
        target = self.folder / "fig5"
        result = self.reproduce("fig5", "--out", target, *SMALL)
        self.assertEqual(result.returncode, 0, result.stderr)
        names = sorted(p.name for p in target.iterdir())
        self.assertEqual(names, ["fig5.json", "fig5.pdf", "fig5.png", "fig5_diagonal.npz", "fig5_xavier.npz",
                                 "fig5_zero.npz"])
        report = json.loads((target / "fig5.json").read_text())
        self.assertEqual(list(report), ["figure", "title", "preset", "version", "device", "seconds", "settings",
                                        "verdicts", "picture"])
        self.assertEqual((report["figure"], report["preset"], report["settings"]["seeds"]), ("fig5", "quick", 4))
        self.assertTrue(report["verdicts"])
        for verdict in report["verdicts"]:
            self.assertEqual(list(verdict), ["claim", "published", "ours", "spread", "seeds", "verdict", "note"])
            self.assertIn(verdict["verdict"], ("met", "not met", "differs", "recorded"))
            self.assertIn(verdict["claim"], result.stdout)

    def test_the_appendix_trains_nothing(self):
        target = self.folder / "a2"
        result = self.reproduce("a2", "--out", target)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([p.name for p in target.iterdir()], ["a2.json"])
        self.assertIsNone(json.loads((target / "a2.json").read_text())["picture"])

    def test_what_is_finished_is_not_trained_again(self):
        target = self.folder / "fig5"
        self.assertEqual(self.reproduce("fig5", "--out", target, *SMALL).returncode, 0)
        models = {path: path.read_bytes() for path in target.glob("*.npz")}
        report = json.loads((target / "fig5.json").read_text())
        names = sorted(p.name for p in target.iterdir())
        (target / "fig5_zero.npz").unlink()  # as if it had been interrupted there
        again = self.reproduce("fig5", "--out", target, *SMALL)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("fig5_diagonal.npz: holds all 4 models of this sweep already", again.stdout)
        self.assertIn("fig5_xavier.npz: holds all 4 models of this sweep already", again.stdout)
        self.assertRegex(again.stdout, r"fig5_zero\.npz: 4 of 4 models")
        self.assertEqual({path: path.read_bytes() for path in target.glob("*.npz")}, models)
        self.assertEqual(json.loads((target / "fig5.json").read_text())["verdicts"], report["verdicts"])
        self.assertEqual(sorted(p.name for p in target.iterdir()), names)
        # Models of other settings are no help, and --fresh asks for none.
        for words in (("--seed", 7), ("--fresh", "--seed", 7)):
            other = self.reproduce("fig5", "--out", target, *SMALL, *words)
            self.assertEqual(other.returncode, 0, other.stderr)
            self.assertNotIn("already", other.stdout)

    def test_works_of_the_field(self):
        target = self.folder / "field"
        tiny = ("--set", "train.steps=2", "--set", "axes.seed=[0, 1]", "--device", "cpu", "--work")
        result = self.reproduce("field", "--out", target, "--set", "axes.sparsity=[0.5, 0.9]", *tiny, "pairs")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("anticorrelated pairs lie opposite each other", result.stdout)
        report = json.loads((target / "pairs.json").read_text())
        self.assertEqual((report["figure"], report["preset"], report["models"]), ("pairs", "quick", 36))
        for verdict in report["verdicts"]:
            self.assertEqual(list(verdict), ["claim", "published", "basis", "ours", "spread", "seeds", "verdict", "note"])
        # Samples of fixed data sets are drawn by the program; the summary has every work of the folder.
        small = ("--set", "model.n_features=12", "--set", "data.sparsity=0.7")
        result = self.reproduce("field", "--out", target, *small, *tiny, "memorise")
        self.assertEqual(result.returncode, 0, result.stderr)
        with np.load(target / "memorise_t3.points.npz") as made, np.load(target / "memorise_t3.npz") as models:
            self.assertEqual(made["points"].shape, (1, 1, 2, 3, 2))  # sparsity, importance, seeds; samples, hidden units
            norms = np.linalg.norm(models["expert_weights"][0, 0, :, 0], axis=-1)
            lengths = np.linalg.norm(made["points"][0, 0], axis=-1)
            self.assertTrue((lengths <= norms.sum(axis=-1, keepdims=True)).all() and (lengths > 0).any())
            self.assertTrue((made["training_losses"] > 0).all() and (made["training_losses"] < 0.2).all())
        self.assertEqual([one["figure"] for one in json.loads((target / "field.json").read_text())], ["pairs", "memorise"])
        self.assertEqual((target / "FIELD.md").read_text().count("!["), 2)
        site = phasegrid("explore", "--gallery", target, "--out", self.folder / "site",
                         env={**os.environ, "PHASEGRID_PYTHON": sys.executable})
        self.assertEqual(site.returncode, 0, site.stderr)
        self.assertTrue((self.folder / "site" / "explore-memorise.html").exists())

    def test_bad_works(self):
        self.expect_refused(phasegrid("reproduce", "field", "--work", "tables", "--out", self.out), *WORKS)
        self.expect_refused(phasegrid("reproduce", "fig5", "--work", "pairs", "--out", self.out), "--work", "field")
        self.expect_refused(phasegrid("reproduce", "field", "--reference", self.folder, "--out", self.out), "--reference")
        self.expect_refused(phasegrid("explore", "--out", self.out), "--gallery", "results")
        self.expect_refused(phasegrid("explore", "x.npz", "--gallery", self.folder, "--out", self.out), "--gallery")

    def test_bad_figures_and_options(self):
        for figure in ("fig9", "table2", "Fig1", "", "a1"):
            with self.subTest(figure):
                self.expect_refused(phasegrid("reproduce", figure, "--out", self.out), *FIGURES)
        self.expect_refused(phasegrid("reproduce"), "figure")
        self.expect_refused(phasegrid("reproduce", "fig1", "--preset", "slow", "--out", self.out), "quick", "paper")
        self.expect_refused(phasegrid("reproduce", "fig5", "--reference", self.folder / "none", "--out", self.out),
                            "--reference", "none")
        self.expect_refused(phasegrid("reproduce", "fig5", "--set", "train.step=3", "--out", self.out), "train.step")
        empty = {**os.environ, "PHASEGRID_EXPERIMENTS": str(self.folder / "none")}
        self.expect_refused(phasegrid("reproduce", "fig5", "--out", self.out, env=empty), "PHASEGRID_EXPERIMENTS")


if __name__ == "__main__":
    unittest.main()
