"""Disassemblies of GPUs and x86-64 CPUs: instructions of functions, their loops, and classes of instructions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cache
from itertools import compress
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly. `target` is where a branch goes, `predicated` whether it may be passed over."""

    address: int
    name: str
    operands: str = ""
    target: int | None = None
    predicated: bool = False


@dataclass
class Loop:
    """A back edge's addresses, and the loops inside. `own` leaves the inner loops' instructions out."""

    first: int
    last: int
    own: list[Instruction] = field(default_factory=list)
    inner: list[Loop] = field(default_factory=list)


class NoTool(Exception):
    """A program that reads machine code is missing; the message says which."""


def find_tool(name: str) -> str:
    """The path of a program: on the PATH, in CUDA's toolkit, or from PyPI beside this Python. Raises NoTool."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = Path(sys.prefix) / "lib" / version / "site-packages/nvidia"
    places = [Path("/usr/local/cuda/bin"), *sorted(site.glob("*/bin"))]
    found = shutil.which(name) or next((str(p / name) for p in places if (p / name).exists()), None)
    if found is None:
        raise NoTool(f"{name} is not installed")
    return found


def run(arguments: list[str]) -> str:
    """Standard output of a program. Raises RuntimeError with what it said where it fails."""
    folders = {str(Path(arguments[0]).parent), "/usr/bin", "/bin"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env={"PATH": ":".join(folders)})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    return done.stdout


# ---------------------------------------------------------------- disassembly

SASS_LINE = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+ )?\s*([A-Z][\w.]*)\s*([^;]*);")
SASS_FUNCTION = re.compile(r"^\s+Function : (\S+)")
SASS_TARGET = re.compile(r"0x([0-9a-f]+)\s*$")


def parse_sass(text: str) -> dict[str, list[Instruction]]:
    """Instructions of every function in the output of `cuobjdump -sass`, by mangled name."""
    functions: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        if match := SASS_FUNCTION.match(line):
            current = functions.setdefault(match[1], [])
        elif match := SASS_LINE.match(line):
            name, operands = match[3], match[4].strip()
            target = None
            if name.split(".")[0] == "BRA" and (found := SASS_TARGET.search(operands)):
                target = int(found[1], 16)
            current.append(Instruction(int(match[1], 16), name, operands, target, match[2] is not None))
    return functions


OBJDUMP_FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
OBJDUMP_LINE = re.compile(r"^\s*([0-9a-f]+):\s+([a-z]\w*(?: [a-z]\w+)??)(?:\s+(.*))?$")


def parse_objdump(text: str) -> dict[str, list[Instruction]]:
    """Instructions of every function in the output of `objdump -d --no-show-raw-insn`, by name as printed."""
    functions: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        if match := OBJDUMP_FUNCTION.match(line):
            current = functions.setdefault(match[1], [])
        elif match := OBJDUMP_LINE.match(line):
            name, operands = match[2].split()[0], match[3] or ""
            target = None
            if name.startswith("j") and (found := re.match(r"([0-9a-f]+) <", operands)):
                target = int(found[1], 16)
            current.append(Instruction(int(match[1], 16), name, operands, target))
    return functions


def loops_of(instructions: list[Instruction]) -> list[Loop]:
    """All loops of a function, outer ones first: address ranges between a branch backwards and its target.

    Compilers lay a loop's body out in one piece but for what they take for rare, so a range is the loop. Ranges that
    share a first instruction are one loop with several ways back.
    """
    last_of: dict[int, int] = {}
    for instruction in instructions:
        if instruction.target is not None and instruction.target < instruction.address:
            last_of[instruction.target] = max(last_of.get(instruction.target, 0), instruction.address)
    loops = [Loop(first, last) for first, last in sorted(last_of.items(), key=lambda item: (item[0], -item[1]))]
    for index, loop in enumerate(loops):
        loop.inner = [other for other in loops[index + 1 :] if other.first >= loop.first and other.last <= loop.last]
    addresses = [i.address for i in instructions]
    for loop in loops:
        begin, end = bisect_left(addresses, loop.first), bisect_right(addresses, loop.last)
        mine = bytearray(b"\1") * (end - begin)
        for other in loop.inner:
            first, last = bisect_left(addresses, other.first) - begin, bisect_right(addresses, other.last) - begin
            mine[first:last] = bytes(last - first)
        loop.own = list(compress(instructions[begin:end], mine))
    return loops


# ---------------------------------------------------------------- classes

SASS_CLASSES: dict[str, tuple[str, ...]] = {
    "fma": ("FFMA",),
    "arithmetic": ("FADD", "FMUL"),
    "wide": ("IMAD.WIDE", "IMAD.HI"),
    "convert": ("I2F", "I2FP", "F2I"),
    "special": ("MUFU",),
    "shuffle": ("SHFL", "VOTE", "MATCH"),
    "memory": ("LDS", "STS", "LD", "ST", "LDG", "STG", "LDC"),
    "local": ("LDL", "STL"),
    "logic": ("LOP3", "SHF", "LEA", "IADD3", "ISETP", "FSETP", "FSEL", "SEL", "FMNMX", "IMNMX", "PLOP3", "POPC", "IADD",
              "VIADD", "VIMNMX", "P2R", "R2P", "FSET", "PRMT", "SGXT", "BMSK", "FLO", "FCHK", "LOP", "IABS"),
    "move": ("MOV", "IMAD.MOV", "CS2R", "S2R", "R2UR", "HFMA2.MMA", "HFMA2", "S2UR", "UMOV"),
    "integer": ("IMAD",),
}  # fmt: skip


@cache
def sass_class(name: str) -> str:
    """The class of a GPU's instruction: those of operations.hpp, or move, integer (IMAD), local, uniform, control."""
    if name.startswith("U") and name not in ("UMOV",):
        return "uniform"
    for group, names in SASS_CLASSES.items():
        if any(name == n or name.startswith(n + ".") for n in names):
            if group == "fma" or name.split(".")[0] != "IMAD":
                return group
            break
    if name.startswith(("IMAD.WIDE", "IMAD.HI")):
        return "wide"
    if name.startswith(("IMAD.MOV", "IMAD.SHL", "IMAD.IADD")):
        return "move" if "MOV" in name else "logic"
    if name.startswith("IMAD"):
        return "integer"
    return "control"


X86_CLASSES: tuple[tuple[str, str], ...] = (
    ("fma", r"vf(n?m(add|sub)|maddsub)\d+[ps]s"),
    ("wide", r"vpmuludq"),
    ("convert", r"vcvt(dq2ps|tps2dq|si2ss)"),
    ("special", r"v(div|sqrt)[ps]s"),
    ("arithmetic", r"v(add|sub|mul)[ps]s"),
    (
        "shuffle",
        r"v(p?shuf|perm|p?unpck|p?broadcast|extract|insert|pack|pslldq|palignr|pmovsx|pmovzx|pcompress|pexpand"
        r"|movss|movlhps|movhlps|movshdup|movsldup)\w*",
    ),
    (
        "logic",
        r"v(p?(and|or|xor|andn|tern)\w*|cmp\w+|pcmp\w+|p?blend\w*|max\w+|min\w+|p?s[rl][la]\w+|padd\w|psub\w"
        r"|ptest\w*|test\w+|movmsk\w+|pmovmsk\w*)|k\w+",
    ),
    ("memory", r"v(l?mov\w+|mask\w+|gather\w+)"),
    ("control", r"v(zeroupper|zeroall)"),
)  # fmt: skip
X86_COMPILED = tuple((group, re.compile(pattern + r"$")) for group, pattern in X86_CLASSES)


def x86_class(instruction: Instruction) -> str:
    """The class of a CPU's instruction: those of operations.hpp, move (between registers) and scalar (no vector)."""
    for group, pattern in X86_COMPILED:
        if pattern.match(instruction.name):
            if group in ("memory", "shuffle") and "mov" in instruction.name and "(" not in instruction.operands:
                return "move"
            if "broadcast" in instruction.name and "(" in instruction.operands:
                return "memory"
            return group
    return "scalar"


def reads_memory(instruction: Instruction) -> bool:
    """Whether a CPU's vector instruction takes an operand from memory."""
    return "(" in instruction.operands or "rip" in instruction.operands
