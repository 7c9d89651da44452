"""Options of the wider family on the command line: every example of experiments/README.md runs, and settings that exclude
each other are refused in one sentence."""

import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(sys.argv.pop(1)).resolve()
EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"

# --set .. -> what the sentence must name.
REFUSED = [
    (["model.tied=1"], "model.tied must be true or false, not 1"),
    (['init.decoder="transpose"'], "init.decoder is of models with model.tied = false"),
    (["model.bias=false", "init.bias={ normal = 0.1 }"], "init.bias = { normal } needs biases"),
    (["data.active=2"], "sparsity and data.active exclude each other"),
    (['data.groups={ kind = "correlated", size = 3 }'], "data.groups.size must divide model.n_features = 10, not 3"),
    (['data.groups={ kind = "alike", size = 2 }'], "data.groups must be { kind = "),
    (['data.groups={ kind = "anticorrelated", size = 10 }'], "sparsity must be from 0.9, not 0.8"),
    (['data.groups={ kind = "correlated", size = 2 }', "data.active=1"], "exclude each other"),
    (["data.samples=0"], "data.samples must be a whole number from 1"),
    (["data.values={ uniform = [2, 1] }"], "needs a at most b"),
    (['data.values="two"'], "data.values must be"),
    (["data.sparsity={ power = 1, active = 11 }"], "data.sparsity.active must be at most model.n_features = 10, not 11"),
    (["train.weight_decay=-1.5"], "train.weight_decay must be a number from -1"),
    (["train.loss_power=3"], "train.loss_power must be 2, 4, 6 or 8, not 3"),
    (["axes.loss_power=[2, 5]"], "axes.loss_power must be 2, 4, 6 or 8, not 5"),
    (["train.momentum=0.9"], "train.momentum"),
    (['train.optimizer="sgd"', "train.beta1=0.5"], "train.beta1 is a number of adamw and adam"),
    (["train.beta2=1"], "train.beta2 must be a number from 0 to 0.99999, not 1"),
    (["train.floor=0.1"], "train.floor is where a schedule ends"),
    (['init.from="nothing.npz"'], "nothing.npz"),
    (['train.optimizer="lion"'], "train.optimizer must be"),
]


class Family(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_family(self, *settings):
        arguments = [part for setting in settings for part in ("--set", setting)]
        return subprocess.run(
            [PROGRAM, "run", EXPERIMENTS / "family.toml", "--fresh", "--out", "family.npz", "--device", "cpu",
             "--set", "train.steps=5", *arguments], cwd=self.folder.name, capture_output=True, text=True, timeout=120)

    def test_every_example_runs(self):
        lines = re.findall(r"^FAMILY (.*)$", (EXPERIMENTS / "README.md").read_text(), re.MULTILINE)
        self.assertGreater(len(lines), 20)
        for line in lines:
            with self.subTest(line=line):
                words = shlex.split(line, comments=True)
                self.assertEqual(set(words[1::2]) - {"--set"}, set())
                ran = self.run_family(*words[::2])
                self.assertEqual((ran.returncode, ran.stderr if ran.returncode else ""), (0, ""))

    def test_exactly_so_many_active(self):
        text = (EXPERIMENTS / "README.md").read_text()
        toml = re.search(r"```toml\n(\[model\]\nn_features = 6.*?)```", text, re.DOTALL)[1]
        path = Path(self.folder.name) / "active.toml"
        path.write_text(toml)
        ran = subprocess.run([PROGRAM, "run", path, "--out", "active.npz", "--set", "train.steps=5"],
                             cwd=self.folder.name, capture_output=True, text=True, timeout=120)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_what_excludes_each_other_is_refused(self):
        for settings, said in REFUSED:
            with self.subTest(settings=settings):
                ran = self.run_family(*settings)
                self.assertEqual(ran.returncode, 2, ran.stderr)
                self.assertEqual(len(ran.stderr.splitlines()), 1, ran.stderr)
                self.assertIn(said, ran.stderr)


if __name__ == "__main__":
    unittest.main()
