"""experiments/network_sparsity: the study at a tiny size, its measures of models that are known, and its text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SOURCE

STUDY = SOURCE / "experiments" / "network_sparsity"
sys.path.insert(0, str(STUDY))
import claims  # noqa: E402
import estimates  # noqa: E402
import map_table  # noqa: E402
import match  # noqa: E402
import page  # noqa: E402

N, SIZE = 16, 4
DECIMAL = r"(?<![\w.])-?\d+\.\d+(?:e[-+]?\d+)?"


def own_features(features_of: list[list[int]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A router or table (1, E, n) whose expert e is on features_of[e]."""
    rows = np.zeros((1, len(features_of), N), np.float32)
    for e, features in enumerate(features_of):
        rows[0, e, features] = 1
    return rows


@pytest.mark.parametrize("experts", [2, 4, 8])
def test_experts_on_groups_match(experts: int) -> None:
    """Also where an expert has two groups, or two experts share one: it is as much as there can be."""
    blocks = np.arange(N).reshape(experts, -1).tolist()
    found = match.routing_match(own_features(blocks), 1, SIZE)
    # Two experts of one group get halves of its inputs up to chance; which group it is says nothing else.
    assert found[0] == pytest.approx(1, abs=1e-9 if experts <= N // SIZE else 2e-2)
    assert match.represented_share(own_features(blocks) > 0, SIZE)[0] == (1 if experts <= N // SIZE else 0.5)


def test_experts_on_a_feature_of_each_group_do_not_match() -> None:
    """All groups go everywhere alike: exactly where gates are, and up to chance where one expert answers."""
    across = own_features(np.arange(N).reshape(-1, SIZE).T.tolist())
    assert match.represented_share(across > 0, SIZE)[0] == 1 / SIZE
    assert match.routing_match(np.zeros((1, 4, N), np.float32), 4, SIZE)[0] == 0
    # The information of chance counts is about (groups - 1)(experts - 1) / 2 over the inputs there are.
    chance = 3 * 3 / (2 * match.SAMPLES) / np.log(4)
    assert 0 < match.routing_match(across, 1, SIZE)[0] < 4 * chance


def test_single_experts_and_groups_have_no_match() -> None:
    assert np.isnan(match.routing_match(np.ones((1, 1, N), np.float32), 1, SIZE)[0])
    assert np.isnan(match.represented_share(np.zeros((1, 2, N), bool), SIZE)[0])


def test_dimensionality_of_known_weights() -> None:
    """An antipodal pair shares a dimension; a feature alone has its own; one that is not represented is left out."""
    W = np.zeros((1, 1, 4, 2), np.float32)
    W[0, 0, 0], W[0, 0, 1], W[0, 0, 2] = (1, 0), (-1, 0), (0, 1)
    assert map_table.represented_mean(W)[0] == pytest.approx((0.5 + 0.5 + 1) / 3)


def made_up(match_weight: float, sparsity_weight: float) -> map_table.Table:
    """Models whose mean D_i is known of their match and network sparsity, which are independent of each other."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[Any]] = {name: [] for name in ("seed", "S", "E", "k", "routing_match", "dimensionality")}
    for seed in range(3):
        for S in (0.5, 0.9):
            for E in (2, 4, 8, 16):
                for fit in (0.0, 1.0):
                    noise = 1e-3 * rng.standard_normal()
                    row = (seed, S, E, 1, fit, S + match_weight * fit + sparsity_weight * np.log2(E) + noise)
                    for name, value in zip(columns, row, strict=True):
                        columns[name].append(value)
    return map_table.Table({name: np.array(values) for name, values in columns.items()})


def test_what_decides_is_found() -> None:
    for table, shares, verdict in (
        (made_up(1, 0), (0, 1), "holds"),
        (made_up(0, 1), (1, 0), "reversed"),
    ):
        assert claims.unique_shares(table, "dimensionality")[:2] == pytest.approx(shares, abs=1e-3)
        estimate = estimates.over_seeds(claims.by_seed(table, claims.match_above_sparsity, "dimensionality"))
        assert estimates.verdict(estimate, 1) == verdict
    assert claims.slope(made_up(0, 0.25), "dimensionality") == pytest.approx(0.25, abs=1e-2)


def test_intervals() -> None:
    """Student's t with two degrees of freedom: 1, 2, 3 have a mean of 2 and a standard error of 1 / sqrt(3)."""
    found = estimates.over_seeds([1, 2, 3, np.nan])
    assert found == pytest.approx((2, 2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5, 3**-0.5, 3))
    assert [estimates.verdict(found, side) for side in (1, -1)] == ["open", "open"]
    assert [estimates.verdict(estimates.over_seeds([1, 1.1]), side) for side in (1, -1)] == ["holds", "reversed"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study in which nothing is learned, but everything is done; its folder."""
    out = tmp_path_factory.mktemp("study")
    sets = ["train.steps=4", "train.snapshots=[2, 4]", "train.batch=64", "restarts=1"]
    sets += ["axes.sparsity=[0.3, 0.6, 0.9]", "axes.last_importance=[0.5, 2.0]"]
    command = [sys.executable, STUDY / "study.py", "--preset", "quick", "--out", out, "--threads", "1"]
    done = subprocess.run(
        [*map(str, command), *(part for change in sets for part in ("--set", change))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    for claim in summary["claims"]:
        assert f"{claim['where']}: {claim['statement']}" in done.stdout
    return out


def test_the_study_runs(tiny: Path) -> None:
    summary = json.loads((tiny / "summary.json").read_text())
    assert summary["models"] == summary["models_of_the_map"] + summary["models_of_figure4"] > 0
    keys = [claim["key"] for claim in summary["claims"]]
    assert len(set(keys)) == len(keys)
    for name in ("network_sparsity", "over_sparsity", "phase_changes", "fig4_nonzero"):
        assert (tiny / f"{name}.png").stat().st_size > 10_000
    (tiny / "README.md").write_text(f"before\n{page.BEGIN}{page.END}after\n")
    page.write_page(tiny)
    text = (tiny / "README.md").read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and f"{summary['models']:,} models" in text
    page.write_page(tiny)
    assert (tiny / "README.md").read_text() == text


def numbers(value: Any) -> Iterator[float]:
    """Every number of a JSON document, those in its texts included."""
    if isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from numbers(entry)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, str):
        yield from map(float, re.findall(DECIMAL, value))


def test_the_text_has_the_numbers_of_the_summary() -> None:
    """All of them: the text is that of the summary, and every decimal number in it is one of the summary's."""
    summary = json.loads((STUDY / "summary.json").read_text())
    text = (STUDY / "README.md").read_text()
    written = text.partition(page.BEGIN)[2].partition(page.END)[0]
    assert written == page.render(summary) + "\n"
    known = {page.shown(number) for number in numbers(summary)} | {str(number) for number in numbers(summary)}
    used = re.findall(DECIMAL, written)
    assert used and not [number for number in used if number not in known]


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, STUDY / "study.py", "--out", tmp_path / "out", "--set", "train.stepz=3"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 2 and "stepz" in done.stderr and done.stderr.count("\n") == 1
