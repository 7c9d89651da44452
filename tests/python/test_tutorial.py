"""The tutorial notebook runs from its first cell to its last, and what its text says is what its cells print."""

from __future__ import annotations

import os
import re

import nbformat
from conftest import SOURCE
from nbclient import NotebookClient


def test_the_tutorial_runs_and_its_answer_holds() -> None:
    notebook = nbformat.read(SOURCE / "experiments" / "tutorial.ipynb", as_version=4)
    os.environ["IPYTHONDIR"] = os.environ.get("IPYTHONDIR", "/tmp/phasegrid-ipython")
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output
    )
    found = re.findall(r"(\w+[\w ]*): rank correlation .* (\d\.\d+)", printed)
    correlation = {name: float(value) for name, value in found}
    assert len(correlation) == 3, printed
    rarely = correlation["how rarely both are present"]
    sparser, denser = (correlation[f"sparsity of the {which} feature"] for which in ("sparser", "denser"))
    assert rarely > 0.85 and sparser > 0.85 and denser < 0.7
    jumps = [float(value) for value in re.findall(r"along a line (\d\.\d+)", printed)]
    assert len(jumps) == 2 and jumps[0] < jumps[1]  # the mixture's diagram is the rougher one
