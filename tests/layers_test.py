"""Includes go one way: a folder's files include those of its own and of folders before it in this list.

Run: python3 tests/layers_test.py [--table]; with --table it prints how many includes go from each folder to each."""

import re
import sys
import unittest
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
# The public headers, the kernels over them, and the host's layers. Each folder may include what stands before it.
LAYERS = ("include", "kernels/machine", "kernels/common", "kernels/tiny", "kernels/block", "host/text", "host/sweep",
          "host/results", "host/train", "host/measure", "host", "host/program/io", "host/program/reproduce", "host/program",
          "host/python/bindings")
# kernels/block is no more than kernels/tiny is, and host/python/bindings does without the program.
APART = {("kernels/block", "kernels/tiny"), ("kernels/tiny", "kernels/block"),
         ("host/python/bindings", "host/program"), ("host/python/bindings", "host/program/reproduce")}
ROOTS = ("include", "kernels", "host")


def layer_of(path):
    folder = path.relative_to(SOURCE).parent.as_posix()
    while folder and folder not in LAYERS:
        folder = folder.rpartition("/")[0]
    if not folder:
        raise AssertionError(f"{path.relative_to(SOURCE)} lies in none of the layers")
    return folder


def includes():
    """(file, included file) of every include of a file of this project."""
    for root in ROOTS:
        for file in sorted((SOURCE / root).rglob("*")):
            if file.suffix not in {".hpp", ".cpp", ".cu", ".h"}:
                continue
            for name in re.findall(r'^#include "([^"]+)"', file.read_text(), re.MULTILINE):
                places = [file.parent / name, *(SOURCE / r / name for r in ROOTS)]
                yield file, next((place for place in places if place.exists()), None), name


class Layers(unittest.TestCase):
    def test_every_include_is_found_and_goes_down(self):
        checked = 0
        for file, included, name in includes():
            self.assertIsNotNone(included, f"{file.relative_to(SOURCE)} includes {name}, which is nowhere")
            mine, theirs = layer_of(file), layer_of(included.resolve())
            where = f"{file.relative_to(SOURCE)} includes {included.resolve().relative_to(SOURCE)}"
            self.assertLessEqual(LAYERS.index(theirs), LAYERS.index(mine), f"{where}: that is a layer above it")
            self.assertNotIn((mine, theirs), APART, where)
            checked += 1
        self.assertGreater(checked, 300)


if __name__ == "__main__":
    if "--table" in sys.argv:
        for (mine, theirs), count in sorted(Counter((layer_of(f), layer_of(i.resolve())) for f, i, _ in includes()).items()):
            print(f"{mine:22} -> {theirs:22} {count:4}")
    else:
        unittest.main()
