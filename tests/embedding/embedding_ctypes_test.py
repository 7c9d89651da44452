"""The C interface through ctypes: the example, errors as sentences, an error a thread, a callback that stops.

Usage: embedding_ctypes_test.py SHARED-LIBRARY
"""

import ctypes
import math
import sys
import threading
import unittest
from ctypes import byref, c_int, c_int32, c_size_t, c_void_p
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "embedding"))
import ctypes_strip

LIBRARY = ctypes_strip.open_library(sys.argv.pop(1)) if len(sys.argv) > 1 else None
CALLBACK = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)


class Options(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("device", c_int32), ("threads", c_int32), ("instruction_set", c_int32),
                ("shard_index", c_int32), ("shard_count", c_int32), ("reserved", c_int32), ("progress", CALLBACK),
                ("user", c_void_p), ("resume", c_void_p)]


class CInterface(unittest.TestCase):
    def test_the_example(self):
        strip = ctypes_strip.train_strip(LIBRARY)
        self.assertEqual([sparsity for sparsity, _ in strip], [0.1, 0.3, 0.5, 0.7, 0.9])
        losses = [loss for _, loss in strip]
        self.assertTrue(all(0 < loss < 0.2 and math.isfinite(loss) for loss in losses), losses)
        self.assertLess(losses[-1], losses[0])

    def test_errors_are_sentences(self):
        for change, part in ((b"steps = 500", "train.steps"), (b"batch = 256", "train.batch")):
            with self.assertRaisesRegex(ValueError, part):
                ctypes_strip.train_strip(LIBRARY, ctypes_strip.SWEEP.replace(change, change.split(b"=")[0] + b"= -1"))
        with self.assertRaisesRegex(ValueError, "TOML"):
            ctypes_strip.train_strip(LIBRARY, b"[")
        with self.assertRaisesRegex(ValueError, "toml must not be NULL"):
            ctypes_strip.check(LIBRARY, LIBRARY.phasegrid_sweep_parse(None, None, None, byref(c_void_p())))

    def test_every_thread_has_its_own_error(self):
        LIBRARY.phasegrid_sweep_parse(b"colour = 1", None, None, byref(c_void_p()))
        seen = []

        def other():
            seen.append(LIBRARY.phasegrid_last_error())
            LIBRARY.phasegrid_sweep_parse(b"taste = 1", None, None, byref(c_void_p()))
            seen.append(LIBRARY.phasegrid_last_error())

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        self.assertEqual(seen[0], b"")
        self.assertIn(b"taste", seen[1])
        self.assertIn(b"colour", LIBRARY.phasegrid_last_error())

    def test_a_callback_stops(self):
        sweep, results, calls = c_void_p(), c_void_p(), []

        def stop(_progress, user):
            calls.append(user)
            return 1

        options = Options()
        self.assertEqual(LIBRARY.phasegrid_train_options_init(byref(options), c_size_t(ctypes.sizeof(options))), 0)
        self.assertEqual((options.size, options.shard_index, options.shard_count), (ctypes.sizeof(options), 1, 1))
        options.progress, options.user = CALLBACK(stop), 77
        toml = ctypes_strip.SWEEP.replace(b"restarts = 5", b"restarts = 2000").replace(b"500", b"5000")
        self.assertEqual(LIBRARY.phasegrid_sweep_parse(toml, None, None, byref(sweep)), 0)
        self.assertEqual(LIBRARY.phasegrid_train(byref(sweep), 1, byref(options), byref(results)), 130)
        self.assertIn(b"stopped", LIBRARY.phasegrid_last_error())
        self.assertEqual(set(calls), {77})
        self.assertFalse(LIBRARY.phasegrid_results_complete(results))
        LIBRARY.phasegrid_results_free(results)
        LIBRARY.phasegrid_sweep_free(sweep)


if __name__ == "__main__":
    unittest.main()
