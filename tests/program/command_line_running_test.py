"""While the program trains: signals, stops within a step, output that cannot be written, threads that cannot be had,
and the time that it says is left.

Usage: command_line_running_test.py PATH-OF-PHASEGRID
"""

import os
import re
import resource
import signal
import subprocess
import time
import unittest
from pathlib import Path

import numpy as np
from command_line import PROGRAM, SWEEP, CommandLineCase, lives_within, on_a_terminal, phasegrid, train_for

LONG = SWEEP.replace("steps = 40", "steps = 20000").replace("restarts = 2", "restarts = 400")
OUTPUT_LOST = 3


def ignoring(number):
    return lambda: signal.signal(number, signal.SIG_IGN)


def limited(limit, value):
    return lambda: resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))


def without(descriptor):
    return lambda: os.close(descriptor)


class Signals(CommandLineCase):
    def start(self, *words, **options):
        return subprocess.Popen([PROGRAM, "run", str(self.write("long.toml", LONG)), "--out", str(self.out),
                                 "--device", "cpu", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def models_saved(self):
        """In the results file, or in what an unfinished run keeps beside it."""
        for path in (self.out, self.out.with_name("out.npz.partial")):
            if path.exists():
                with np.load(path) as file:
                    return int((file["status"] == 0).sum())
        return 0

    def expect_saved(self, process):
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, errors)
        self.assertGreater(self.models_saved(), 0)

    def test_each_of_them_saves_what_is_finished(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                process = self.start("--fresh")
                train_for(process, 0.5)
                began = time.monotonic()
                process.send_signal(number)
                self.expect_saved(process)
                self.assertLess(time.monotonic() - began, 2)

    def test_repeats_within_a_second_are_one_request(self):
        # `timeout` sends SIGTERM to its child and to the group that the child is in; a closing terminal sends SIGHUP
        # twice.
        for pause in (0, 0.003, 0.01, 0.03):
            for numbers in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM)):
                with self.subTest(pause=pause, numbers=numbers):
                    process = self.start("--fresh")
                    train_for(process, 0.3)
                    for number in numbers:
                        process.send_signal(number)
                        time.sleep(pause)
                    self.expect_saved(process)

    def test_timeout_ends_it_with_its_results_saved(self):
        words = ["timeout", "0.7", PROGRAM, "run", str(self.write("long.toml", LONG)), "--out", str(self.out)]
        result = subprocess.run(words, capture_output=True, check=False, timeout=60)
        self.assertEqual(result.returncode, 124, result.stderr)  # timeout's own
        self.assertGreater(self.models_saved(), 0)

    def test_one_more_after_a_second_ends_it_at_once(self):
        process = self.start()
        train_for(process, 0.3)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.stderr.readline(), b"\n")
        process.send_signal(signal.SIGSTOP)  # as if saving took long
        time.sleep(1.2)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.models_saved(), 0)

    def test_what_was_ignored_at_the_start_stays_ignored(self):
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            with self.subTest(number.name):
                process = self.start("--fresh", "--set", "restarts=60", "--set", "train.steps=10000",
                                     preexec_fn=ignoring(number))
                train_for(process, 0.2)
                self.assertIsNone(process.poll(), "too short a training to test with")
                process.send_signal(number)
                _, errors = process.communicate(timeout=60)
                self.assertEqual((process.returncode, errors), (0, b""))
                self.assertEqual(self.models_saved(), 9 * 60)


class Output(CommandLineCase):
    def setUp(self):
        super().setUp()
        self.full = self.enterContext(open("/dev/full", "wb"))

    def run_it(self, *words, **options):
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options}
        return subprocess.run([PROGRAM, *map(str, words)], timeout=120, check=False, **streams)

    def closed_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        return writer

    def test_an_unwritable_stream_never_ends_a_training(self):
        expected = self.folder / "expected.npz"
        self.assertEqual(phasegrid("run", self.sweep, "--out", expected).returncode, 0)
        cases = {
            "stdout full": {"stdout": self.full},
            "stderr full": {"stderr": self.full},
            "both full": {"stdout": self.full, "stderr": self.full},
            "stdout a pipe that nobody reads": {"stdout": self.closed_pipe()},
            "stderr a pipe that nobody reads": {"stderr": self.closed_pipe()},
            "stdout closed": {"preexec_fn": without(1)},
            "stderr closed": {"preexec_fn": without(2)},
        }
        for name, options in cases.items():
            with self.subTest(name):
                result = self.run_it("run", self.sweep, "--out", self.out, "--progress", "on", "--fresh", **options)
                self.assertEqual(result.returncode, OUTPUT_LOST, result.stderr)
                self.assertEqual(self.out.read_bytes(), expected.read_bytes())
                if "stdout" in name and result.stderr is not None:
                    self.assertIn(b"standard output cannot be written", result.stderr)

    def test_a_stream_that_has_nothing_to_say_may_be_unwritable(self):
        self.assertEqual(self.run_it("run", self.sweep, "--out", self.out, stderr=self.full).returncode, 0)

    def test_an_interrupted_training_says_so_by_its_own_status(self):
        process = subprocess.Popen([PROGRAM, "run", str(self.write("long.toml", LONG)), "--out", str(self.out),
                                    "--progress", "on"], stdout=self.full, stderr=self.full)
        train_for(process, 0.3)
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 130)

    def test_every_command_says_by_its_status_that_it_could_not_speak(self):
        self.assertEqual(phasegrid("run", self.sweep, "--out", self.out).returncode, 0)
        merged = self.folder / "merged.npz"
        for words in (["--help"], ["run", "--help"], ["--version"], ["devices"], ["compare", self.out, self.out],
                      ["compare", "--markdown", self.out, self.out], ["merge", self.out, "--out", merged]):
            for name, stream in (("full", self.full), ("pipe", self.closed_pipe())):
                with self.subTest(words=words, stream=name):
                    result = self.run_it(*words, stdout=stream)
                    self.assertEqual(result.returncode, OUTPUT_LOST, result.stderr)
                    self.assertIn(b"standard output cannot be written", result.stderr)
        self.assertEqual(merged.read_bytes(), self.out.read_bytes())

    def test_bad_input_keeps_its_status(self):
        for words in (["dance"], ["run", self.sweep], ["compare", self.sweep, self.sweep]):
            with self.subTest(words):
                self.assertEqual(self.run_it(*words, stderr=self.full).returncode, 2)

    def test_the_help_has_the_statuses(self):
        self.assertIn("Exit status: 0 done;", phasegrid("--help").stdout)


class Threads(CommandLineCase):
    def train(self, limit, value, threads):
        """Of a sweep of more models than threads, and the bytes of its results; stderr."""
        words = ("run", self.sweep, "--set", "restarts=500", "--set", "train.steps=10", "--device", "cpu")
        expected = self.folder / "expected.npz"
        self.assertEqual(phasegrid(*words, "--out", expected).returncode, 0)
        result = phasegrid(*words, "--out", self.out, "--threads", threads, preexec_fn=limited(limit, value))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.out.read_bytes(), expected.read_bytes())
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        return result.stderr

    def test_those_there_are_train_everything_and_the_program_says_so(self):
        # 4,096 threads of 8 MB of stack each are 32 GB of addresses.
        if not lives_within(2_000_000 * 1024):
            self.skipTest("AddressSanitizer takes all addresses")
        errors = self.train(resource.RLIMIT_AS, 2_000_000 * 1024, 4096)
        self.assertRegex(errors, r"^phasegrid: [1-9]\d* of 4096 threads could be started \(Resource temporarily")

    def test_none_leaves_the_calling_thread(self):
        errors = self.train(resource.RLIMIT_STACK, 1 << 46, 2)  # no machine has addresses for such a stack
        self.assertIn("no thread could be started to train with (Resource temporarily", errors)

    def test_a_stop_is_heard_by_those_there_are(self):
        for limit, value, threads in ((resource.RLIMIT_AS, 2_000_000 * 1024, "4096"),
                                      (resource.RLIMIT_STACK, 1 << 46, "2")):
            if limit == resource.RLIMIT_AS and not lives_within(value):
                continue  # under AddressSanitizer
            with self.subTest(threads=threads):
                process = subprocess.Popen([PROGRAM, "run", str(self.write("long.toml", LONG)), "--out", str(self.out),
                                            "--threads", threads, "--fresh"], stderr=subprocess.PIPE,
                                           stdout=subprocess.DEVNULL, preexec_fn=limited(limit, value))
                time.sleep(1.0)
                began = time.monotonic()
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=30)
                self.assertEqual(process.returncode, 130, errors)
                self.assertIn(b"could be started", errors)
                self.assertLess(time.monotonic() - began, 2)


class Stopping(CommandLineCase):
    def seconds_to_stop(self, text, *words, after=1.0):
        """Of a processor, so that what else the machine does counts for nothing, after so many of the training."""
        process = subprocess.Popen([PROGRAM, "run", str(self.write("vast.toml", text)), "--out", str(self.out),
                                    "--device", "cpu", "--fresh", "--threads", "1", *words],
                                   stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        ticks = os.sysconf("SC_CLK_TCK")
        before = 0
        while before < after:
            time.sleep(0.05)
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            self.assertNotEqual(fields[0], "Z", "too short a training to test with")
            before = (int(fields[11]) + int(fields[12])) / ticks
        process.send_signal(signal.SIGINT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 130)
        return used.ru_utime + used.ru_stime - before

    def test_within_a_step_of_the_largest_models_and_batches(self):
        # A step of each takes seconds to minutes.
        head = "[data]\nsparsity = 0.5\n[train]\nsteps = 1000\nbatch = 16777216\n"
        cases = {
            "dense": "[model]\nn_features = 256\nn_hidden = 64\n",
            "mixture": "[model]\nn_features = 256\nn_hidden = 64\nn_experts = 8\ntop_k = 2\n",
            "balanced": "[model]\nn_features = 256\nn_hidden = 64\nn_experts = 64\ntop_k = 64\n",
            "tiny": "[model]\nn_features = 4\nn_hidden = 3\nn_experts = 4\ntop_k = 2\n",
        }
        for name, model in cases.items():
            for isa in ("auto", "baseline"):
                for watched in (False, True):  # the batch's loss too
                    text = head + ("load_balance = 0.01\n" if name != "dense" else "")
                    text += ("stop_below = 1e-9\n" if watched else "") + model
                    with self.subTest(name=name, isa=isa, watched=watched):
                        self.assertLess(self.seconds_to_stop(text, "--isa", isa), 1)

    def test_within_the_last_loss(self):
        # Of one step alone, and its evaluation batch: nothing that was left off may pass for a finished model.
        text = ("[data]\nsparsity = 0.5\n[train]\nsteps = 1\nbatch = 16777216\nload_balance = 0.1\n"
                "[model]\nn_features = 256\nn_hidden = 64\nn_experts = 4\ntop_k = 4\n")
        for after in (1.0, 4.0):
            with self.subTest(after=after):
                self.assertLess(self.seconds_to_stop(text, after=after), 1)
                for path in (self.out, self.out.with_name("out.npz.partial")):
                    if path.exists():
                        with np.load(path) as file:
                            self.assertTrue((file["status"] == -1).all())


class TimeLeft(CommandLineCase):
    def test_it_falls_while_few_long_models_train(self):
        words = ("--set", "restarts=1", "--set", "axes.sparsity=[0.5]", "--set", "axes.last_importance=[0.5, 1, 2]",
                 "--set", "train.steps=5000000", "--threads", "1", "--device", "cpu")
        status, seen = on_a_terminal("run", self.sweep, "--out", self.out, *words)
        self.assertEqual(status, 0)
        shares = [int(share) for share in re.findall(rb"(\d+) %", seen)]
        left = [60 * int(m) + int(s) for m, s in re.findall(rb"(\d+):(\d\d) left", seen)]
        self.assertGreater(len(left), 4, "too short a training to test with")
        self.assertEqual(shares, sorted(shares))
        self.assertGreater(len(set(shares)), 6)  # not only 0, 33, 67 and 100
        self.assertEqual(left, sorted(left, reverse=True))


if __name__ == "__main__":
    unittest.main()
