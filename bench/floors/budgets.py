"""Budgets of the kernels: registers, stack, local and shared memory, and instructions of the loops over samples.

    python bench/floors/budgets.py check  --build build    exit 1 where a kernel has grown past budgets.json here
    python bench/floors/budgets.py record --build build    writes the file anew, with what the build has now

Budgets hold for the compilers they were recorded with (major versions): under others, and for what the machine has no
tool to read, the check says what it left out; where it could check nothing it exits with 77, which ctest calls skipped.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import machine_code
from disassembly import NoTool

BUDGETS = Path(__file__).resolve().with_name("budgets.json")
SKIPPED = 77

# What a number may grow by, by the last part of its name: a share of it, or so many. Spills (local, stack): nothing.
ALLOWED_SHARE = {"instructions": 0.03, "executed": 0.03}
ALLOWED_MORE = {"registers": 4, "shared": 64}

# Executed instructions are counted for these shapes; one of every kind of step, as each takes seconds.
EXECUTED_CASES = ("211", "323", "fig3_dense_m20", "fig3_10_experts", "table1")


def compiler_versions(build: Path) -> dict[str, str]:
    """Major versions by language: {"CXX": "GNU 12", "CUDA": "NVIDIA 13"}, the latter where nvcc was found."""
    versions = {}
    for language in ("CXX", "CUDA"):
        for path in build.glob(f"CMakeFiles/*/CMake{language}Compiler.cmake"):
            text = path.read_text()
            name = re.search(rf'CMAKE_{language}_COMPILER_ID "(\w+)"', text)
            version = re.search(rf'CMAKE_{language}_COMPILER_VERSION "(\d+)', text)
            if name and version:
                versions[language] = f"{name[1]} {version[1]}"
    return versions


def read_cuda(build: Path) -> dict[str, float]:
    """Of every training kernel on every architecture: registers, stack, local, shared and the hot loop's instructions.

    Only the objects of Figure 4 (n = 2 and 3) and of the block mapping: the others are the same code.
    """
    objects = [p for p in machine_code.build_objects(build) if re.search(r"cuda_[23]\.dir|block_cuda", str(p))]
    numbers: dict[str, float] = {}
    for architecture in ("sm_80", "sm_90"):
        for kernel in machine_code.read_kernels(objects, architecture) if objects else []:
            name = f"cuda/{architecture}/{kernel.name}"
            if not kernel.name.startswith(("tiny/", "block")):
                continue
            numbers |= {
                f"{name}/registers": kernel.registers,
                f"{name}/stack": kernel.stack,
                f"{name}/local": kernel.local,
                f"{name}/shared": kernel.shared,
                f"{name}/instructions": kernel.hot_loop or kernel.instructions,
            }
    return numbers


def read_avx512(build: Path) -> dict[str, float]:
    """Vector instructions of the two loops over samples, of every shape with n = 2 and 3."""
    numbers: dict[str, float] = {}
    for path in sorted(build.glob("kernels/CMakeFiles/phasegrid_avx512_[23].dir/tiny/tiny_cpu.cpp.o")):
        for shape, loops in machine_code.read_tiny_object(path).items():
            numbers[f"avx512/tiny/{shape}/draw/instructions"] = loops["draw"]
            numbers[f"avx512/tiny/{shape}/add/instructions"] = loops["add"]
    return numbers


def read_executed(build: Path) -> dict[str, float]:
    """Instructions a training executes a sample on AVX2, of all kinds."""
    numbers: dict[str, float] = {}
    program = build / "bench/train_once"
    for case in EXECUTED_CASES if program.exists() else ():
        batch = 512 if case[0].isdigit() else 1024
        numbers[f"avx2/{case}/executed"] = round(machine_code.executed_in_all(program, case) / batch, 2)
    return numbers


READERS = (("cuda", "CUDA", read_cuda), ("avx512", "CXX", read_avx512), ("avx2", "CXX", read_executed))


def read_all(build: Path, languages: set[str]) -> tuple[dict[str, float], list[str]]:
    """All numbers that the build and the machine's tools give, and a sentence for each part left out."""
    numbers: dict[str, float] = {}
    left_out: list[str] = []
    for part, language, reader in READERS:
        if language not in languages:
            left_out.append(f"{part}: not checked")
            continue
        try:
            found = reader(build)
        except NoTool as error:
            left_out.append(f"{part}: not checked, {error}")
            continue
        if not found:
            left_out.append(f"{part}: not checked, the build has no such objects")
        numbers |= found
    return numbers, left_out


def part_of(name: str) -> str:
    """What is built or not as one: avx2, avx512, and every kind of GPU, cuda/sm_90."""
    return "/".join(name.split("/")[: 2 if name.startswith("cuda/") else 1])


def allowed(name: str, budget: float) -> float:
    """The largest number that is within a budget."""
    kind = name.rsplit("/", 1)[-1]
    return budget * (1 + ALLOWED_SHARE.get(kind, 0)) + ALLOWED_MORE.get(kind, 0)


def exceeded(budgets: dict[str, float], numbers: dict[str, float]) -> list[str]:
    """One sentence for every number past its budget, or without one."""
    sentences = []
    for name, number in sorted(numbers.items()):
        if name not in budgets:
            sentences.append(f"{name}: {number:g}, and no budget is recorded for it")
        elif number > allowed(name, budgets[name]):
            sentences.append(
                f"{name}: {number:g} where {budgets[name]:g} (at most {allowed(name, budgets[name]):g}) is budgeted"
            )
    return sentences


def check(build: Path, path: Path) -> int:
    """0 where everything is within its budget, 1 where not, 77 where nothing could be checked."""
    recorded: dict[str, Any] = json.loads(path.read_text())
    here = compiler_versions(build)
    same = {language for language, version in recorded["compilers"].items() if here.get(language) == version}
    for language in sorted(set(recorded["compilers"]) - same):
        print(f"budgets: recorded with {recorded['compilers'][language]}; this build has {here.get(language, 'none')}, "
              f"so what {language} made is not checked")  # fmt: skip
    numbers, left_out = read_all(build, same)
    for sentence in left_out:
        print(f"budgets: {sentence}")
    parts = {part_of(name) for name in numbers}
    for part in sorted({part_of(name) for name in recorded["budgets"]} - parts):
        print(f"budgets: {part}: not checked, the build has none")
    missing = [n for n in recorded["budgets"] if n not in numbers and part_of(n) in parts]
    past = exceeded(recorded["budgets"], numbers) + [f"{name}: budgeted, but not in this build" for name in missing]
    for sentence in past:
        print(f"budgets: {sentence}")
    print(f"budgets: {len(numbers)} numbers checked, {len(past)} past their budget")
    if not numbers:
        return SKIPPED
    return 1 if past else 0


def record(build: Path, path: Path) -> int:
    """Writes the numbers of a build as budgets; what this machine cannot read keeps its old budget."""
    compilers = compiler_versions(build)
    numbers, left_out = read_all(build, set(compilers))
    old = json.loads(path.read_text()) if path.exists() else {"compilers": {}, "budgets": {}}
    parts = {part_of(name) for name in numbers}
    kept = {name: budget for name, budget in old["budgets"].items() if part_of(name) not in parts}
    recorded = {
        "about": "Written by bench/floors/budgets.py record; see there for the allowances.",
        "compilers": old["compilers"] | compilers,
        "budgets": dict(sorted((kept | numbers).items())),
    }
    path.write_text(json.dumps(recorded, indent=1) + "\n")
    for sentence in left_out:
        print(f"budgets: {sentence}; its old budgets stay")
    print(f"budgets: {len(numbers)} numbers recorded in {path}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["check", "record"])
    parser.add_argument("--build", type=Path, default=machine_code.PROJECT / "build", help="build folder")
    parser.add_argument("--budgets", type=Path, default=BUDGETS, help="budget file")
    arguments = parser.parse_args()
    if not compiler_versions(arguments.build):
        print(f"budgets.py: {arguments.build} is no build folder of CMake", file=sys.stderr)
        return 2
    if arguments.action == "record":
        return record(arguments.build, arguments.budgets)
    if not arguments.budgets.exists():
        print(f"budgets.py: there is no {arguments.budgets}", file=sys.stderr)
        return 2
    return check(arguments.build, arguments.budgets)


if __name__ == "__main__":
    sys.exit(main())
