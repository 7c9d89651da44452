"""The worked examples of experiments/embedding that are scripts: each is run as its text says.

Usage: embedding_examples_test.py PROGRAM [CASE], with the Python package on PYTHONPATH for the cases in Python.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EMBEDDING = Path(__file__).resolve().parents[2] / "experiments" / "embedding"
PROGRAM = Path(sys.argv.pop(1)).resolve()
SWEEP = """
restarts = 3
model = { n_features = 3, n_hidden = 2, n_experts = 2 }
train = { steps = 200, batch = 64 }
axes = { sparsity = [0.1, 0.5, 0.9], last_importance = { start = 0.5, stop = 1.5, step = 0.25 }, seed = [0, 1] }
"""


def run_python(name: str, *words: str, folder: str | None = None) -> str:
    result = subprocess.run([sys.executable, EMBEDDING / name, *words], cwd=folder, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class JobArray(unittest.TestCase):
    TASKS = 4

    def start(self, folder: Path, task: int) -> subprocess.Popen:
        environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": str(task),
                       "SLURM_ARRAY_TASK_COUNT": str(self.TASKS), "SLURM_CPUS_PER_TASK": "1"}
        return subprocess.Popen(["bash", EMBEDDING / "job_array.sh", "sweep.toml", "results"], cwd=folder,
                                env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_tasks_side_by_side_then_merge(self):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "sweep.toml").write_text(SWEEP)
            (folder / "other.toml").write_text(SWEEP.replace("restarts = 3", "restarts = 2"))
            tasks = [self.start(folder, task) for task in range(1, self.TASKS + 1)]
            for task in tasks:
                output, _ = task.communicate(timeout=120)
                self.assertEqual(task.returncode, 0, output)
            parts = sorted((folder / "results").iterdir())
            self.assertEqual([p.name for p in parts], [f"sweep.shard-{i}-of-4.npz" for i in range(1, 5)])
            # The commands of the script's header: the wrapped one, as its shell would run it.
            wrapped = re.search(r"--wrap '(.*)'", (EMBEDDING / "job_array.sh").read_text())
            self.assertIsNotNone(wrapped)
            merge = subprocess.run(["bash", "-c", wrapped[1]], cwd=folder, capture_output=True, text=True, check=False,
                                   env={**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"})
            self.assertEqual(merge.returncode, 0, merge.stderr)
            whole = subprocess.run([PROGRAM, "run", "sweep.toml", "--out", "whole.npz"], cwd=folder, check=False)
            self.assertEqual(whole.returncode, 0)
            self.assertEqual((folder / "results" / "sweep.npz").read_bytes(), (folder / "whole.npz").read_bytes())


class Python(unittest.TestCase):
    def test_one_cell_at_a_time(self):
        output = run_python("one_cell_at_a_time.py")
        self.assertEqual(output.splitlines()[0], "10 cells trained together")
        found = {(int(experts), float(importance)): float(sparsity) for experts, importance, sparsity in re.findall(
            r"(\d) experts, last importance ([\d.]+): represented from sparsity ([\d.]+) on", output)}
        self.assertEqual(len(found), 10)
        # A feature of little importance is worth a place only where features are rare.
        self.assertLess(found[1, 0.9], found[1, 0.1])

    def test_optuna(self):
        output = run_python("optuna_search.py", "3")
        best = [float(loss) for loss in re.findall(r"best loss ([\d.]+) of", output)]
        self.assertEqual(len(best), 3)
        self.assertEqual(best, sorted(best, reverse=True))
        self.assertIn("of 90 trials", output)
        self.assertIn("learning_rate", output)

    def test_adaptive(self):
        output = run_python("adaptive_boundary.py", "240")
        self.assertIn("240 points", output)
        near, elsewhere = (float(number) for number in re.findall(r"^(?:distance.*: )?(0\.\d+) ", output, re.MULTILINE))
        self.assertLess(near, elsewhere)

    def test_refined_boundary(self):
        with tempfile.TemporaryDirectory() as scratch:
            words = ["211", "--size", "33", "--steps", "500", "--restarts", "5", "--budget", "0.5", "--full"]
            output = run_python("refined_boundary.py", *words, folder=scratch)
        self.assertLess(float(re.search(r"models \(([\d.]+) %\)", output)[1]), 50.1)
        self.assertGreater(float(re.search(r"trained and at a boundary: ([\d.]+) %", output)[1]), 80)


if __name__ == "__main__":
    unittest.main()
