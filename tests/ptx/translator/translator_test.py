"""What the translator does not know is an error that names it."""

import tempfile
import unittest
from pathlib import Path

from parse import TranslationError
from translate import translate

KERNEL = """.version 9.0
.target sm_80
.address_size 64
.visible .entry small(
	.param .u64 small_param_0
)
{{
	.reg .b32 	%r<3>;
	{line}
	ret;
}}
"""


class Translator(unittest.TestCase):
    def of_line(self, line: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "small.ptx"
            path.write_text(KERNEL.format(line=line), encoding="utf-8")
            return translate(str(path), "small")

    def test_known(self) -> None:
        self.assertIn("r1 = (uint32_t)((uint32_t)r2 + (uint32_t)7ull);", self.of_line("add.s32 %r1, %r2, 7;"))

    def test_unknown(self) -> None:
        for line, what in (
            ("brev.b32 %r1, %r2;", "unknown instruction brev.b32"),
            ("add.ftz.f32 %f1, %f2, %f3;", "unknown instruction add.ftz.f32"),
            ("add.s32 %r1, %r2, %clock;", "unknown operand %clock"),
            ("add.s32 %r1, %r2;", "wrong number of operands"),
            ("@%p1 bar.sync 0;", "a predicate before what lanes meet at"),
            (".local .align 4 .b8 stack[4];", "unknown instruction .local"),
        ):
            with self.subTest(line), self.assertRaisesRegex(TranslationError, f"line 9: {what}"):
                self.of_line(line)

    def test_bytes_that_are_not_used_are_not_read(self) -> None:
        text = self.of_line('.pragma "used_bytes_mask 15";\nld.shared.v2.u32 {%r1, %r2}, [%r0];')
        self.assertEqual(text.count("shared_at("), 1)


if __name__ == "__main__":
    unittest.main()
