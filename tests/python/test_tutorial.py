"""The tutorial notebook runs from its first cell to its last, and what its text says is what its cells print."""

from __future__ import annotations

import os
import re
from typing import Any

import nbformat
import pytest
from conftest import SOURCE
from nbclient import NotebookClient

NUMBER = r"(-?\d+\.\d+)"


@pytest.fixture(scope="module")
def notebook() -> Any:
    read = nbformat.read(SOURCE / "experiments" / "tutorial.ipynb", as_version=4)
    os.environ["IPYTHONDIR"] = os.environ.get("IPYTHONDIR", "/tmp/phasegrid-ipython")
    NotebookClient(read, timeout=600, kernel_name="python3").execute()
    return read


@pytest.fixture(scope="module")
def printed(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output["text"] for output in outputs if output.get("name") == "stdout")


def numbers(pattern: str, printed: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, found.groups())) for found in re.finditer(pattern, printed)]


def test_the_five_features_make_a_pentagon(printed: str) -> None:
    (line,) = re.findall(r"dimensionality: \[(.*)\]", printed)
    assert all(0.35 < float(value) < 0.45 for value in line.split())


def test_training_losses_order_the_models_otherwise_than_reconstruction_losses(printed: str) -> None:
    rows = re.findall(rf"^(dense|E = \d, k = \d) +{NUMBER} +{NUMBER}$", printed, re.MULTILINE)
    training, error = ({name: float(row[at]) for name, *row in rows} for at in (0, 1))
    assert len(rows) == 5 and training["dense"] == error["dense"]
    assert max(training, key=training.__getitem__) == min(error, key=error.__getitem__) == "E = 4, k = 4"
    for name in list(training)[1:]:
        k = int(name[-1])
        assert training[name] - error[name] == pytest.approx(0.01 * k, rel=0.15)


def test_expert_1_starves_where_zeros_fill_its_share(printed: str) -> None:
    shares = numbers(r"S\^2 [<>] 1/2: expert 1 is starved in (\d+) %", printed)
    assert len(shares) == 2 and shares[0][0] > 90 and shares[1][0] < 30


def test_the_mixture_is_the_rougher_one(printed: str) -> None:
    jumps = numbers(rf"along a line {NUMBER} \(", printed)
    assert len(jumps) == 2 and jumps[0] < jumps[1]


def test_the_pair_decides_and_which_sparsity_does_is_open(printed: str) -> None:
    of_fields = numbers(rf"rank correlation with superposition {NUMBER} \({NUMBER} to {NUMBER}\)", printed)
    (denser, *_), (sparser, *_), (rarely, low, _) = of_fields
    assert rarely > max(denser, sparser) and low > 0.5
    ((difference, low, high),) = numbers(
        rf"the sparser feature's less the denser's: {NUMBER} \({NUMBER} to {NUMBER}\)", printed
    )
    assert low < 0 < difference < high


def test_what_is_used_is_explained_where_it_first_stands(notebook: Any) -> None:
    """In the text of an earlier cell than the code that uses it, or of the same place."""
    for word, code in (
        ("load_balance", "load_balance="),
        ("`keep=", "restarts=10"),
        ("*feature dimensionality* $D_i", "feature_dimensionality()"),
        ("*interference* $", "interference()"),
        ("x' =", "phasegrid.train("),
        ("I_i\\,(x'_i - x_i)^2", "phasegrid.train("),
        ("uniform in $[0, 1)$", "phasegrid.train("),
    ):
        told = next(
            at for at, cell in enumerate(notebook.cells) if cell.cell_type == "markdown" and word in cell.source
        )
        used = next(at for at, cell in enumerate(notebook.cells) if cell.cell_type == "code" and code in cell.source)
        assert told < used, word
