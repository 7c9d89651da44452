"""The program from outside: exit statuses, messages, files, interruption and what is left behind.

Usage: command_line_test.py PATH-OF-PHASEGRID
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

import numpy as np
from command_line import PROGRAM, SWEEP, CommandLineCase, on_a_terminal, phasegrid

LONG = SWEEP.replace("steps = 40", "steps = 20000\nsnapshots = [0, 100, 20000]").replace("restarts = 2",
                                                                                        "restarts = 200")


class CommandLine(CommandLineCase):
    # ------------------------------------------------------------ run

    def test_run_writes_the_arrays_that_were_promised(self):
        result = phasegrid("run", self.sweep, "--out", self.out, "--device", "cpu")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")  # silent when not a terminal
        self.assertEqual(self.files(), ["out.npz", "small.toml"])
        with np.load(self.out, allow_pickle=False) as file:
            shapes = {key: file[key].shape for key in file.files}
            config = json.loads(str(file["config"]))
            self.assertTrue(np.isfinite(file["final_losses"]).all())
            np.testing.assert_array_equal(file["final_losses"], file["all_losses"].min(axis=-1))
            self.assertEqual(int(np.abs(file["status"]).sum()), 0)
        self.assertEqual(
            shapes,
            {
                "sparsity_values": (3,),
                "importance_values": (3,),
                "final_losses": (3, 3),
                "reconstruction_losses": (3, 3),
                "all_reconstruction_losses": (3, 3, 2),
                "all_losses": (3, 3, 2),
                "expert_weights": (3, 3, 2, 2, 1),
                "router_weights": (3, 3, 2, 2),
                "biases": (3, 3, 2, 2),
                "status": (3, 3, 2),
                "kept": (3, 3),
                "config": (),
            },
        )
        self.assertEqual(config["train"]["steps"], 40)
        self.assertEqual(config["name"], "small")
        self.assertTrue(config["complete"])

    def test_equal_sweeps_give_equal_files_on_any_threads_and_instruction_set(self):
        contents = set()
        for i, words in enumerate([[], ["--threads", 1], ["--isa", "baseline"], ["--threads", 2, "--isa", "auto"]]):
            out = self.folder / f"{i}.npz"
            result = phasegrid("run", self.sweep, "--out", out, "--device", "cpu", *words)
            self.assertEqual(result.returncode, 0, result.stderr)
            with np.load(out) as file:
                contents.add(tuple(file[key].tobytes() for key in file.files if key != "config"))
        self.assertEqual(len(contents), 1)
        again = self.folder / "again.npz"
        phasegrid("run", self.sweep, "--out", again, "--device", "cpu")
        self.assertEqual(again.read_bytes(), (self.folder / "0.npz").read_bytes())

    def test_set_seed_and_more_axes(self):
        result = phasegrid("run", self.sweep, "--out", self.out, "--seed", 5, "--set", "train.steps=10",
                           "--set", "axes.learning_rate=[1e-3, 1e-2]", "--set", "restarts=1")
        self.assertEqual(result.returncode, 0, result.stderr)
        with np.load(self.out) as file:
            self.assertEqual(file["final_losses"].shape, (3, 3, 2))
            self.assertEqual(file["learning_rate_values"].tolist(), [1e-3, 1e-2])
            config = json.loads(str(file["config"]))
        self.assertEqual((config["seed"], config["train"]["steps"], config["restarts"]), (5, 10, 1))

    def test_several_sweeps_go_to_a_folder(self):
        other = self.write("other.toml", SWEEP.replace('"small"', '"other"').replace("n_experts = 2", "n_experts = 1"))
        target = self.folder / "results"
        target.mkdir()
        self.assertEqual(phasegrid("run", self.sweep, other, "--out", target).returncode, 0)
        self.assertEqual(sorted(p.name for p in target.iterdir()), ["other.npz", "small.npz"])
        self.expect_refused(phasegrid("run", self.sweep, other, "--out", self.out), "--out", "folder")
        self.expect_refused(phasegrid("run", self.sweep, self.sweep, "--out", target), "named 'small'")

    def test_authors_layout_holds_their_arrays(self):
        """As their public notebook looks for them: expert_weights_list of four dimensions, a model for each grid key."""
        self.assertEqual(phasegrid("run", self.sweep, "--out", self.out, "--layout", "authors",
                                   "--set", "train.snapshots=[0, 40]").returncode, 0)
        ours = self.folder / "ours.npz"
        self.assertEqual(phasegrid("run", self.sweep, "--out", ours).returncode, 0)
        with np.load(self.out, allow_pickle=False) as file, np.load(ours, allow_pickle=False) as grid:
            cells = grid["final_losses"].size
            shapes = {key: (file[key].dtype.str, file[key].shape) for key in file.files}
            self.assertEqual(shapes, {
                "sparsity_values": ("<f8", grid["sparsity_values"].shape),
                "importance_values": ("<f8", grid["importance_values"].shape),
                "grid_keys": ("<f8", (cells, 2)),
                "final_losses": ("<f8", (cells,)),
                "expert_weights_list": ("<f4", (cells, *grid["expert_weights"].shape[2:])),
                "router_weights_list": ("<f4", (cells, *grid["router_weights"].shape[2:])),
                "n_grid_points": ("<i4", ()),
                "save_timestamp": ("<U1", ()),
            })
            self.assertEqual(int(file["n_grid_points"]), cells)
            np.testing.assert_array_equal(file["expert_weights_list"].ravel(), grid["expert_weights"].ravel())
            np.testing.assert_array_equal(file["final_losses"], grid["final_losses"].ravel())
        self.assertEqual(phasegrid("compare", ours, self.out).returncode, 0)
        self.assertEqual(phasegrid("compare", self.out, self.out).returncode, 0)
        self.out.unlink()
        self.expect_refused(phasegrid("run", self.sweep, "--out", self.out, "--layout", "authors",
                                      "--set", "axes.batch=[8, 16]"), "layout authors")
        self.expect_refused(phasegrid("run", self.sweep, "--out", self.out, "--layout", "authors",
                                      "--set", "axes.seed=[0]"), "layout authors")

    # ------------------------------------------------------------ bad input

    def test_bad_settings_are_named(self):
        cases = {
            "train.batch=0": ("train.batch", "from 1 to 16777216"),
            "train.batch=1.5": ("train.batch", "whole number"),
            "train.learning_rate=nan": ("train.learning_rate", "from 0"),
            "train.steps='many'": ("train.steps", "whole number"),
            "train.loss=\"median\"": ("train.loss", '"mean" or "sum"'),
            "train.loss=sum": ("train.loss", "quotes"),
            "train.keep=\"\"": ("train.keep", '"last-batch" or "evaluation"'),
            "axes.sparsity=[1.0]": ("axes.sparsity", "below 1"),
            "axes.sparsity=[]": ("axes.sparsity", "at least one"),
            "axes.width=[1]": ("axes.width", "sparsity"),
            "model.top_k=3": ("top_k", "n_experts"),
            "model.n_features=1025": ("n_features", "from 1 to 1024"),
            "data.importance={geometric=2}": ("data.importance.geometric", "to 1"),
            'init.router="hot"': ("init.router", '"random-k-hot"'),
            "train.snapshots=[100000]": ("train.snapshots", "from 0 to"),
            "axes.seed=[-1]": ("axes.seed", "from 0"),
            "data.importance=[1]": ("data.importance", "2"),
            "data.importance=[1, inf]": ("data.importance", "from 0"),
            "restarts=-1": ("restarts", "from 1"),
            "colour=3": ("colour", "restarts"),
            "steps": ("--set steps", "PATH=TOML-VALUE"),
        }
        for change, parts in cases.items():
            with self.subTest(change):
                self.expect_refused(phasegrid("run", self.sweep, "--out", self.out, "--set", change), *parts)

    def test_bad_command_lines(self):
        run = ("run", self.sweep, "--out", self.out)
        self.expect_refused(phasegrid("run", self.sweep), "--out")
        self.expect_refused(phasegrid(*run, "--device", "tpu"), "--device", "cuda")
        self.expect_refused(phasegrid(*run, "--threads", "-3"), "threads", "0")
        self.expect_refused(phasegrid(*run, "--threads", "two"), "--threads")
        self.expect_refused(phasegrid(*run, "--seed", "-1"), "--seed")
        self.expect_refused(phasegrid(*run, "--preset", "slow"), "slow", "paper")
        self.expect_refused(phasegrid("dance"), "phasegrid")
        self.expect_refused(phasegrid("run", self.folder / "none.toml", "--out", self.out), "none.toml")
        self.expect_refused(phasegrid("run", self.write("b.toml", "[model\n"), "--out", self.out), "b.toml:1", "TOML")
        self.expect_refused(phasegrid("reproduce", "fig99"), "fig99", "fig4")
        self.expect_refused(phasegrid("compare", self.sweep, self.sweep), "small.toml")

    def test_results_are_npz_alone(self):
        for out in ("x.h5", "x", "x.npz.gz"):
            target = self.folder / out
            self.expect_refused(phasegrid("run", self.sweep, "--out", target), "--out must end in .npz", out)
            self.expect_refused(phasegrid("merge", self.sweep, "--out", target), "--out must end in .npz", out)

    def test_slips_of_the_pen_get_a_hint(self):
        for words, hint in {
            ("rnu", self.sweep, "--out", self.out): "there is no command 'rnu'; did you mean run; there are run, merge,",
            ("run", self.sweep, "--ou", self.out): "there is no option '--ou'; did you mean --out",
            ("run", self.sweep, "--output", self.out): "there is no option '--output'; did you mean --out",
            ("run", self.sweep, "--out", self.out, "--n-jobs=2"): "there is no option '--n-jobs'; did you mean --threads",
            ("--verson",): "there is no option '--verson'; did you mean --version",
            ("fly",): "there is no command 'fly'; there are run, merge, compare, explore, refine, reproduce, selftest, settings, devices",
            (): "a command must be given: run, merge,",
            ("run", self.sweep, "--out", self.out, "--set", "lr=0.1"): "unknown key 'lr'; did you mean train.learning_rate;",
        }.items():
            with self.subTest(words):
                self.expect_refused(phasegrid(*words), hint)
        self.assertEqual(self.files(), ["small.toml"])

    def test_an_output_that_cannot_be_written_is_found_before_training(self):
        long = self.write("long.toml", LONG)
        for out in (self.folder / "missing" / "a.npz", self.folder / "small.toml" / "a.npz", Path("/proc/a.npz")):
            began = time.monotonic()
            result = phasegrid("run", long, "--out", out)
            self.assertEqual(result.returncode, 2)
            self.assertIn("cannot be written", result.stderr)
            self.assertLess(time.monotonic() - began, 5)

    def test_a_full_disk_is_found_before_training(self):
        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

        self.expect_refused(phasegrid("run", self.write("long.toml", LONG), "--out", self.out, preexec_fn=small_files),
                            "out.npz", "cannot be written")

    # ------------------------------------------------------------ interruption

    def start_long(self, *words):
        return subprocess.Popen([PROGRAM, "run", str(self.write("long.toml", LONG)), "--out", str(self.out), *words],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_ctrl_c_saves_what_is_finished_and_the_same_command_goes_on(self):
        process = self.start_long()
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, errors = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("out.npz.partial, and the same command goes on from there", errors)
        self.assertEqual(self.files(), ["long.toml", "out.npz.partial", "small.toml"])
        with np.load(f"{self.out}.partial") as file:
            first = file["all_losses"]
            status = file["status"]
        self.assertTrue((status == -1).any() and (status == 0).any())
        np.testing.assert_array_equal(np.isnan(first), status == -1)
        rest = phasegrid("run", self.folder / "long.toml", "--out", self.out, "--set", "restarts=200")
        self.assertEqual(rest.returncode, 0, rest.stderr)
        self.assertIn("out.npz.partial: going on from", rest.stdout)
        self.assertEqual(self.files(), ["long.toml", "out.npz", "small.toml"])
        whole = self.folder / "whole.npz"
        self.assertEqual(phasegrid("run", self.folder / "long.toml", "--out", whole).returncode, 0)
        self.assertEqual(self.out.read_bytes(), whole.read_bytes())
        # What is finished is neither trained again nor lost to a run that is not.
        again = phasegrid("run", self.folder / "long.toml", "--out", self.out, "--device", "cpu")
        self.assertEqual(again.returncode, 0)
        self.assertIn("out.npz: holds all 1800 models of this sweep already; --fresh", again.stdout)
        for words in (["--fresh"], ["--set", "seed=4"]):
            process = self.start_long(*words)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
            self.assertEqual(process.returncode, 130)
            self.assertEqual(self.out.read_bytes(), whole.read_bytes())

    def test_two_runs_do_not_write_one_file(self):
        process = self.start_long()
        while not [name for name in self.files() if name.startswith(".out.npz.tmp-")]:
            time.sleep(0.02)
        second = phasegrid("run", self.folder / "long.toml", "--out", self.out)
        self.assertEqual((second.returncode, second.stdout), (2, ""))
        self.assertEqual(len(second.stderr.splitlines()), 1)
        self.assertIn("out.npz: another training is writing this file", second.stderr)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual([name for name in self.files() if name.startswith(".")], [])

    def test_what_is_in_the_way_is_named_and_stays(self):
        partial = Path(f"{self.out}.partial")
        partial.write_text("mine")
        for words in ([], ["--fresh"]):
            result = phasegrid("run", self.sweep, "--out", self.out, *words)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertRegex(result.stderr, r"^phasegrid: .*out\.npz\.partial: .*; move it away\n$")
            self.assertEqual(partial.read_text(), "mine")
        self.assertEqual(self.files(), ["out.npz.partial", "small.toml"])

    def test_kill_leaves_a_checkpoint_or_nothing_broken(self):
        process = self.start_long("--checkpoint-seconds", "0.2")
        partial = Path(f"{self.out}.partial")
        for _ in range(200):
            if partial.exists():
                break
            time.sleep(0.05)
        time.sleep(0.3)
        process.kill()
        process.communicate()
        self.assertTrue(partial.exists())
        with np.load(partial) as file:
            self.assertTrue((file["status"] == 0).any())
        rest = phasegrid("run", self.folder / "long.toml", "--out", self.out)
        self.assertEqual(rest.returncode, 0, rest.stderr)
        self.assertIn("going on from", rest.stdout)
        self.assertFalse(partial.exists())

    def test_kill_keeps_a_sweep_that_was_finished_while_another_trains(self):
        target = self.folder / "results"
        target.mkdir()
        words = ["run", str(self.sweep), str(self.write("long.toml", LONG.replace('"small"', '"long"'))), "--out",
                 str(target), "--checkpoint-seconds", "0.2"]
        process = subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1.0)
        process.kill()
        process.communicate()
        self.assertEqual(phasegrid("run", self.sweep, "--out", self.out).returncode, 0)
        self.assertEqual((target / "small.npz").read_bytes(), self.out.read_bytes())
        # With two restarts the small sweep alone is the same.
        other = phasegrid(*words, "--set", "restarts=2")
        self.assertEqual(other.returncode, 2)
        self.assertRegex(other.stderr, r"long\.npz\.partial: holds \d+ of 1800 models of another sweep, whose restarts is "
                                       r"200, not 2; .*--fresh")
        (target / "long.npz.partial").unlink()
        rest = phasegrid(*words, "--set", "restarts=2")
        self.assertEqual(rest.returncode, 0, rest.stderr)
        self.assertIn("small.npz: holds all 18 models of this sweep already", rest.stdout)
        self.assertEqual(sorted(p.name for p in target.iterdir()), ["long.npz", "small.npz"])

    def test_a_terminal_gets_a_progress_line(self):
        sweep = self.write("long.toml", LONG.replace("20000", "2000"))
        status, seen = on_a_terminal("run", sweep, "--out", self.out)
        self.assertEqual(status, 0)
        self.assertIn(b"models", seen)
        self.assertIn(b"1,800 of 1,800 models  100 %", seen)

    # ------------------------------------------------------------ other commands

    def test_selftest_compares_every_instruction_set(self):
        result = phasegrid("selftest", "--device", "cpu")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        last = result.stdout.splitlines()[-1]
        self.assertRegex(last, r"^phasegrid [\d.]+ selftest passed; cpu \w+: ")
        self.assertIn("cpu baseline", last)
        self.assertNotIn("OTHER BITS", result.stdout)

    def test_devices_names_the_cpu(self):
        result = phasegrid("devices")
        self.assertEqual(result.returncode, 0)
        self.assertIn("cpu", result.stdout)
        self.assertIn("cuda", result.stdout)

    def test_compare_finds_a_difference(self):
        other = self.folder / "other.npz"
        self.assertEqual(phasegrid("run", self.sweep, "--out", self.out).returncode, 0)
        self.assertEqual(phasegrid("run", self.sweep, "--out", other, "--set", "train.steps=400").returncode, 0)
        self.assertEqual(phasegrid("compare", self.out, self.out).returncode, 0)
        different = phasegrid("compare", self.out, other)
        self.assertEqual(different.returncode, 1)
        self.assertIn("OUT", different.stdout)
        self.assertIn("| mean training loss |", phasegrid("compare", "--markdown", self.out, self.out).stdout)

    def test_reproduce_trains_and_draws_figure_4(self):
        # Two models a cell on the smallest grid: what is tested is the way from sweep files to pictures.
        environment = {**os.environ, "PHASEGRID_PYTHON": sys.executable}
        target = self.folder / "fig4"
        result = phasegrid("reproduce", "fig4", "--out", target, "--set", "train.steps=20", "--set", "restarts=2",
                           "--set", "axes.sparsity=[0.1, 0.5, 0.9]", "--set", "axes.last_importance=[0.5, 1.5]",
                           env=environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        names = sorted(p.name for p in target.iterdir())
        self.assertEqual(len([n for n in names if n.endswith(".npz")]), 8)
        for picture in ("fig4.png", "fig4.pdf", "fig8.png", "fig8.pdf"):
            self.assertIn(picture, names)

    def test_version(self):
        self.assertRegex(phasegrid("--version").stdout, r"^phasegrid \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
