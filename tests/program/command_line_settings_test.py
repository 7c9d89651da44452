"""Variants, seeds, importances, routers, schedules and snapshots, from outside: what they make, and every bad input.

Usage: command_line_settings_test.py PATH-OF-PHASEGRID
"""

import json
import unittest

import numpy as np
from command_line import SWEEP, CommandLineCase, phasegrid

VARIANTS = SWEEP + """
[variants.dense]
model.n_experts = 1
[variants.moe]
train.steps = 30
"""


class Settings(CommandLineCase):
    def test_every_setting_of_the_paper_trains_into_its_arrays(self):
        sets = ["axes.sparsity=[0.5]", "axes.last_importance=[1]", "axes.seed=[0, 3, 7]",
                'init={router="random-k-hot", bias="zero"}', 'train.schedule="cosine"', "train.drop_below=0.01",
                "train.snapshots=[0, 10, 40]", "data.importance={shuffled_geometric=0.5}"]
        words = [word for change in sets for word in ("--set", change)]
        result = phasegrid("run", self.sweep, "--out", self.out, *words)
        self.assertEqual(result.returncode, 0, result.stderr)
        with np.load(self.out, allow_pickle=False) as file:
            shapes = {key: file[key].shape for key in file.files if key.startswith(("snapshot", "seed"))}
            self.assertEqual(file["seed_values"].tolist(), [0, 3, 7])
            self.assertEqual(file["snapshot_steps"].tolist(), [0, 10, 40])
            self.assertTrue(np.isfinite(file["snapshot_losses"]).all())
            for part in ("expert_weights", "router_weights", "biases"):
                np.testing.assert_array_equal(file[f"snapshot_{part}"][:, :, :, -1], file[part])
            np.testing.assert_array_equal(file["snapshot_biases"][..., 0, :, :], 0)
            self.assertEqual(len(set(file["final_losses"].ravel().tolist())), 3)  # seeds differ
            config = json.loads(str(file["config"]))
        self.assertEqual(shapes, {
            "seed_values": (3,),
            "snapshot_steps": (3,),
            "snapshot_losses": (1, 1, 3, 2, 3),
            "snapshot_reconstruction_losses": (1, 1, 3, 2, 3),
            "snapshot_expert_weights": (1, 1, 3, 3, 2, 2, 1),
            "snapshot_router_weights": (1, 1, 3, 3, 2, 2),
            "snapshot_biases": (1, 1, 3, 3, 2, 2),
        })
        self.assertLessEqual({"router": "random-k-hot", "bias": "zero"}.items(), config["init"].items())
        self.assertEqual(config["data"]["importance"], {"shuffled_geometric": 0.5})
        self.assertEqual(config["train"]["schedule"], "cosine")

    def test_a_sparsity_a_feature_is_no_axis(self):
        sweep = self.write("list.toml", "model.n_features = 3\ndata.sparsity = [0.1, 0.5, 0.9]\n"
                           "train = { steps = 20, batch = 8 }\n")
        self.assertEqual(phasegrid("run", sweep, "--out", self.out).returncode, 0)
        with np.load(self.out) as file:
            self.assertEqual(file["final_losses"].shape, (1, 1))
            self.assertTrue(np.isnan(file["sparsity_values"]).all())
            self.assertEqual(json.loads(str(file["config"]))["data"]["sparsity"], [0.1, 0.5, 0.9])

    def test_variants_are_sweeps(self):
        path = self.write("v.toml", VARIANTS)
        target = self.folder / "results"
        target.mkdir()
        result = phasegrid("run", path, self.write("other.toml", SWEEP.replace('"small"', '"other"')), "--out", target)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(p.name for p in target.iterdir()), ["other.npz", "small_dense.npz", "small_moe.npz"])
        for name, experts, steps in (("small_dense", 1, 40), ("small_moe", 2, 30)):
            with np.load(target / f"{name}.npz", allow_pickle=False) as file:
                config = json.loads(str(file["config"]))
                self.assertEqual(file["router_weights"].shape, (3, 3, experts, 2))
            self.assertEqual((config["name"], config["train"]["steps"]), (name, steps))
        self.expect_refused(phasegrid("run", path, "--out", self.out), "--out", "folder", "several sweeps")
        # One of them needs no folder, and is the same.
        self.assertEqual(phasegrid("run", path, "--out", self.out, "--variant", "moe").returncode, 0)
        self.assertEqual(self.out.read_bytes(), (target / "small_moe.npz").read_bytes())

    # ------------------------------------------------------------ bad input

    def test_bad_settings_are_named(self):
        wide = "a number from 0 to 1000000000"
        steps = "a whole number from 0 to 1000000000"
        cases = {
            "data.sparsity=[]": ("data.sparsity", "below 1", "empty list"),
            "data.sparsity=[0.5, 0.5]": ("data.sparsity", "axes.sparsity"),
            "data.importance={geometric=nan}": ("data.importance.geometric", "above 0 to 1", "not nan"),
            "data.importance={geometric=0}": ("data.importance.geometric", "above 0 to 1", "not 0"),
            "data.importance={shuffled_geometric='x'}": ("data.importance.shuffled_geometric", "a number"),
            "data.importance={geometric=1, shuffled_geometric=1}": ("data.importance", "RATIO", "not a table"),
            "data.importance={ratio=1}": ("data.importance", "RATIO", "not a table"),
            "init=3": ("init must be a table", "not 3"),
            'init.gate="zero"': ("init.gate", "router, bias"),
            "init.router=0": ("init.router", '"ordered-k-hot" or "random-k-hot"', "not 0"),
            "init.bias=0": ("init.bias", '"xavier" or "zero"', "not 0"),
            'train.schedule="step"': ("train.schedule", '"constant" or "linear" or "cosine"'),
            "train.schedule=cosine": ("train.schedule", "quotes"),
            "train.drop_below=nan": ("train.drop_below", wide, "not nan"),
            "train.drop_below=-1": ("train.drop_below", wide, "not -1"),
            "train.drop_factor=1.5": ("train.drop_factor", "a number from 0 to 1,", "not 1.5"),
            "train.drop_factor=nan": ("train.drop_factor", "a number from 0 to 1,", "not nan"),
            "train.stop_below='low'": ("train.stop_below", wide, 'not "low"'),
            "train.stop_below=nan": ("train.stop_below", wide, "not nan"),
            "train.snapshots=5": ("train.snapshots", "a list of numbers", "not 5"),
            "train.snapshots=[nan]": ("train.snapshots[0]", steps, "not nan"),
            "train.snapshots=[1.5]": ("train.snapshots[0]", steps, "not 1.5"),
            "train.snapshots=[-1]": ("train.snapshots[0]", steps, "not -1"),
            "train.snapshots=[2, 1]": ("train.snapshots", "ascending"),
            "train.snapshots=[41]": ("train.snapshots", "40", "not 41"),
            "train.snapshots={start=0, stop=40}": ("train.snapshots", "step is missing"),
            "train.snapshots={start=0, stop=9000000000000, step=9000000000000}": ("train.snapshots",
                                                                                  "not 9000000000000"),
            "axes.seed=3": ("axes.seed", "a list of numbers", "not 3"),
            "axes.seed=[0.5]": ("axes.seed[0]", steps),
            "axes.seed=[nan]": ("axes.seed[0]", steps, "not nan"),
            "axes.seed=[1, 1]": ("axes.seed", "twice"),
            "axes.snapshots=[1]": ("axes.snapshots", "sparsity"),
        }
        for change, parts in cases.items():
            with self.subTest(change):
                self.expect_refused(phasegrid("run", self.sweep, "--out", self.out, "--set", change), *parts)

    def test_lists_have_an_entry_a_feature(self):
        sweep = self.write("list.toml", "model.n_features = 3\ndata.sparsity = 0.5\n")
        for change, parts in {
            "data.sparsity=[0.5, 0.5]": ("data.sparsity", "model.n_features = 3", "not of 2"),
            "data.sparsity=[0.5, nan, 0.5]": ("data.sparsity[1]", "below 1", "not nan"),
            "data.importance=[1, 1, 1, 1]": ("data.importance", "model.n_features = 3", "not of 4"),
        }.items():
            with self.subTest(change):
                self.expect_refused(phasegrid("run", sweep, "--out", self.out, "--set", change), *parts)

    def test_a_hot_router_needs_experts_that_divide_the_features(self):
        for router in ("ordered-k-hot", "random-k-hot"):
            run = ("run", self.sweep, "--out", self.out, "--set", f'init.router="{router}"', "--set")
            self.expect_refused(phasegrid(*run, "model.n_experts=3"), "init.router", router, "n_features = 2", "not 3")
            self.assertEqual(phasegrid(*run, "train.steps=5").returncode, 0)
            self.out.unlink()

    def test_bad_variants(self):
        target = self.folder / "results"
        target.mkdir()
        path = self.write("v.toml", VARIANTS)
        run = ("run", path, "--out", target)
        self.expect_refused(phasegrid(*run, "--variant", "odd"), "v.toml", "no variant 'odd'", "dense, moe")
        self.expect_refused(phasegrid("run", self.sweep, "--out", target, "--variant", "moe"), "no variant 'moe'",
                            "none")
        self.expect_refused(phasegrid(*run, "--set", "variants.odd.seed=1"), "--set", "variants must stand at the top")
        self.expect_refused(phasegrid("run", path, path, "--out", target), "two sweeps are named 'small_dense'")
        same = self.write("same.toml", SWEEP.replace('"small"', '"small_moe"'))
        self.expect_refused(phasegrid("run", path, same, "--out", target), "two sweeps are named 'small_moe'")
        for more, parts in {
            "[variants.moe]\n": ("v.toml:", "not valid TOML"),
            "[variants.odd.train]\nsteps = -1\n": ("v.toml:20", "train.steps", "from 0", "(with variant 'odd')"),
            '[variants.odd]\ninit.router = "random-k-hot"\nmodel.n_features = 3\n': ("init.router", "divides", "'odd'"),
            "[variants.odd]\ncolour = 1\n": ("unknown key 'colour'", "(with variant 'odd')"),
            '[variants."a/b"]\n': ("the name of a variant", "'a/b'"),
            "[presets.fast.variants.moe]\nseed = 1\n": ("variants must stand at the top", "'fast'"),
        }.items():
            with self.subTest(more):
                # Named, though another is chosen.
                bad = self.write("v.toml", VARIANTS + more)
                self.expect_refused(phasegrid("run", bad, "--out", self.out, "--variant", "dense"), *parts)
        self.assertEqual(list(target.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
