"""Reads what nvcc writes: the kernels (.entry) of a PTX file, line by line."""

import re
from dataclasses import dataclass, field


class TranslationError(Exception):
    """What the translator does not know, with its line."""


@dataclass
class Line:
    number: int
    text: str

    def error(self, why: str) -> TranslationError:
        return TranslationError(f"line {self.number}: {why}: {self.text}")


@dataclass
class Entry:
    """A kernel. Parameters and shared variables each have an offset in their space."""

    name: str
    body: list[Line] = field(default_factory=list)
    parameters: dict[str, tuple[int, int]] = field(default_factory=dict)  # offset, size
    parameter_bytes: int = 0
    shared: dict[str, int] = field(default_factory=dict)
    shared_bytes: int = 0  # without the dynamic shared memory, which begins at dynamic_offset
    dynamic: set[str] = field(default_factory=set)
    dynamic_offset: int = 0


def round_up(value: int, to: int) -> int:
    return (value + to - 1) // to * to


def short_name(mangled: str) -> str:
    """tiny_NME_T (T 1: k = 1 alone), one of the block mapping's, or the name of a planted kernel."""
    if tiny := re.search(r"StaticShapeILi(\d)ELi(\d)ELi(\d)ELb(\d)", mangled):
        return "tiny_{}{}{}_{}".format(*tiny.groups())
    block = {"train_models": "block", "train_general": "block_general", "train_large": "block_large"}
    return next((name for function, name in block.items() if function in mangled), mangled)


SIZES = {f"{s}{n}": n // 8 for s in "bus" for n in (8, 16, 32, 64)} | {"f32": 4}


PARAMETER = re.compile(r"\.param (?:\.align (\d+) )?\.(\w+)(?: \.ptr(?: \.\w+| \d+)*)? (\w+)(?:\[(\d+)\])?,?$")


def read_header(entry: Entry, line: Line) -> None:
    if m := PARAMETER.match(line.text):
        size = SIZES[m[2]] * int(m[4] or 1)
        at = round_up(entry.parameter_bytes, int(m[1] or SIZES[m[2]]))
        entry.parameters[m[3]] = (at, size)
        entry.parameter_bytes = at + size
    elif not re.match(r"\)|\.maxntid|\.minnctapersm", line.text):
        raise line.error("unknown in a kernel's header")


def read_shared(entry: Entry, line: Line) -> None:
    m = re.match(r"\.shared \.align (\d+) \.(\w+) (\w+)(?:\[(\d+)\])?;$", line.text)
    if not m or m[2] not in SIZES:
        raise line.error("unknown shared variable")
    at = round_up(entry.shared_bytes, int(m[1]))
    entry.shared[m[3]] = at
    entry.shared_bytes = at + SIZES[m[2]] * int(m[4] or 1)


def entries(path: str) -> list[Entry]:
    found: list[Entry] = []
    dynamic: set[str] = set()
    where, depth = "file", 0
    with open(path, encoding="utf-8") as file:
        lines = [Line(i, re.sub(r"//.*", "", text).strip()) for i, text in enumerate(file, 1)]
    for line in lines:
        if not line.text:
            continue
        if m := re.match(r"(?:\.visible |\.weak )?\.entry (\w+)\($", line.text):
            where, depth = "header", 0
            found.append(Entry(m[1], dynamic=dynamic))
        elif where == "file":
            if m := re.match(r"\.extern \.shared \.align \d+ \.b8 (\w+)\[\];", line.text):
                dynamic.add(m[1])
            elif not re.match(r"\.(version|target|address_size)", line.text):
                raise line.error("unknown outside of kernels")
        elif where == "header":
            if line.text == "{":
                where, depth = "body", 1
            else:
                read_header(found[-1], line)
        else:
            depth += (line.text == "{") - (line.text == "}")
            if depth == 0:
                where = "file"
            elif line.text.startswith(".shared"):
                read_shared(found[-1], line)
            else:
                found[-1].body.append(line)
    for entry in found:
        entry.dynamic_offset = round_up(entry.shared_bytes, 16)
    return found
