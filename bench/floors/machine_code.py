"""Holds the counted operations (bench/floors/operations.hpp) against the machine code of a build.

    python bench/floors/machine_code.py --build build [--case 322] [--out FILE.json]

prints counted / real for
  sm_80, sm_90  the tiny mapping's round of samples in each kernel (cuobjdump and nvdisasm: the toolkit's or PyPI's);
                of the block mapping, whose loops are many, the file has the largest innermost ones
  avx512        the two innermost loops of the tiny mapping's sum_gradients, which draw and add samples (objdump)
  avx2          every vector instruction that a training executes, both mappings (valgrind's callgrind, which knows no
                AVX-512)
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from disassembly import (
    Instruction,
    Loop,
    NoTool,
    find_tool,
    loops_of,
    parse_objdump,
    parse_sass,
    reads_memory,
    run,
    sass_class,
    x86_class,
)

PROJECT = Path(__file__).resolve().parents[2]

# ---------------------------------------------------------------- CUDA objects

SHAPE = re.compile(r"StaticShapeILi(\d)ELi(\d)ELi(\d)ELb(\d)E")


def kernel_name(mangled: str) -> str:
    """tiny/NMEk1 (top-1) or tiny/NMEk of a training kernel, "block", "block_general" or "block_large" of the block mapping's,
    else the mangled name.
    """
    for function in ("general", "large"):
        if f"train_{function}" in mangled:
            return f"block_{function}"
    if "train_models" not in mangled:
        return mangled
    if match := SHAPE.search(mangled):
        return f"tiny/{match[1]}{match[2]}{match[3]}" + ("" if match[4] == "1" else "k")
    return "block"


@dataclass
class Kernel:
    """A CUDA kernel on one architecture ("sm_80", "sm_90")."""

    name: str
    architecture: str
    registers: int
    stack: int
    local: int
    shared: int
    instructions: int = 0
    hot_loop: int = 0  # instructions, of `samples` samples of a lane
    samples: int = 1
    classes: dict[str, int] = field(default_factory=dict)
    loops: list[dict[str, Any]] = field(default_factory=list)


RESOURCES = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")


def samples_of_round(features: int) -> int:
    """Samples a thread draws at once: kernels/tiny/samples.hpp, Round."""
    return 1 if features % 4 == 0 else 2 if features % 2 == 0 else 4


def hot_loop(instructions: list[Instruction], conversions: int) -> Loop | None:
    """The training step's round of samples: the longest of the loops that draw inputs and reduce nothing.

    `conversions`: features drawn in a round; a loop over initial parameters, which draws as well, has fewer.
    """
    best: Loop | None = None
    for loop in loops_of(instructions):
        classes = Counter(sass_class(i.name) for i in loop.own)
        if classes["wide"] < 4 or classes["convert"] < conversions or classes["shuffle"] > 0:
            continue
        if best is None or len(loop.own) > len(best.own):
            best = loop
    return best


def read_kernels(objects: list[Path], architecture: str) -> list[Kernel]:
    """Resources and hot loops of the training kernels in CUDA objects. Raises NoTool without cuobjdump."""
    tool = find_tool("cuobjdump")
    find_tool("nvdisasm")  # cuobjdump asks it
    kernels: list[Kernel] = []
    for path in objects:
        usage = run([tool, "--dump-resource-usage", "-arch", architecture, str(path)])
        sass = parse_sass(run([tool, "-sass", "-arch", architecture, str(path)]))
        function = ""
        for line in usage.splitlines():
            if match := re.match(r"\s*Function (\S+):", line):
                function = match[1]
            elif function and (match := RESOURCES.search(line)):
                registers, stack, shared, local = (int(n) for n in match.groups())
                kernel = Kernel(kernel_name(function), architecture, registers, stack, local, shared)
                add_code(kernel, sass.get(function, []))
                kernels.append(kernel)
                function = ""
    return kernels


def add_code(kernel: Kernel, instructions: list[Instruction]) -> None:
    """Fills in what the disassembly says about a kernel."""
    kernel.instructions = sum(i.name != "NOP" for i in instructions)
    if kernel.name.startswith("tiny/"):
        features = int(kernel.name[len("tiny/")])
        kernel.samples = samples_of_round(features)
        loop = hot_loop(instructions, features * kernel.samples)
        if loop is not None:
            kernel.hot_loop = len(loop.own)
            kernel.classes = dict(Counter(sass_class(i.name) for i in loop.own))
    else:
        innermost = [loop for loop in loops_of(instructions) if not loop.inner and len(loop.own) >= 24]
        for loop in sorted(innermost, key=lambda loop: -len(loop.own))[:12]:
            classes = dict(Counter(sass_class(i.name) for i in loop.own))
            kernel.loops.append({"address": loop.first, "instructions": len(loop.own), "classes": classes})


# ---------------------------------------------------------------- CPU objects


def read_tiny_object(path: Path) -> dict[str, dict[str, Any]]:
    """The loops of sum_gradients in an object of kernels/tiny/tiny_cpu.cpp, by shape ("211", or "211k" for any k).

    `draw` makes the inputs of a round, `add` is one sample's share of the sums; numbers are of vector instructions. Of a
    mixture with k = 1, `add` is several loops (kernels/tiny/backward.hpp, add_samples_top1): it is routed, exponentiated,
    mixed and sloped, and for each expert its products are added, n x n of them.
    """
    text = run([find_tool("objdump"), "-d", "--no-show-raw-insn", "-w", str(path)])
    found: dict[str, dict[str, Any]] = {}
    for name, instructions in parse_objdump(text).items():
        match = SHAPE.search(name)
        if match is None or "sum_gradients" not in name:
            continue
        shape = f"{match[1]}{match[2]}{match[3]}" + ("" if match[4] == "1" else "k")
        innermost = [loop for loop in loops_of(instructions) if not loop.inner]
        classes = [Counter(x86_class(i) for i in loop.own) for loop in innermost]
        draws = [c for c in classes if c["wide"] > 0]
        adds = [c for c in classes if c["wide"] == 0 and c["fma"] > 0 and c["shuffle"] < 8]  # the others reduce
        if draws and adds:
            vector = ("fma", "arithmetic", "logic", "wide", "convert", "special", "shuffle")
            if match[4] == "1" and match[3] != "1":
                # gcc writes all of them out several times, each set in an order of its own.
                products, experts = int(match[1]) ** 2, int(match[3])
                sets, left = divmod(len(adds), 4 + experts)
                if left or sum(part["fma"] == products for part in adds) < sets * experts:
                    raise ValueError(
                        f"{path}: {name}: {len(adds)} loops, of which {4 + experts} a set were expected, {experts} of them "
                        f"with {products} products"
                    )
                total = sum(adds, Counter())
                add = Counter({v: round(total[v] / sets) for v in total})
            else:
                # With a load balance and without are two loops, or one with a branch: the larger is the paper's.
                add = max(adds, key=lambda c: sum(c[v] for v in vector))
            draw = max(draws, key=lambda c: sum(c[v] for v in vector))
            found[shape] = {
                "samples": samples_of_round(int(shape[0])),
                "draw": sum(draw[v] for v in vector),
                "add": sum(add[v] for v in vector),
                "draw_classes": dict(draw),
                "add_classes": dict(add),
            }
    return found


# ---------------------------------------------------------------- what a training executes


def parse_callgrind(text: str) -> Counter[int]:
    """Executions of every instruction address in a profile of `--dump-instr=yes`, calls' inclusive costs left out."""
    executed: Counter[int] = Counter()
    address, line_after_call = 0, False
    for line in text.splitlines():
        if line.startswith("calls="):
            line_after_call = True
            continue
        match = re.match(r"(0x[0-9a-f]+|\+\d+|-\d+|\*) (?:\S+ )?(\d+)$", line)
        if match is None:
            continue
        where = match[1]
        if where.startswith("0x"):
            address = int(where, 16)
        elif where != "*":
            address += int(where)
        if not line_after_call:
            executed[address] += int(match[2])
        line_after_call = False
    return executed


@cache
def classes_of(program: Path) -> dict[int, str]:
    """The class of every instruction of a program by its address; "/memory" behind it where it also reads memory."""
    text = run([find_tool("objdump"), "-d", "--no-show-raw-insn", "-w", str(program)])
    classes: dict[int, str] = {}
    for instructions in parse_objdump(text).values():
        for i in instructions:
            name = x86_class(i)
            classes[i.address] = name + ("/memory" if name != "memory" and reads_memory(i) else "")
    return classes


@cache
def kernel_code(program: Path) -> list[tuple[int, int]]:
    """Address ranges of the AVX2 kernels' functions in a program, ascending."""
    ranges = []
    for line in run([find_tool("nm"), "-S", "--defined-only", str(program)]).splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "tTW" and "9phasegrid4avx2" in fields[3]:
            ranges.append((int(fields[0], 16), int(fields[0], 16) + int(fields[1], 16)))
    return sorted(ranges)


def executed(program: Path, case: str, steps: int) -> Counter[int]:
    """Executions of the kernels' instructions in a training of so many steps, by address (callgrind, AVX2).

    What the library around them executes depends on how long a training takes, so it is left out.
    """
    out = program.parent / f"callgrind.{case}.{steps}"
    arguments = [find_tool("valgrind"), "--tool=callgrind", "--dump-instr=yes", "--dump-line=no"]
    run([*arguments, "--compress-pos=no", f"--callgrind-out-file={out}", str(program), case, str(steps), "avx2"])
    counts = parse_callgrind(out.read_text())
    out.unlink()
    ranges = kernel_code(program)
    inside = Counter[int]()
    for address, times in counts.items():
        at = bisect_right(ranges, (address, sys.maxsize)) - 1
        if at >= 0 and address < ranges[at][1]:
            inside[address] = times
    return inside


def executed_a_step(program: Path, case: str, steps: tuple[int, int]) -> Counter[int]:
    """The same for one step, times the steps between the two numbers: start and end are in both and cancel."""
    fewer, more = (executed(program, case, number) for number in steps)
    more.subtract(fewer)
    return more


def executed_by_class(program: Path, case: str, steps: tuple[int, int] = (2, 4)) -> dict[str, float]:
    """Instructions of each class in one step of a training."""
    classes = classes_of(program)
    counts: Counter[str] = Counter()
    for address, times in executed_a_step(program, case, steps).items():
        counts[classes[address]] += times
    return {name: number / (steps[1] - steps[0]) for name, number in counts.items()}


def executed_in_all(program: Path, case: str, steps: tuple[int, int] = (2, 4)) -> float:
    """Instructions of one step of a training, of all classes."""
    return executed_a_step(program, case, steps).total() / (steps[1] - steps[0])


# ---------------------------------------------------------------- counted against real


def build_objects(build: Path) -> list[Path]:
    """The CUDA objects of a build, empty where it has no CUDA."""
    return sorted(build.glob("kernels/CMakeFiles/phasegrid_*cuda*.dir/**/*.cu.o"))


VECTOR = ("fma", "arithmetic", "logic", "wide", "convert", "special", "shuffle")


def compare(build: Path, rows: list[dict[str, Any]], cases: list[str]) -> list[dict[str, Any]]:
    """Counted and real instructions a sample of every shape and machine that the build and the tools allow."""
    table: list[dict[str, Any]] = []
    by_key = {(row["mapping"], row["machine"], row["case"]): row for row in rows}
    wanted = [row for row in rows if not cases or row["case"] in cases]

    def add(machine: str, case: str, mapping: str, what: str, counted: float, real: float, **more: Any) -> None:
        ratio = counted / real if real else 0.0
        table.append({"machine": machine, "case": case, "mapping": mapping, "what": what, "counted": counted,
                      "real": real, "counted_over_real": ratio, **more})  # fmt: skip

    for architecture in ("sm_80", "sm_90"):
        objects = build_objects(build)
        for kernel in read_kernels(objects, architecture) if objects else []:
            case = kernel.name.removeprefix("tiny/")
            row = by_key.get(("tiny", "cuda", case))
            if kernel.name.startswith("tiny/") and row in wanted and row is not None:
                real = kernel.hot_loop / kernel.samples / 32
                add(architecture, case, "tiny", "hot loop", row["per_sample"]["total"], real, classes=kernel.classes)
            elif kernel.name == "block" and not cases:
                table.append({"machine": architecture, "case": "any", "mapping": "block", "what": "loops",
                              "registers": kernel.registers, "loops": kernel.loops})  # fmt: skip
    for path in sorted(build.glob("kernels/CMakeFiles/phasegrid_avx512_[2-3].dir/tiny/tiny_cpu.cpp.o")):
        for case, loops in read_tiny_object(path).items():
            row = by_key.get(("tiny", "avx512", case))
            if row is not None and row in wanted:
                real = (loops["draw"] / loops["samples"] + loops["add"]) / 16
                counted = row["per_sample"]["total"] - row["per_sample"]["memory"]
                add("avx512", case, "tiny", "inner loops", counted, real, loops=loops)
    for row in wanted:
        if row["machine"] == "avx2":
            step = executed_by_class(build / "bench/train_once", row["case"])
            classes = {name: number / row["batch"] for name, number in step.items()}
            vector = sum(n for name, n in classes.items() if name.split("/")[0] in VECTOR)
            counted = row["total"]["total"] - row["total"]["memory"]
            every = sum(classes.values())
            add(
                "avx2",
                row["case"],
                row["mapping"],
                "executed",
                counted,
                vector,
                every_instruction=every,
                classes=classes,
            )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=PROJECT / "build", help="build folder (default build)")
    parser.add_argument("--case", action="append", default=[], help="only this shape, e.g. 322 or table1; repeatable")
    parser.add_argument("--out", type=Path, help="JSON file; all numbers")
    arguments = parser.parse_args()
    counter = arguments.build / "bench/count_operations"
    if not counter.exists():
        print(f"machine_code.py: no {counter}; build it first, or name the build folder with --build", file=sys.stderr)
        return 2
    scratch = arguments.build / "bench"
    try:
        run([str(counter), "--out", str(scratch / "counted.json")])
        rows = json.loads((scratch / "counted.json").read_text())["rows"]
        table = compare(arguments.build, rows, arguments.case)
    except NoTool as error:
        print(f"machine_code.py: {error}", file=sys.stderr)
        return 2
    print(f"{'machine':8} {'mapping':7} {'case':16} {'what':12} {'counted':>9} {'real':>9} {'counted/real':>13}")
    for row in table:
        if "counted" in row:
            print(f"{row['machine']:8} {row['mapping']:7} {row['case']:16} {row['what']:12} {row['counted']:9.3f} "
                  f"{row['real']:9.3f} {100 * row['counted_over_real']:12.0f}%")  # fmt: skip
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps({"rows": table}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
