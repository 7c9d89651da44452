"""Builds the fuzz harnesses with clang and runs each for its share of the time.

    python tests/fuzz/run.py --build DIR [--seconds 60] [--runs N] [--fixed N] [HARNESS ..]

libFuzzer's own inputs differ from run to run, whatever its seed. The tests take --fixed, whose inputs do not: the corpus
and changes to it, drawn here. What a harness finds stays in DIR/found; exit status 1 says so, and 77 that there is no clang to do it.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from random import Random

import numpy as np

HERE = Path(__file__).resolve().parent
HARNESSES = ("sweep_file", "set", "npz", "checkpoint", "merge")
MOST_MEMORY_MB = 2048  # a reader that takes more has no limit


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzzes what reads files.")
    parser.add_argument("--build", type=Path, required=True, help="folder to build in")
    parser.add_argument("--seconds", type=int, default=60, help="of all harnesses together (default 60)")
    parser.add_argument("--runs", type=int, help="inputs for each harness, instead of a time")
    parser.add_argument("--fixed", type=int, help="inputs for each harness, the same on every machine")
    parser.add_argument("harnesses", nargs="*", metavar="HARNESS", help=f"of {', '.join(HARNESSES)} (default all)")
    options = parser.parse_args()
    clang = shutil.which("clang++")
    if clang is None or not has_libfuzzer(clang, options.build):
        print("fuzz: skipped, for there is no clang with libFuzzer: apt-get install clang")
        return 77
    configure = ["cmake", "-S", HERE, "-B", options.build, f"-DCMAKE_CXX_COMPILER={clang}", "-G", "Ninja"]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", options.build], check=True, stdout=subprocess.DEVNULL)
    chosen = options.harnesses or HARNESSES
    failed = [name for name in chosen if not fuzz(name, options, len(chosen))]
    for name in failed:
        print(f"fuzz: {name} found something; its input is in {options.build}/found")
    return 1 if failed else 0


def has_libfuzzer(clang: str, build: Path) -> bool:
    build.mkdir(parents=True, exist_ok=True)
    source = build / "probe.cpp"
    source.write_text('extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n')
    probe = [clang, "-fsanitize=fuzzer,address", source, "-o", build / "probe"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def fuzz(name: str, options: argparse.Namespace, share: int) -> bool:
    """Runs a harness, says how far it came, and returns whether it found nothing."""
    found = options.build / "found"
    found.mkdir(exist_ok=True)
    command = [options.build / f"fuzz_{name}", "-seed=1", "-timeout=20", f"-rss_limit_mb={MOST_MEMORY_MB}"]
    command += ["-max_len=65536", "-print_final_stats=1", f"-artifact_prefix={found}/{name}-"]
    if options.fixed:
        corpus = options.build / "fixed" / name
        shutil.rmtree(corpus, ignore_errors=True)
        write(corpus, fixed_inputs(name, options.fixed))
        command += ["-runs=0", corpus]
    else:
        corpus = options.build / "corpus" / name
        write(corpus, seeds(name))
        command += [f"-runs={options.runs}" if options.runs else f"-max_total_time={max(1, options.seconds // share)}", corpus]
        if words(name):
            command.append(f"-dict={HERE / f'{name}.dict'}")
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    inputs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    print(f"{name}: {inputs[1] if inputs else '?'} inputs, {covered[-1] if covered else '?'} edges covered", flush=True)
    if done.returncode != 0:
        print(done.stderr[-6000:])
    return done.returncode == 0


def write(folder: Path, inputs: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, content in inputs.items():
        (folder / stem).write_bytes(content)


def words(name: str) -> list[bytes]:
    """The words of a harness's dictionary, if it has one."""
    path = HERE / f"{name}.dict"
    quoted = re.findall(r'"((?:[^"\\]|\\.)+)"', path.read_text()) if path.exists() else []
    return [word.encode().decode("unicode_escape").encode() for word in quoted]


def fixed_inputs(name: str, count: int) -> dict[str, bytes]:
    """The corpus, then changes to it: bytes set, cut, doubled, words put in, two inputs joined."""
    inputs = dict(sorted(seeds(name).items()))
    corpus = list(inputs.values())
    for at in range(len(inputs), count):
        random = Random(f"{name} {at}")
        text = bytearray(random.choice(corpus)[:4096])
        for _ in range(random.choice((1, 1, 2, 4))):
            change(text, random, corpus, words(name))
        inputs[f"changed{at}"] = bytes(text)
    return inputs


def change(text: bytearray, random: Random, corpus: list[bytes], dictionary: list[bytes]) -> None:
    here, there = sorted((random.randint(0, len(text)), random.randint(0, len(text))))
    kind = random.choice(("set", "flip", "cut", "double", "join", "number") + ("word",) * 3 * bool(dictionary))
    if kind == "set" and here < len(text):
        text[here] = random.choice(b"\x00\x7f\x80\xff\"'[]{}=#.,\n") if random.random() < 0.7 else random.randrange(256)
    if kind == "flip" and here < len(text):
        text[here] ^= 1 << random.randrange(8)
    if kind == "cut":
        del text[here : min(there, here + 64)]
    if kind == "double":
        text[here:here] = text[here : min(there, here + 64)]
    if kind == "join":
        other = random.choice(corpus)
        begin = random.randint(0, len(other))
        text[here : min(there, here + 256)] = other[begin : begin + 256]
    if kind == "number":
        text[here:here] = random.choice((b"9" * 20, b"-1", b"1e308", b"nan", b"0x", b"2147483648"))
    if kind == "word":
        text[here : here + random.choice((0, 8))] = random.choice(dictionary)


def seeds(name: str) -> dict[str, bytes]:
    """The corpus of a harness: what lies in the tree, and what is easily made."""
    there = {path.name: path.read_bytes() for path in sorted((HERE / "corpus" / name).glob("*"))}
    if name == "sweep_file":
        there |= {path.name: path.read_bytes() for path in (HERE.parents[1] / "experiments").glob("*.toml")}
    if name == "npz":
        there |= {"stored": archive(zipfile.ZIP_STORED), "deflated": archive(zipfile.ZIP_DEFLATED)}
    if name in ("checkpoint", "merge"):
        there |= {f"edit{at}": bytes([at % 2, at, at % 8, 3, 0, at, 0, 0]) for at in range(32)}
    return there


def archive(compression: int) -> bytes:
    """An .npz of every kind of array."""
    arrays = {
        "sparsity_values": np.array([0.1, 0.5]),
        "final_losses": np.zeros((2, 3), np.float32),
        "expert_weights": np.asfortranarray(np.ones((2, 3))),
        "kept": np.array([0, -1], np.int64),
        "config": np.array("{}"),
        "key": np.zeros(0, np.int32),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as file:
        for key, array in arrays.items():
            entry = io.BytesIO()
            np.save(entry, array)
            file.writestr(zipfile.ZipInfo(f"{key}.npy"), entry.getvalue(), compression)
    return packed.getvalue()


if __name__ == "__main__":
    sys.exit(main())
