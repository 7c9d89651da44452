"""One kernel of a PTX file as a C++ function that one thread executes: translate.py FILE.ptx KERNEL OUT.cpp"""

import argparse
import re
import sys

from instructions import C_TYPES, KINDS, TABLE, Instruction, bits, unsigned
from parse import Entry, Line, TranslationError, entries, short_name

REGISTERS = {"p": "pred", "rs": "b16", "f": "f32", "r": "b32", "rd": "b64"}
SPECIAL = {"%tid.x": "me.tid", "%ntid.x": "me.block_threads", "%ctaid.x": "me.block_number"}


def split_operands(text: str) -> list[str]:
    """At the commas outside of braces."""
    return [part.strip() for part in re.findall(r"(?:\{[^}]*\}|[^,{])+", text)]


class Translator:
    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.code: list[str] = []
        self.line = Line(0, "")
        self.used_bytes: int | None = None  # of the load that follows, where the compiler widened it
        self.blocks: list[list[int]] = []  # of each basic block, its instructions by kind
        self.sites: list[tuple[int, str]] = []  # lines that a mutation may change
        self.open_block = False

    def emit(self, text: str) -> None:
        self.code.append(text.replace("SITE", str(self.line.number)))

    # ---------------------------------------------------------------- operands
    def register(self, token: str) -> tuple[str, str] | None:
        m = re.match(r"%(rs|rd|p|f|r)(\d+)$", token)
        return (REGISTERS[m[1]], m[1] + m[2]) if m else None

    def read(self, token: str, t: str) -> str:
        """The operand as type t."""
        if found := self.register(token):
            have, name = found
            if have == t:
                return name
            if have == "f32" and t in ("b32", "u32", "s32"):
                return f"({C_TYPES[t]})to_bits({name})"
            if t == "f32" and have == "b32":
                return f"to_float({name})"
            if "f32" in (have, t) or "pred" in (have, t) or bits(have) < bits(t):
                raise self.line.error(f"{token} as {t}")
            return f"({C_TYPES[t]}){name}"
        if m := re.match(r"0f([0-9A-F]{8})$", token):
            return f"to_float(0x{m[1]}u)" if t == "f32" else f"0x{m[1]}u"
        if re.match(r"-?\d+$", token) and t != "f32":
            if t == "pred":
                return "true" if int(token) else "false"
            return f"({C_TYPES[t]}){int(token) & ((1 << bits(t)) - 1)}ull"
        if token in SPECIAL:
            return f"({C_TYPES[t]}){SPECIAL[token]}"
        e = self.entry
        offset = {**e.shared, **dict.fromkeys(e.dynamic, e.dynamic_offset)}.get(token)
        if token in e.parameters:
            offset = e.parameters[token][0]
        if offset is None or t == "f32":
            raise self.line.error(f"unknown operand {token}")
        return f"({C_TYPES[t]}){offset}u"

    def write(self, token: str, value: str, t: str) -> None:
        found = self.register(token)
        if not found:
            raise self.line.error(f"unknown destination {token}")
        have, name = found
        if have == "f32" and t != "f32":
            value = f"to_float({value})"
        elif t == "f32" and have != "f32":
            value = f"to_bits({value})"
        elif have == "b64" and t == "s32":
            value = f"(uint64_t)(int64_t)(int32_t)({value})"
        self.emit(f"{name} = {value};")

    def address(self, token: str) -> str:
        m = re.match(r"\[([%\w.$]+)(?:\+(-?\d+))?\]$", token)
        if not m:
            raise self.line.error(f"unknown address {token}")
        found = self.register(m[1])
        wide = "u32" if found and found[0] == "b32" else "u64"  # 32 bits wrap around, as they do in shared memory
        return f"(uint64_t)({C_TYPES[wide]})({self.read(m[1], wide)} + ({C_TYPES[wide]})({m[2] or 0}ll))"

    # ---------------------------------------------------------------- lines
    def declare(self, text: str) -> bool:
        if m := re.match(r"\.reg \.\w+\s+%(rs|rd|p|f|r)<\d+>;$", text):
            letters = m[1]
            t = C_TYPES[REGISTERS[letters]]
            poison = {"p": "poison() & 1", "f": "to_float((uint32_t)poison())"}.get(letters, f"({t})poison()")
            whole = " ".join(line.text for line in self.entry.body)
            for i in sorted(set(re.findall(rf"%{letters}(\d+)\b", whole)), key=int):
                self.emit(f"{t} {letters}{i} = {poison};")
            return True
        if m := re.match(r"\.reg \.pred\s+%p(\d+);$", text):
            self.emit(f"bool p{m[1]};")
            return True
        return False

    def begin_block(self) -> None:
        self.emit(f"BLOCK({len(self.blocks)})")
        self.blocks.append([0] * len(KINDS))
        self.open_block = True

    def run(self) -> None:
        for line in self.entry.body:
            self.line, text = line, line.text
            if m := re.match(r'\.pragma "(?:nounroll|used_bytes_mask (\w+))";$', text):
                self.used_bytes = int(m[1], 0) if m[1] else self.used_bytes
            elif text in "{}":
                self.emit(text)
            elif self.declare(text):
                pass
            elif m := re.match(r"(\$\w+):$", text):
                self.emit(f"{m[1].replace('$', '')}:")
                self.begin_block()
            elif m := re.match(r"(?:@(!?)%(p\d+)\s+)?([\w.]+)\s*(.*);$", text):
                if not self.open_block:
                    self.begin_block()
                self.instruction(m[1] + m[2] if m[2] else "", m[3], split_operands(m[4]))
            else:
                raise self.line.error("unknown syntax")

    def instruction(self, predicate: str, name: str, operands: list[str]) -> None:
        instruction = TABLE.get(name)
        if instruction is None:
            raise self.line.error(f"unknown instruction {name}")
        if self.used_bytes is not None and not name.startswith("ld."):
            raise self.line.error("used_bytes_mask before what is no load")
        self.blocks[-1][KINDS.index(instruction.kind)] += 1
        if predicate:
            if instruction.kind in ("shuffle", "vote", "barrier"):
                raise self.line.error("a predicate before what lanes meet at")
            self.emit(f"if ({predicate}) {{")
        if instruction.kind in ("fma", "shuffle", "barrier"):
            self.sites.append((self.line.number, instruction.kind))
        if instruction.result:
            self.compute(instruction, operands)
        else:
            getattr(self, "do_" + name.split(".")[0])(name.split("."), operands)
        if predicate:
            self.emit("}")
        if instruction.kind == "branch":
            self.open_block = False

    def compute(self, instruction: Instruction, operands: list[str]) -> None:
        if len(operands) != len(instruction.operands) + 1:
            raise self.line.error("wrong number of operands")
        values = [self.read(o, t) for o, t in zip(operands[1:], instruction.operands, strict=True)]
        value = instruction.code.format(*values, site=self.line.number)
        self.write(operands[0], value, instruction.result)

    # ---------------------------------------------------------------- instructions that are more than an expression
    def do_bra(self, _: list[str], operands: list[str]) -> None:
        self.emit(f"goto {operands[0].replace('$', '')};")

    def do_ret(self, _: list[str], __: list[str]) -> None:
        self.emit("return;")

    def do_ld(self, parts: list[str], operands: list[str]) -> None:
        space = next(p for p in parts if p in ("shared", "global", "param"))
        t, c = parts[-1], C_TYPES[parts[-1]]
        size = bits(t) // 8
        to = [d.strip() for d in operands[0].strip("{}").split(",")]
        self.emit(f"{{ const uint64_t at = {self.address(operands[1])}; aligned(me, at, {size * len(to)}, SITE);")
        used, self.used_bytes = self.used_bytes, None
        for i, register in enumerate(to):
            part = (1 << size) - 1
            if used is not None and not used >> (i * size) & part:
                self.write(register, f"({C_TYPES[unsigned(t) if t != 'f32' else 'u32']})poison()",
                           "u32" if t == "f32" else unsigned(t))  # fmt: skip
            else:
                self.write(register, f"load<{c}>({space}_at(me, at + {i * size}, {size}, kRead, SITE))", t)
        self.emit("}")

    def do_st(self, parts: list[str], operands: list[str]) -> None:
        space = next(p for p in parts if p in ("shared", "global"))
        t, c = parts[-1], C_TYPES[parts[-1]]
        size = bits(t) // 8
        values = [d.strip() for d in operands[1].strip("{}").split(",")]
        self.emit(f"{{ const uint64_t at = {self.address(operands[0])}; aligned(me, at, {size * len(values)}, SITE);")
        for i, register in enumerate(values):
            to = f"{space}_at(me, at + {i * size}, {size}, kWrite, SITE)"
            self.emit(f"store<{c}>({to}, {self.read(register, t)});")
        self.emit("}")

    def do_atom(self, _: list[str], operands: list[str]) -> None:
        self.emit(f"{{ const uint64_t at = {self.address(operands[1])}; aligned(me, at, 4, SITE);")
        self.write(operands[0], f"atomic_add(me, at, {self.read(operands[2], 'u32')}, SITE)", "u32")
        self.emit("}")

    def do_membar(self, _: list[str], __: list[str]) -> None:
        self.emit("/* threads of the emulator see stores in order */")

    do_fence = do_membar

    def do_shfl(self, parts: list[str], operands: list[str]) -> None:
        to = operands[0].split("|")
        values = ", ".join(self.read(o, "u32") for o in operands[1:])
        self.emit(f"{{ const Shuffled got = shuffle(me, Shuffle::{parts[2]}, {values}, SITE);")
        self.write(to[0], "got.value", "b32")
        if len(to) > 1:
            self.write(to[1], "got.in_range", "pred")
        self.emit("}")

    def do_vote(self, parts: list[str], operands: list[str]) -> None:
        mask = self.read(operands[2], "u32")
        ballot = f"ballot(me, {self.read(operands[1], 'pred')}, {mask}, SITE)"
        if parts[2] == "ballot":
            self.write(operands[0], ballot, "u32")
        else:
            self.write(operands[0], ballot + (" != 0" if parts[2] == "any" else f" == {mask}"), "pred")

    def do_redux(self, _: list[str], operands: list[str]) -> None:
        value, mask = (self.read(operand, "u32") for operand in operands[1:])
        self.write(operands[0], f"or_of_lanes(me, {value}, {mask}, SITE)", "u32")

    def do_bar(self, parts: list[str], operands: list[str]) -> None:
        if parts[1] == "warp":
            self.emit(f"meet_warp(me, {self.read(operands[0], 'u32')}, SITE);")
        elif parts[1] == "sync" and operands == ["0"]:
            self.emit("meet_block(me, false, SITE);")
        elif parts[1] == "red" and len(operands) == 3 and operands[1] == "0":
            self.write(operands[0], f"meet_block(me, {self.read(operands[2], 'pred')}, SITE)", "pred")
        else:
            raise self.line.error("unknown barrier")

    do_barrier = do_bar

    def source(self, name: str) -> str:
        e = self.entry
        parameters = ", ".join(f"{{{at}, {size}}}" for at, size in e.parameters.values())
        blocks = ",\n".join("{" + ", ".join(map(str, block)) + "}" for block in self.blocks)
        sites = ", ".join(f'{{{line}, "{kind}"}}' for line, kind in self.sites)
        kinds = ", ".join(f'"{kind}"' for kind in KINDS)
        return (
            '#include "thread.hpp"\nnamespace ptx {\nnamespace {\nvoid run(Thread& me) {\n'
            + "\n".join(self.code)
            + f"\n}}\n}}\nextern const Kernel {name};\nconst Kernel {name}{{\n"
            + f'"{name}", run, {e.shared_bytes}u, {e.dynamic_offset}u, {e.parameter_bytes}u,\n'
            + f"{{{parameters}}},\n{{{kinds}}},\n{{{blocks}}},\n{{{sites}}}}};\n}}\n"
        )


def translate(path: str, wanted: str) -> str:
    known = {short_name(e.name): e for e in entries(path)}
    if wanted not in known:
        raise TranslationError(f"no kernel {wanted} in {path}, which has {', '.join(known)}")
    translator = Translator(known[wanted])
    translator.run()
    return translator.source(wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ptx")
    parser.add_argument("kernel")
    parser.add_argument("out")
    arguments = parser.parse_args()
    try:
        text = translate(arguments.ptx, arguments.kernel)
    except TranslationError as error:
        sys.exit(f"{arguments.ptx}: {error}")
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
