"""The instructions of PTX that are known: what each is counted as, its types, and what it is in C++."""

import itertools
from dataclasses import dataclass

C_TYPES = {
    **{f"{s}{n}": f"uint{n}_t" for s in "ub" for n in (8, 16, 32, 64)},
    **{f"s{n}": f"int{n}_t" for n in (8, 16, 32, 64)},
    "f32": "float",
    "pred": "bool",
}

# The classes that executed instructions are counted in.
KINDS = (
    "fma",
    "float",  # add, subtract, multiply
    "float_slow",  # division, square root, reciprocal: several machine instructions each
    "integer",
    "logic",
    "compare",
    "move",
    "convert",
    "branch",
    "shared",
    "global",
    "parameter",
    "shuffle",
    "vote",
    "barrier",
    "fence",
)


@dataclass(frozen=True)
class Instruction:
    kind: str
    result: str = ""  # type of what it gives; empty: the translator has a method for it
    operands: tuple[str, ...] = ()
    code: str = ""  # C++; {0}, {1} are the operands, {site} the line


def bits(type_name: str) -> int:
    return int(type_name[1:])


def unsigned(type_name: str) -> str:
    return type_name if type_name in ("f32", "pred") else f"u{bits(type_name)}"


def floats() -> dict[str, Instruction]:
    f, two = "f32", ("f32", "f32")
    table = {"fma.rn.f32": Instruction("fma", f, (f, f, f), "FMA({site}, {0}, {1}, {2})")}
    for name, sign, kind in (("add", "+", "float"), ("sub", "-", "float"), ("mul", "*", "float")):
        table[f"{name}.rn.f32"] = Instruction(kind, f, two, f"one_nan({{0}} {sign} {{1}})")
    table["div.rn.f32"] = Instruction("float_slow", f, two, "one_nan({0} / {1})")
    table["rcp.rn.f32"] = Instruction("float_slow", f, (f,), "one_nan(1.0f / {0})")
    table["sqrt.rn.f32"] = Instruction("float_slow", f, (f,), "one_nan(__builtin_sqrtf({0}))")
    table["neg.f32"] = Instruction("float", f, (f,), "to_float(to_bits({0}) ^ 0x80000000u)")
    table["abs.f32"] = Instruction("float", f, (f,), "to_float(to_bits({0}) & 0x7fffffffu)")
    table["max.f32"] = Instruction("float", f, two, "larger({0}, {1})")
    table["min.f32"] = Instruction("float", f, two, "smaller({0}, {1})")
    return table


def integers() -> dict[str, Instruction]:
    table = {}
    for sign, n in itertools.product("us", (16, 32, 64)):
        t, u = f"{sign}{n}", f"u{n}"
        c = C_TYPES[u]
        for name, operator in (("add", "+"), ("sub", "-")):
            table[f"{name}.{t}"] = Instruction("integer", u, (u, u), f"({c})({{0}} {operator} {{1}})")
        table[f"neg.{t}"] = Instruction("integer", u, (u,), f"({c})(0 - (uint64_t){{0}})")
        low = f"({c})((uint64_t){{0}} * (uint64_t){{1}})"
        table[f"mul.lo.{t}"] = Instruction("integer", u, (u, u), low)
        table[f"mad.lo.{t}"] = Instruction("integer", u, (u, u, u), f"({c})({low} + {{2}})")
        if n < 64:
            wide = C_TYPES[f"{sign}{2 * n}"]
            table[f"mul.wide.{t}"] = Instruction(
                "integer", f"u{2 * n}", (t, t), f"(uint{2 * n}_t)(({wide}){{0}} * ({wide}){{1}})"
            )
            high = f"(uint{n}_t)((({wide}){{0}} * ({wide}){{1}}) >> {n})"
            table[f"mul.hi.{t}"] = Instruction("integer", u, (t, t), high)
        if n == 32:
            for name, operator in (("div", "/"), ("rem", "%")):
                table[f"{name}.{t}"] = Instruction("integer", u, (t, t), f"({c})({{0}} {operator} {{1}})")
            for name, operator in (("min", "<"), ("max", ">")):
                code = f"({c})({{0}} {operator} {{1}} ? {{0}} : {{1}})"
                table[f"{name}.{t}"] = Instruction("compare", u, (t, t), code)
        right = "> {last}u ? 0 : {0} >> {1}" if sign == "u" else ""
        shift = f"({{1}} {right})" if right else "({0} >> ({1} > {last}u ? {last}u : {1}))"
        table[f"shr.{t}"] = Instruction("logic", u, (t, "u32"), f"({c}){shift}".replace("{last}", str(n - 1)))
    for n in (16, 32, 64):
        b, c = f"b{n}", C_TYPES[f"b{n}"]
        table[f"shl.{b}"] = Instruction("logic", b, (b, "u32"), f"({c})({{1}} > {n - 1}u ? 0 : {{0}} << {{1}})")
        table[f"shr.{b}"] = Instruction("logic", b, (b, "u32"), f"({c})({{1}} > {n - 1}u ? 0 : {{0}} >> {{1}})")
        table[f"not.{b}"] = Instruction("logic", b, (b,), f"({c})~{{0}}")
    table["not.pred"] = Instruction("logic", "pred", ("pred",), "!{0}")
    for (name, operator), t in itertools.product(
        (("and", "&"), ("or", "|"), ("xor", "^")), ("pred", "b16", "b32", "b64")
    ):
        table[f"{name}.{t}"] = Instruction("logic", t, (t, t), f"({C_TYPES[t]})({{0}} {operator} {{1}})")
    table["popc.b32"] = Instruction("integer", "u32", ("u32",), "(uint32_t)__builtin_popcount({0})")
    table["bfi.b32"] = Instruction("logic", "u32", ("u32",) * 4, "insert_bits({0}, {1}, {2}, {3})")
    return table


def comparisons() -> dict[str, Instruction]:
    table = {}
    signs = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
    for (name, sign), t in itertools.product(
        signs.items(), ("u16", "s16", "u32", "s32", "u64", "s64", "b16", "b32", "b64")
    ):
        table[f"setp.{name}.{t}"] = Instruction("compare", "pred", (t, t), f"({{0}} {sign} {{1}})")
    for name, sign in signs.items():
        either_nan = "({0} != {0} || {1} != {1})"
        for op, code in (
            (name, f"(!{either_nan} && {{0}} {sign} {{1}})"),
            (name + "u", f"({either_nan} || {{0}} {sign} {{1}})"),
        ):
            table[f"setp.{op}.f32"] = Instruction("compare", "pred", ("f32", "f32"), code)
    table["setp.nan.f32"] = Instruction("compare", "pred", ("f32", "f32"), "({0} != {0} || {1} != {1})")
    table["setp.num.f32"] = Instruction("compare", "pred", ("f32", "f32"), "({0} == {0} && {1} == {1})")
    for t in ("f32", *(f"{s}{n}" for s in "usb" for n in (16, 32, 64))):
        table[f"selp.{t}"] = Instruction("compare", t, (t, t, "pred"), "({2} ? {0} : {1})")
    return table


def moves() -> dict[str, Instruction]:
    table = {
        f"mov.{t}": Instruction("move", t, (t,), "{0}")
        for t in ("pred", "f32", *(f"{s}{n}" for s in "usb" for n in (16, 32, 64)))
    }
    for to, source in itertools.permutations(("u16", "s16", "u32", "s32", "u64", "s64"), 2):
        if bits(to) != bits(source):
            u = unsigned(to)
            code = f"({C_TYPES[u]})({C_TYPES[to]}){{0}}"
            table[f"cvt.{to}.{source}"] = Instruction("convert", u, (source,), code)
    for source in ("s32", "u32"):
        table[f"cvt.rn.f32.{source}"] = Instruction("convert", "f32", (source,), "(float){0}")
    table["cvt.rzi.s32.f32"] = Instruction("convert", "u32", ("f32",), "(uint32_t)truncated({0})")
    for space in ("to.global", "to.shared", "global", "shared"):
        table[f"cvta.{space}.u64"] = Instruction("move", "u64", ("u64",), "{0}")
    return table


def met() -> dict[str, Instruction]:
    """What the translator has a method for."""
    table = {"bra": Instruction("branch"), "bra.uni": Instruction("branch"), "ret": Instruction("branch")}
    for mode in ("bfly", "idx", "up", "down"):
        table[f"shfl.sync.{mode}.b32"] = Instruction("shuffle")
    for mode in ("any.pred", "all.pred", "ballot.b32"):
        table[f"vote.sync.{mode}"] = Instruction("vote")
    table["redux.sync.or.b32"] = Instruction("vote")
    for name in ("bar.warp.sync", "bar.sync", "barrier.sync", "bar.red.or.pred", "barrier.red.or.pred"):
        table[name] = Instruction("barrier")
    table["membar.sys"] = table["membar.gl"] = table["fence.acq_rel.sys"] = Instruction("fence")
    table["atom.global.add.u32"] = Instruction("global")
    kinds = {"shared": "shared", "global": "global", "param": "parameter"}
    for access, (space, kind), volatile, vector, t in itertools.product(
        ("ld", "st"),
        kinds.items(),
        ("", ".volatile"),
        ("", ".v2", ".v4"),
        ("f32", *(f"{s}{n}" for s in "usb" for n in (8, 16, 32, 64))),
    ):
        if access == "ld" or space != "param":
            table[f"{access}{volatile}.{space}{vector}.{t}"] = Instruction(kind)
    for vector, t in itertools.product(("", ".v2", ".v4"), ("f32", *(f"{s}{n}" for s in "usb" for n in (32, 64)))):
        table[f"ld.global.nc{vector}.{t}"] = Instruction("global")
    return table


TABLE: dict[str, Instruction] = {**floats(), **integers(), **comparisons(), **moves(), **met()}
