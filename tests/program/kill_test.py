"""The kill test: runs that are ended at random moments, by kill -9 and by signals, then run again, until they are done.

Whatever happens, the results have the bytes of an undisturbed run and no other file is left; a finished file is never
touched again, and never replaced by less.

Usage: kill_test.py PATH-OF-PHASEGRID [--rounds 1000] [--seed S] [--ways kill,term]
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

SWEEP = """
name = "{name}"
restarts = {restarts}
model = {{ n_features = {n}, n_hidden = 2, n_experts = 2 }}
train = {{ steps = {steps}, batch = 64, snapshots = [0, 10] }}
axes = {{ sparsity = [0.1, 0.5, 0.9], last_importance = [0.5, 2.0] }}
"""
# Two mappings; a fraction of a second each on one thread.
SWEEPS = {
    "tiny": SWEEP.format(name="tiny", restarts=40, n=3, steps=400),
    "block": SWEEP.format(name="block", restarts=3, n=12, steps=200),
}
SHARD = ["--shard", "2/3"]
LONGEST = 120  # seconds of one command, on a busy machine


class Failure(Exception):
    pass


def expect(good: bool, sentence: str) -> None:
    if not good:
        raise Failure(sentence)


class Case:
    """One command line and the files it makes, in the folder `out`."""

    def __init__(self, program: str, folder: Path, sweeps: list[str], words: list[str]) -> None:
        self.program, self.folder, self.words = program, folder, words
        self.sweeps = [str(folder / f"{name}.toml") for name in sweeps]
        ending = ".shard-2-of-3.npz" if words == SHARD else ".npz"
        self.names = [name + ending for name in sweeps]
        self.authors = "authors" in words  # whose files do not say what they hold, so that they are made again
        self.expected: dict[str, bytes] = {}
        self.parts: dict[str, bytes] = {}  # in our layout, as .partial is
        self.seconds = 0.0

    def command(self, out: Path, *words: str) -> list[str]:
        quick = ["--device", "cpu", "--threads", "1", "--checkpoint-seconds", "0.1"]
        return [self.program, "run", *self.sweeps, "--out", str(out), *quick, *self.words, *words]

    def start(self, out: Path, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(out, *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def undisturbed(self) -> None:
        def files(words: list[str]) -> dict[str, bytes]:
            case = Case(self.program, self.folder, [Path(sweep).stem for sweep in self.sweeps], words)
            with tempfile.TemporaryDirectory(dir=self.folder) as out:
                subprocess.run(case.command(Path(out)), check=True, capture_output=True, timeout=LONGEST)
                return read(Path(out))

        start = time.monotonic()
        self.expected = files(self.words)
        self.seconds = time.monotonic() - start
        self.parts = files([]) if self.authors else self.expected
        expect(sorted(self.expected) == sorted(self.names), f"an undisturbed run left {sorted(self.expected)}")


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def state(out: Path) -> dict[str, tuple[int, int]]:
    """Of every results file, what changes when it is written again."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.glob("*.npz")}


def end(process: subprocess.Popen[str], way: str, chance: random.Random) -> None:
    signals = {
        "kill": [signal.SIGKILL],
        "term": [signal.SIGTERM],
        "int": [signal.SIGINT],
        "hup": [signal.SIGHUP],
        "term pair": [signal.SIGTERM, signal.SIGTERM],
        "term and hup": [signal.SIGTERM, signal.SIGHUP],
        "term and kill": [signal.SIGTERM, signal.SIGKILL],
    }[way]
    for i, number in enumerate(signals):
        if i:
            time.sleep(chance.choice([0, 0, 0.001, 0.01, 0.1]))
        process.send_signal(number)


# Requests to stop: they leave no temporary file. SIGTERM twice, as `timeout` sends it to a group, is one request.
REQUESTS = ("term", "int", "hup", "term pair", "term and hup")
WAYS = ("kill", "kill", "kill", "term and kill", *REQUESTS)


def check_meanwhile(case: Case, out: Path, finished: set[str], stopped: bool, log: str) -> None:
    """After a run that was ended: every file is whole or part of the right one."""
    for name, content in read(out).items():
        place = name.removesuffix(".partial")
        if name in case.names:
            expect(content == case.expected[name], f"{name} is there and is not the undisturbed one")
        elif name.endswith(".partial") and place in case.names:
            with np.load(out / name) as part, tempfile.TemporaryDirectory() as scratch:
                whole = Path(scratch, place)
                whole.write_bytes(case.parts[place])
                with np.load(whole) as reference:
                    done = part["status"] != -1
                    expect(bool(done.any()), f"{name} holds nothing")
                    for key in ("all_losses", "all_reconstruction_losses", "status"):
                        expect(
                            np.array_equal(part[key][done], reference[key][done], equal_nan=True),
                            f"{name}: {key} is not that of the undisturbed run",
                        )
        else:
            expect(not stopped and ".tmp-" in name, f"{name} was left ({log})")
    for name in finished:
        expect((out / name).is_file(), f"{name} was finished and is gone")


def one_round(case: Case, out: Path, ways: list[str], chance: random.Random, seen: Counter[str]) -> None:
    fresh: list[str] = []
    for _ in range(chance.randint(1, 4)):
        before = state(out)
        way = chance.choice(ways)
        process = case.start(out, *fresh)
        second = case.start(out, *fresh) if chance.random() < 0.15 else None
        try:
            time.sleep(chance.random() ** 1.5 * 1.1 * case.seconds)
            end(process, way, chance)
            log, _ = process.communicate(timeout=LONGEST)
            if second:
                seen["second run"] += 1
                words, _ = second.communicate(timeout=LONGEST)
                expect(second.returncode in (0, 2), f"a second run ended with {second.returncode}: {words}")
                if second.returncode == 2:
                    seen["second run refused"] += 1
                    expect("another training is writing this file" in words and len(words.splitlines()) == 1, words)
        finally:
            for left in (process, second):
                if left and left.poll() is None:
                    left.kill()
                    left.wait()
        seen[way] += 1
        log = f"{way}, status {process.returncode}: {log.strip()}"
        # Before it listens, a signal ends it at once.
        early = process.returncode in (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
        refused = second and process.returncode == 2 and "another training" in log
        stopped = way in REQUESTS and not early
        if stopped:
            seen["stopped" if process.returncode == 130 else "too late"] += 1
            expect(process.returncode in (0, 130) or bool(refused), log)
        check_meanwhile(case, out, set(before), stopped and not second, log)
        if not fresh and not case.authors:
            expect(state(out).items() >= before.items(), f"what was finished is written again ({log})")
        fresh = ["--fresh"] if chance.random() < 0.15 else []
    for again in (False, True):
        before = state(out)
        done = subprocess.run(case.command(out), capture_output=True, text=True, timeout=LONGEST)
        expect(done.returncode == 0, f"the last run ended with {done.returncode}: {done.stderr}")
        files = read(out)
        expect(sorted(files) == sorted(case.names), f"left at the end: {sorted(files)}")
        expect(files == case.expected, "the results differ from those of an undisturbed run")
        if again and not case.authors:
            seen["finished and run again"] += 1
            expect(state(out) == before, "what was finished is written again")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS))
    arguments = parser.parse_args()
    program, rounds, seed = str(arguments.program.resolve()), arguments.rounds, arguments.seed
    chance, seen = random.Random(seed), Counter[str]()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, text in SWEEPS.items():
            (folder / f"{name}.toml").write_text(text)
        cases = [
            Case(program, folder, *words)
            for words in (
                (["tiny"], []),
                (["block"], []),
                (["tiny", "block"], []),
                (["tiny"], SHARD),
                (["block"], ["--layout", "authors"]),
            )
        ]
        for case in cases:
            case.undisturbed()
        for i in range(rounds):
            case = chance.choice(cases)
            with tempfile.TemporaryDirectory(dir=folder) as out:
                try:
                    one_round(case, Path(out), arguments.ways, chance, seen)
                except Failure as failure:
                    print(f"round {i + 1} of seed {seed}, {case.names} {case.words}: {failure}")
                    return 1
    print(
        f"{rounds} rounds, seed {seed}, {time.monotonic() - start:.0f} s: "
        + ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
