"""bench/floors/machine_code.py and budgets.py: what they read from recorded disassemblies, and that a kernel past its
budget fails the check, as does one without a budget; bench/gpu/draw_growth.py from a small report.

    machine_code_test.py BUILD_FOLDER
"""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import numpy as np

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "bench/gpu"), str(PROJECT / "bench/floors")]

import budgets  # noqa: E402
import disassembly  # noqa: E402
import draw_growth  # noqa: E402
import machine_code  # noqa: E402
from disassembly import Instruction  # noqa: E402

DATA = PROJECT / "tests/data/machine_code"
BUILD = Path()

CALLGRIND = """\
version: 1
positions: instr
events: Ir
ob=(1) /build/bench/train_once
fn=(1) one
0x401000 5
+3 5
+4 2
cfn=(2) two
calls=2 0x402000
* 900
0x401000 1
fn=(2)
0x402000 300
-16 7
"""


class Loops(unittest.TestCase):
    def test_nested_loops_keep_their_own_instructions(self) -> None:
        code = [Instruction(a, "X") for a in range(10)]
        code[5] = Instruction(5, "BRA", target=3)
        code[8] = Instruction(8, "BRA", target=1)
        outer, inner = disassembly.loops_of(code)
        self.assertEqual(([i.address for i in inner.own], inner.inner), ([3, 4, 5], []))
        self.assertEqual(([i.address for i in outer.own], outer.inner), ([1, 2, 6, 7, 8], [inner]))

    def test_forward_branches_make_no_loop(self) -> None:
        self.assertEqual(
            disassembly.loops_of([Instruction(0, "BRA", target=2), Instruction(1, "X"), Instruction(2, "X")]), []
        )


class Sass(unittest.TestCase):
    """A recorded piece of train_models<2, 1, 1> on sm_90: a round of two samples, with the loop for a last, partly
    filled row inside."""

    def setUp(self) -> None:
        functions = disassembly.parse_sass((DATA / "tiny_211_sm90.sass").read_text())
        ((self.name, self.code),) = functions.items()

    def test_name_and_size(self) -> None:
        self.assertEqual(machine_code.kernel_name(self.name), "tiny/211")
        self.assertEqual(len(self.code), 0x85)
        self.assertEqual([i.address for i in self.code[:2]], [0x3200, 0x3210])

    def test_hot_loop(self) -> None:
        loop = machine_code.hot_loop(self.code, 4)
        assert loop is not None
        self.assertEqual((loop.first, loop.last, len(loop.own), len(loop.inner)), (0x3220, 0x3A30, 105, 1))
        # Read by hand: a feature's conversion four times; h, z and four sums of two samples, and four of the inputs.
        classes = [disassembly.sass_class(i.name) for i in loop.own]
        self.assertIsNone(machine_code.hot_loop(self.code, 5))
        self.assertEqual((classes.count("convert"), classes.count("fma"), classes.count("shuffle")), (4, 18, 0))

    def test_classes(self) -> None:
        names = {
            "FFMA": "fma",
            "FADD.FTZ": "arithmetic",
            "IMAD.WIDE.U32": "wide",
            "IMAD.HI.U32": "wide",
            "IMAD.MOV.U32": "move",
            "IMAD.SHL.U32": "logic",
            "IMAD": "integer",
            "LOP3.LUT": "logic",
            "I2FP.F32.S32": "convert",
            "SHFL.BFLY": "shuffle",
            "LDS.128": "memory",
            "LDL": "local",
            "STL.64": "local",
            "MUFU.RCP": "special",
            "UIADD3": "uniform",
            "BRA": "control",
        }
        for name, group in names.items():
            self.assertEqual(disassembly.sass_class(name), group, name)


class Objdump(unittest.TestCase):
    """A recorded piece of sum_gradients<2, 1, 1> on AVX-512: a loop that draws two samples, another that adds one."""

    def test_two_loops(self) -> None:
        with (
            mock.patch.object(machine_code, "find_tool", return_value="objdump"),
            mock.patch.object(machine_code, "run", return_value=(DATA / "tiny_211_avx512.objdump").read_text()),
        ):
            found = machine_code.read_tiny_object(Path("tiny_cpu.cpp.o"))
        self.assertEqual(list(found), ["211"])
        loops = found["211"]
        self.assertEqual((loops["samples"], loops["draw"], loops["add"]), (2, 74, 14))
        self.assertEqual((loops["draw_classes"]["wide"], loops["draw_classes"]["convert"]), (18, 4))
        self.assertEqual((loops["add_classes"]["fma"], loops["add_classes"]["arithmetic"]), (7, 5))

    def test_classes(self) -> None:
        lines = {
            "vfmadd213ps %zmm0,%zmm1,%zmm2": "fma",
            "vpmuludq %zmm0,%zmm1,%zmm2": "wide",
            "vmovups (%rax),%zmm0": "memory",
            "vmovaps %zmm0,%zmm1": "move",
            "vpternlogd $0x96,%zmm0,%zmm1,%zmm2": "logic",
            "vdivps %ymm0,%ymm1,%ymm2": "special",
            "vpermt2ps %zmm0,%zmm1,%zmm2": "shuffle",
            "vbroadcastss (%rax),%zmm0": "memory",
            "add $0x1,%rax": "scalar",
            "vcvtdq2ps %zmm0,%zmm1": "convert",
            "vsubps %zmm0,%zmm1,%zmm2": "arithmetic",
            "vzeroupper": "control",
        }
        for line, group in lines.items():
            name, _, operands = line.partition(" ")
            self.assertEqual(disassembly.x86_class(Instruction(0, name, operands)), group, line)


class Callgrind(unittest.TestCase):
    def test_calls_are_left_out(self) -> None:
        counts = machine_code.parse_callgrind(CALLGRIND)
        self.assertEqual(dict(counts), {0x401000: 6, 0x401003: 5, 0x401007: 2, 0x402000: 300, 0x402000 - 16: 7})


class Budgets(unittest.TestCase):
    NUMBERS: ClassVar[dict[str, float]] = {
        "cuda/sm_90/tiny/211/registers": 40,
        "cuda/sm_90/tiny/211/local": 0,
        "avx2/211/executed": 13.0,
    }

    def check(self, recorded: dict[str, float], compilers: dict[str, str]) -> tuple[int, str]:
        """budgets.check() of NUMBERS, as if a build with gcc 12 and nvcc 13 had them."""
        here = {"CXX": "GNU 12", "CUDA": "NVIDIA 13"}
        of = {part: {n: v for n, v in self.NUMBERS.items() if n.startswith(part)} for part in ("cuda", "avx2")}
        readers = (("cuda", "CUDA", lambda _: of["cuda"]), ("avx2", "CXX", lambda _: of["avx2"]))
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
            path = Path(folder) / "budgets.json"
            path.write_text(json.dumps({"compilers": compilers, "budgets": recorded}))
            with (
                mock.patch.object(budgets, "READERS", readers),
                mock.patch.object(budgets, "compiler_versions", return_value=here),
            ):
                status = budgets.check(Path(folder), path)
        return status, said.getvalue()

    def test_within(self) -> None:
        status, said = self.check(self.NUMBERS, {"CXX": "GNU 12", "CUDA": "NVIDIA 13"})
        self.assertEqual(status, 0, said)

    def test_past_its_budget(self) -> None:
        for name, budget in (("registers", 35), ("local", -1), ("executed", 12.6)):
            full = next(n for n in self.NUMBERS if n.endswith(name))
            status, said = self.check(self.NUMBERS | {full: budget}, {"CXX": "GNU 12", "CUDA": "NVIDIA 13"})
            self.assertEqual(status, 1, said)
            self.assertIn(full, said)

    def test_within_the_allowance(self) -> None:
        recorded = self.NUMBERS | {"cuda/sm_90/tiny/211/registers": 36, "avx2/211/executed": 12.7}
        self.assertEqual(self.check(recorded, {"CXX": "GNU 12", "CUDA": "NVIDIA 13"})[0], 0)

    def test_kernel_without_a_budget_and_budget_without_a_kernel(self) -> None:
        fewer = {n: v for n, v in self.NUMBERS.items() if not n.endswith("local")}
        self.assertEqual(self.check(fewer, {"CXX": "GNU 12", "CUDA": "NVIDIA 13"})[0], 1)
        more = self.NUMBERS | {"cuda/sm_90/tiny/999/registers": 40}
        self.assertEqual(self.check(more, {"CXX": "GNU 12", "CUDA": "NVIDIA 13"})[0], 1)

    def test_other_compilers_are_not_held_to_it(self) -> None:
        tampered = self.NUMBERS | {"cuda/sm_90/tiny/211/registers": 10}
        status, said = self.check(tampered, {"CXX": "GNU 12", "CUDA": "NVIDIA 12"})
        self.assertEqual(status, 0, said)
        self.assertIn("not checked", said)
        status, said = self.check(tampered, {"CXX": "GNU 13", "CUDA": "NVIDIA 12"})
        self.assertEqual(status, budgets.SKIPPED, said)

    def test_tampered_budgets_of_this_build(self) -> None:
        """The numbers of the real build, held to budgets a tenth smaller, are all past them."""
        numbers = budgets.read_avx512(BUILD)
        if not numbers:
            self.skipTest("this build has no AVX-512 kernels")
        self.assertEqual(budgets.exceeded(numbers, numbers), [])
        tampered = {name: 0.9 * number for name, number in numbers.items()}
        self.assertEqual(len(budgets.exceeded(tampered, numbers)), len(numbers))


class Growth(unittest.TestCase):
    REPORT: ClassVar[dict[str, Any]] = {
        "machine": {"device": "cpu"},
        "growth_by_models": [
            {"case": "211", "models": m, "steps": 10, "models_per_second": 5.0 * m} for m in (100, 1, 10)
        ],
        "growth_by_features": [{"case": "dense", "n": n, "steps": 5000, "models_per_second": 1.0 / n} for n in (2, 4)],
    }

    def test_curves_rise_with_x(self) -> None:
        self.assertEqual(
            draw_growth.curves(self.REPORT["growth_by_models"], "models"), {"211": ([1, 10, 100], [5, 50, 500])}
        )

    def test_both_panels_show_their_lines(self) -> None:
        panels = draw_growth.draw([self.REPORT]).axes
        self.assertEqual(
            [[float(x) for x in np.asarray(line.get_xdata())] for axes in panels for line in axes.lines],
            [[1, 10, 100], [2, 4]],
        )
        self.assertTrue(all(axes.get_yscale() == "log" for axes in panels))

    def test_a_report_without_growth_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.json"
            path.write_text("{}")
            with self.assertRaisesRegex(ValueError, "growth_by_models"):
                draw_growth.read_growth(path)


if __name__ == "__main__":
    BUILD = Path(sys.argv.pop(1))
    unittest.main()
