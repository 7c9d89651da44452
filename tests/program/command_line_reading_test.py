"""What the program reads, from outside: sweep files, checkpoints, results and options that are broken or made to harm.

Usage: command_line_reading_test.py PATH-OF-PHASEGRID
"""

import os
import resource
import subprocess
import sys
import unittest
import zipfile
from pathlib import Path

import numpy as np
from command_line import PROGRAM, CommandLineCase, lives_within, phasegrid

CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus"


def small_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (256 * 1024, 256 * 1024))


LITTLE = 2**30 if lives_within(2**30) else resource.RLIM_INFINITY


def little_memory():
    resource.setrlimit(resource.RLIMIT_AS, (LITTLE, LITTLE))


class Reading(CommandLineCase):
    def expect_sentence(self, result, *parts):
        self.expect_refused(result, *parts)
        self.assertLessEqual(len(result.stderr.rstrip("\n")), 300)

    # ------------------------------------------------------------ sweep files
    def test_deep_sweep_files_are_refused(self):
        deep = ".".join(["a"] * 40_000)
        for text in (f"{deep} = 1", f"[{deep}]", f"[[{deep}]]", "x = " + "[" * 100_000, "x = " + "{a = " * 2000,
                     ".".join(["a"] * 2000) + " = 1"):
            path = self.write("deep.toml", text)
            self.expect_sentence(phasegrid("run", path, "--out", self.out, preexec_fn=small_stack), "deep.toml:1:",
                                 "64 deep")
        self.expect_sentence(
            phasegrid("run", self.sweep, "--out", self.out, "--set", ".".join(["a"] * 2000) + "=1",
                      preexec_fn=small_stack), "--set a.a.a", "64 deep")

    def test_what_is_no_sweep_file_is_refused(self):
        self.expect_sentence(phasegrid("run", "/dev/zero", "--out", self.out, preexec_fn=little_memory), "/dev/zero",
                             "neither a file nor a pipe")
        self.expect_sentence(phasegrid("run", self.folder, "--out", self.out), "is a folder")
        pipe = self.folder / "pipe.toml"
        os.mkfifo(pipe)
        self.expect_sentence(phasegrid("run", pipe, "--out", self.out), "nothing came out of this pipe for 10 seconds")
        large = self.write("large.toml", "# " + "x" * (16 << 20))
        self.expect_sentence(phasegrid("run", large, "--out", self.out), "is longer than 16 MiB")
        for name in ("nul_in_header", "cyrillic_value"):
            self.expect_sentence(phasegrid("run", CORPUS / "sweep_file" / name, "--out", self.out), "not valid TOML")

    def test_a_pipe_may_be_a_sweep_file(self):
        with subprocess.Popen(["cat", self.sweep], stdout=subprocess.PIPE) as source:
            result = phasegrid("run", "/dev/stdin", "--out", self.out, stdin=source.stdout)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_errors_are_one_short_line(self):
        key = "k" * 5_000_000
        long_key = self.write("key.toml", f"{key} = 1\n[data]\nsparsity = 0.5\n")
        self.expect_sentence(phasegrid("run", long_key, "--out", self.out), "key.toml:1: unknown key 'kkk",
                             "axes, presets, variants")
        value = self.write("value.toml", f"restarts = '{key}'\n")
        self.expect_sentence(phasegrid("run", value, "--out", self.out), "restarts must be")
        name = "two\nlines" + "n" * 200 + ".toml"
        self.expect_sentence(phasegrid("run", self.folder / name, "--out", self.out), "two lines", "No such file")
        self.expect_sentence(phasegrid("run", self.sweep, "--out", self.folder / "no" / "a\nb.npz"), "a b.npz",
                             "cannot be written")
        for words in (("run", self.sweep, "--out", self.out, "--preset", "p\n" * 1000),
                      ("run", self.sweep, "--out", self.out, "--nonsense\n" * 100),
                      ("run", self.sweep, "--out", self.out, "--shard", "\n" * 1000),
                      ("run", self.sweep, "--out", self.out, "--set", "a" * 100_000),
                      ("merge", "x\n" * 500 + ".npz", "--out", self.out),
                      ("compare", "x\n.npz", "y" * 1000),
                      ("explore", "x\n" * 500 + ".npz", "--out", self.out),
                      ("re\nproduce",)):
            self.expect_sentence(phasegrid(*words, env={**os.environ, "PHASEGRID_PYTHON": sys.executable}))

    def test_numbers_of_options_are_checked(self):
        for option, values in {
            "--checkpoint-seconds": ("nan", "-nan", "inf", "-1", "0", "1e400", "1e9", "x", ""),
            "--threads": ("nan", "inf", "-1", "1e400", "4097", "99999999999999999999", "1.5", "x"),
            "--seed": ("nan", "inf", "-1", "1e400", "99999999999999999999", "1.5", "x"),
            "--shard": ("nan/1", "1/nan", "-1/2", "1/1e400", "99999999999/99999999999"),
        }.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.expect_sentence(phasegrid("run", self.sweep, "--out", self.out, f"{option}={value}"),
                                         option.removeprefix("--").split("-")[0])

    # ------------------------------------------------------------ checkpoints
    def test_a_forged_checkpoint_is_refused_and_kept(self):
        self.assertEqual(phasegrid("run", self.sweep, "--out", self.out).returncode, 0)
        with np.load(self.out) as file:
            sound = dict(file)
        whole = self.out.read_bytes()
        self.out.unlink()
        checkpoint = self.folder / "out.npz.partial"

        def put(key, number):
            arrays = {name: array.copy() for name, array in sound.items()}
            arrays[key].ravel()[0] = number
            with checkpoint.open("wb") as file:
                np.savez(file, **arrays)

        for key, number in (("expert_weights", np.nan), ("router_weights", np.inf), ("biases", np.nan),
                            ("all_losses", -1e30), ("final_losses", -1e30), ("reconstruction_losses", -1e30),
                            ("all_reconstruction_losses", np.nan), ("status", -5), ("status", 41), ("kept", 7)):
            put(key, number)
            forged = checkpoint.read_bytes()
            with self.subTest(key=key, number=number):
                result = phasegrid("run", self.sweep, "--out", self.out)
                self.assertEqual((result.returncode, len(result.stderr.splitlines())), (2, 1), result.stderr)
                for part in ("out.npz.partial", "is broken", "away"):  # what to do with it
                    self.assertIn(part, result.stderr)
                self.assertEqual(checkpoint.read_bytes(), forged)
                self.assertEqual(self.files(), ["out.npz.partial", "small.toml"])
        checkpoint.write_bytes(whole[:1000])  # damaged, not forged
        result = phasegrid("run", self.sweep, "--out", self.out)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("cannot be read", result.stderr)
        checkpoint.unlink()
        self.assertEqual(phasegrid("run", self.sweep, "--out", self.out).returncode, 0)
        self.assertEqual(self.out.read_bytes(), whole)

    # ------------------------------------------------------------ results
    def test_broken_results_get_a_sentence(self):
        files = [path for path in sorted((CORPUS / "npz").iterdir())]
        self.assertGreaterEqual(len(files), 6)
        environment = {**os.environ, "PHASEGRID_PYTHON": sys.executable}
        for path in files:
            with self.subTest(file=path.name):
                self.expect_sentence(phasegrid("explore", path, "--out", self.out, env=environment), path.name)
                self.expect_sentence(phasegrid("merge", path, "--out", self.out), path.name)
                self.expect_sentence(phasegrid("compare", path, path), path.name)

    def test_what_is_unpacked_has_a_limit(self):
        bomb = self.folder / "bomb.npz"
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
            for key in ("expert_weights", "final_losses"):
                with file.open(f"{key}.npy", "w") as entry:
                    np.lib.format.write_array_header_1_0(
                        entry, {"descr": "<f4", "fortran_order": False, "shape": (2**27,)})
                    for _ in range(32):
                        entry.write(bytes(2**24))
        self.assertLess(bomb.stat().st_size, 8e6)
        environment = {**os.environ, "PHASEGRID_PYTHON": sys.executable, "OPENBLAS_NUM_THREADS": "1"}
        for words in (("explore", bomb, "--out", self.out), ("merge", bomb, "--out", self.out), ("compare", bomb, bomb)):
            self.expect_sentence(phasegrid(*words, env=environment, preexec_fn=little_memory), "bomb.npz", "unpack")

    # ------------------------------------------------------------ Python
    def test_nothing_in_the_current_folder_is_imported(self):
        self.assertEqual(phasegrid("run", self.sweep, "--out", self.out).returncode, 0)
        for name in ("numpy", "phasegrid", "json", "runpy", "plotly", "argparse"):
            self.write(f"{name}.py", "open('executed', 'w')\nraise SystemExit(7)\n")
        page = self.folder / "page.html"
        for path in (None, "", ":", ":/none", "/none::"):
            environment = {**os.environ, "PHASEGRID_PYTHON": sys.executable}
            environment.pop("PYTHONPATH", None)
            if path is not None:
                environment["PYTHONPATH"] = path
            with self.subTest(PYTHONPATH=path):
                result = phasegrid("explore", self.out, "--out", page, cwd=self.folder, env=environment)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertNotIn("executed", self.files())

    def test_python_path_is_followed(self):
        stub = self.folder / "stub"
        stub.mkdir()
        (stub / "numpy.py").write_text("raise ModuleNotFoundError('none', name='numpy')\n")
        environment = {**os.environ, "PHASEGRID_PYTHON": sys.executable, "PYTHONPATH": str(stub)}
        self.expect_sentence(phasegrid("explore", self.sweep, "--out", self.out, env=environment), "numpy is missing")

    def test_an_old_python_is_named(self):
        old = self.folder / "python"
        old.write_text(f"#!{sys.executable}\nimport sys\nsys.version_info = (3, 9, 2)\n"
                       "sys.argv.pop(0)\nsys.argv.pop(0)\nexec(sys.argv[0])\n")
        old.chmod(0o755)
        environment = {**os.environ, "PHASEGRID_PYTHON": str(old)}
        self.expect_sentence(phasegrid("explore", self.sweep, "--out", self.out, env=environment),
                             "Python 3.11 or newer is needed, not 3.9")


if __name__ == "__main__":
    assert PROGRAM
    unittest.main()
