"""Tests of skipped.py: it sees what ctest, GoogleTest and pytest skip, and lets no other reason pass."""

import unittest

from skipped import skips


def report(name, output="", status="run", inside=""):
    return (f'<testsuite><testcase name="{name}" status="{status}">{inside}<system-out>{output}</system-out></testcase>'
            '<testcase name="other" status="run"><system-out>[       OK ] fine</system-out></testcase></testsuite>')


class Skipped(unittest.TestCase):
    def verdict(self, *words, **named):
        return [allowed for _, _, allowed in skips(report(*words, **named))]

    def test_what_is_not_skipped_is_not_listed(self):
        self.assertEqual(self.verdict("a", "2 passed in 0.1s"), [])

    def test_reasons_that_are_allowed(self):
        self.assertEqual(self.verdict("gpu_test", "not run on a GPU: none\n[  SKIPPED ] Gpu.Trains (0 ms)"), [True])
        self.assertEqual(self.verdict("a", "SKIPPED [1] t.py:3: no /w/shared/faults/a.npz\n1 passed, 1 skipped"), [True])
        self.assertEqual(self.verdict("python_handover", "SKIPPED [9] t.py:3: needs PyTorch (make peers)\n9 skipped"), [True])
        self.assertEqual(self.verdict("embedding_engine_ray", "SKIPPED [1] engine_kills.py: the engine ray does not install "
                                      "here: No module named 'ray'"), [True])
        self.assertEqual(self.verdict("machine_test_avx512", status="disabled"), [True])
        self.assertEqual(self.verdict("ptx", "The compiled PTX is not executed: no nvcc", "notrun", "<skipped/>"), [True])

    def test_any_other_fails(self):
        self.assertEqual(self.verdict("a", "python3 has no NumPy\n[  SKIPPED ] A.B (0 ms)"), [False])
        self.assertEqual(self.verdict("a", "SKIPPED [1] t.py:3: the engine flux does not install here: no"), [False])
        self.assertEqual(self.verdict("a", "3 passed, 1 skipped in 0.1s"), [False])
        self.assertEqual(self.verdict("fuzz", "no clang", "notrun", "<skipped/>"), [False])
        self.assertEqual(self.verdict("host_test", status="disabled"), [False])


if __name__ == "__main__":
    unittest.main()
