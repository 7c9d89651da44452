"""The gallery's works on made-up results: what is claimed follows from the models, and bad folders are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from field_samples import SEEDS, save
from figure_checks import checked

from phasegrid.field import __main__ as program
from phasegrid.field import (
    absolute,
    dynamics,
    geometry,
    memorise,
    pairs,
    phases,
    polygons,
    report,
    scaling,
    trainability,
)
from phasegrid.field.base import Claim, Trained, Work
from phasegrid.field.works import WORKS
from phasegrid.pictures import diagrams
from phasegrid.pictures.errors import InputError

PAIRS = {"across": [[1, 0], [0, 1], [0, -1], [-1, 0]], "opposite": [[1, 0], [-1, 0], [0, 1], [0, -1]]}
PAIRS["together"] = [[0.7, 0], [0.7, 0], [0, 0.7], [0, 0.7]]


def trained(folder: Path, work: Work) -> Trained:
    return Trained(folder, work.sweeps, "quick")


def claims(folder: Path, work: Work, drawn: bool = True) -> dict[str, Claim]:
    """By their words; the picture can be drawn, too."""
    if drawn:
        with diagrams.style():
            checked(work.draw(trained(folder, work)))
    found = work.values(trained(folder, work))
    assert all((claim.seeds > 0 or claim.verdict == "not met") and claim.note for claim in found)
    return {claim.claim: claim for claim in found}


def starting(found: dict[str, Claim], words: str) -> Claim:
    (claim,) = [claim for key, claim in found.items() if words in key]
    return claim


def each(models: list[Any]) -> np.ndarray[Any, Any]:
    """(axis, seeds, n, m): one model for each value of an axis, the same in every seed."""
    return np.repeat(np.array(models, np.float64)[:, None], SEEDS, axis=1)


def save_pairs(folder: Path, rare: str, often: str, opposite: str = "opposite") -> None:
    S = [0.5, 0.95]
    save(folder, "pairs_correlated", {"sparsity": S}, each([PAIRS[often], PAIRS[rare]]))
    save(folder, "pairs_anticorrelated", {"sparsity": S}, each([PAIRS[opposite]] * 2), losses=0.0)
    save(folder, "pairs_independent", {"sparsity": S}, each([PAIRS["across"]] * 2))


def test_pairs(tmp_path: Path) -> None:
    save_pairs(tmp_path, "across", "together")
    assert {claim.verdict for claim in claims(tmp_path, pairs.WORK).values()} == {"met"}
    save_pairs(tmp_path, "opposite", "across", "across")
    found = claims(tmp_path, pairs.WORK, drawn=False)
    assert [claim.verdict for claim in found.values()].count("not met") >= 3
    assert starting(found, "anticorrelated pairs lie").ours == f"0 of {2 * SEEDS}"


def polygon_models(n: int, k: int, snapshots: list[int]) -> dict[str, np.ndarray[Any, Any]]:
    """Trainings that rest at the corners of `snapshots` one after the other and end as a k-gon."""
    models = [polygons.polygon(corners, n, *polygons.best_polygon(corners, n)[:2]) for corners in [*snapshots, k]]
    weights, biases = np.stack([w for w, _ in models]), np.stack([b for _, b in models])
    return {
        "weights": np.repeat(weights[-1][None], SEEDS, axis=0),
        "biases": np.repeat(biases[-1][None], SEEDS, axis=0),
        "snapshot_expert_weights": np.repeat(weights[None, :-1], SEEDS, axis=0),
        "snapshot_biases": np.repeat(biases[None, :-1], SEEDS, axis=0),
    }


def save_dynamics(folder: Path, small: int, jumps: list[int]) -> None:
    for name, n, k, rests in (("five", 5, 5, [5] * 10), ("small", 6, small, [small] * 10), ("wide", 6, 6, jumps)):
        made = polygon_models(n, k, rests)
        path = save(folder, f"dynamics_{name}", {}, made.pop("weights"), **made)
        with np.load(path) as file:
            np.savez(path, **{**file, "snapshot_steps": np.arange(len(rests)) * 50})


def test_dynamics(tmp_path: Path) -> None:
    save_dynamics(tmp_path, 5, [4] * 5 + [6] * 5)
    found = claims(tmp_path, dynamics.WORK)
    assert {claim.verdict for claim in found.values()} == {"met"}
    assert starting(found, "hexagon of 6 features: norm").ours == pytest.approx(1.32053, abs=2e-4)
    save_dynamics(tmp_path, 3, [6] * 10)
    found = claims(tmp_path, dynamics.WORK, drawn=False)
    assert starting(found, "jumps to a lower one").verdict == "not met"
    assert starting(found, "most trainings end with").verdict == "not met"


def test_phases(tmp_path: Path) -> None:
    S, r = [0.0, 0.4, 0.9], [0.5, 1.0, 2.0]
    for name, (n, m) in phases.SWEEPS.items():
        p = 1 - np.array(S)[:, None]
        best = phases.hand_built(p, np.array(r), n).argmin(axis=0)
        kinds = {2: {0: [[1], [0]], 1: [[0], [1]], 3: [[1], [-1]]}}
        kinds[3] = {
            0: [[1, 0], [0, 1], [0, 0]],
            1: [[1, 0], [0, 0], [0, 1]],
            2: [[1, 0], [-1, 0], [0, 1]],
            3: [[1, 0], [0, 1], [0, -1]],
        }
        weights = np.zeros((3, 3, SEEDS, n, m))
        biases = np.zeros((3, 3, SEEDS, n))
        for s, i in np.ndindex(3, 3):
            weights[s, i] = kinds[n][best[s, i]]
            if best[s, i] < 2:
                biases[s, i, :, n - 1 if best[s, i] == 0 else n - 2] = p[s, 0] / 2
        save(tmp_path, name, {"sparsity": S, "last_importance": r}, weights, biases=biases)
    found = claims(tmp_path, phases.WORK)
    assert {claim.verdict for claim in found.values()} == {"met"}
    for name, (n, m) in phases.SWEEPS.items():  # all features in one direction
        save(tmp_path, name, {"sparsity": S, "last_importance": r}, np.ones((3, 3, SEEDS, n, m)))
    assert {
        claim.verdict for key, claim in claims(tmp_path, phases.WORK, drawn=False).items() if "sparsity from" not in key
    } == {"not met"}


def test_geometry(tmp_path: Path) -> None:
    def shapes(k: int) -> Any:
        """Ten planes of k even directions each."""
        angles = 2 * np.pi * np.arange(k) / k
        plane = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.vstack([np.kron(np.eye(10)[i], plane) for i in range(10)] + [np.zeros((10 * (5 - k), 20))])

    save(tmp_path, "geometry", {"sparsity": [0.7, 0.8]}, each([shapes(4), shapes(5)]))
    found = claims(tmp_path, geometry.WORK)
    for words, expected in (
        ("1/2 (pairs)", "met"),
        ("2/5", "met"),
        ("3/8", "not met"),
        ("3/4", "not met"),
        ("stay at 1/2", "met"),
    ):
        assert starting(found, words).verdict == expected, words


def test_absolute(tmp_path: Path) -> None:
    def model(n: int, m: int) -> np.ndarray[Any, Any]:
        weights = np.zeros((n, m))
        for unit in range(m):
            weights[unit // 2, unit] = (-1) ** unit
        return weights

    data = {"data": {"importance": {"geometric": 0.8}}}
    p = np.array([1.0, 0.1])
    exact = absolute.two_units_each(p, 0.8 ** np.arange(20), 8)
    losses = np.stack([np.full(SEEDS, exact[0]), exact[1] * np.array([0.7, 0.71, 0.7, 0.72])])
    for name, n, m, loss in (("absolute_n3_m6", 3, 6, 0.0), ("absolute_n20_m8", 20, 8, losses)):
        weights = each([model(n, m)] * 2)
        decoder = np.abs(weights)
        save(tmp_path, name, {"sparsity": 1 - p}, weights, loss, data, decoder_weights=decoder)
    found = claims(tmp_path, absolute.WORK)
    assert [claim.verdict for claim in found.values()] == ["met", "met", "met", "not met"]
    assert starting(found, "features computed").ours == 4


def test_memorise(tmp_path: Path) -> None:
    for size, name in zip(memorise.SIZES, memorise.SWEEPS, strict=True):
        few = size < 100
        corners = size if few else 5
        angles = 2 * np.pi * np.arange(corners) / corners
        corner = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        weights = np.zeros((12, 2))
        weights[: min(corners, 12)] = corner[:12] * (0.1 if few else 1.1)
        jitter = 1 + 0.01 * np.arange(SEEDS)[:, None, None]
        save(tmp_path, name, {}, weights * jitter, 0.2 if size == 100 else 0.1)
        points = corner if few else np.zeros((size, 2)) + 1e-3 * np.arange(size)[:, None]
        arrays = {"points": np.tile(points, (1, 1, SEEDS, 1, 1)), "training_losses": np.zeros((1, 1, SEEDS))}
        np.savez(tmp_path / f"{name}.points.npz", **arrays)
    found = claims(tmp_path, memorise.WORK)
    verdicts = {key: claim.verdict for key, claim in found.items()}
    assert starting(found, "corners of a polygon").verdict == "met", verdicts
    assert starting(found, "pentagon").verdict == "met"
    assert starting(found, "double descent").verdict == "met"


def test_scaling(tmp_path: Path) -> None:
    m = np.array([4.0, 8, 16])
    weights = np.ones((3, SEEDS, 64, 16))
    wobble = np.exp(0.01 * np.arange(SEEDS))
    for power in scaling.POWERS:
        tail = scaling.left_out(scaling.densities(power, 64), m)
        for kind, losses in (("strong", 1 / m), ("weak", tail)):
            name = f"scaling_{kind}_{int(10 * power):02d}"
            save(tmp_path, name, {"n_hidden": m}, weights, losses[:, None] * wobble)
    assert {claim.verdict for claim in claims(tmp_path, scaling.WORK).values()} == {"met"}
    save(tmp_path, "scaling_strong_08", {"n_hidden": m}, weights, m[:, None] ** -0.5 * wobble)
    assert (
        starting(claims(tmp_path, scaling.WORK, drawn=False), "strong superposition, frequencies i^-0.8").verdict
        == "not met"
    )


def test_trainability(tmp_path: Path) -> None:
    rates = 10.0 ** np.arange(-2, 1.1, 0.5)
    dead = trainability.constant_loss(0.5, 8) * 1.05
    for line, name in enumerate(trainability.SWEEPS):
        c = 10 ** ((line - 8) / 8)
        good = (rates <= 1.01) & (rates * c**2 <= 1.01)
        losses = np.where(good, 0.5 * dead, np.where(rates * c**2 > 3, np.nan, dead))[:, None] * c**2
        config = {"data": {"values": "uniform" if c == 1 else {"uniform": [0, c]}}}
        save(tmp_path, name, {"learning_rate": rates}, np.ones((len(rates), SEEDS, 8, 2)), losses, config)
    found = claims(tmp_path, trainability.WORK)
    assert starting(found, "of the biases that trains").ours == pytest.approx(1, rel=1e-3)
    assert starting(found, "of the weights that trains").ours == pytest.approx(1, rel=1e-2)
    assert starting(found, "of the biases that trains").verdict == "met"


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


def test_reports_and_their_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_pairs(tmp_path, "across", "together")
    assert run("work", "pairs", "--folder", tmp_path, "--preset", "quick", "--seconds", 90) == 0
    found = json.loads((tmp_path / "pairs.json").read_text())
    assert (found["models"], found["seconds"], found["preset"]) == (3 * 2 * SEEDS, 90, "quick")
    assert found["samples"] == 3 * 2 * SEEDS * 40
    assert (tmp_path / "pairs.png").exists() and (tmp_path / "pairs.pdf").exists()
    # Models that an earlier run trained keep its time; others do not.
    assert run("work", "pairs", "--folder", tmp_path, "--preset", "quick", "--seconds", 1) == 0
    assert json.loads((tmp_path / "pairs.json").read_text())["seconds"] == 90
    save(tmp_path, "pairs_independent", {"sparsity": [0.5, 0.9]}, each([PAIRS["across"]] * 2), 0.1, {"seed": 7})
    assert run("work", "pairs", "--folder", tmp_path, "--preset", "quick", "--seconds", 1) == 0
    assert json.loads((tmp_path / "pairs.json").read_text())["seconds"] == 1
    assert "24 of 24" not in capsys.readouterr().err
    assert run("summary", "--folder", tmp_path) == 0
    text = (tmp_path / "FIELD.md").read_text()
    assert "phasegrid reproduce field --work pairs --preset quick" in text
    assert "| Correlated and anticorrelated pairs | 24 | 0.0 |" in text
    assert [one["figure"] for one in json.loads((tmp_path / "field.json").read_text())] == ["pairs"]


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(words: str, *command: object) -> None:
        assert run(*command) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1, error

    refused("allowed are phases, geometry", "work", "fig4", "--folder", tmp_path)
    refused("no such file", "work", "pairs", "--folder", tmp_path)
    refused("phasegrid reproduce field", "summary", "--folder", tmp_path)
    refused("phasegrid reproduce field", "site", tmp_path, "--out", tmp_path / "site")
    refused("--help", "work", "pairs")
    (tmp_path / "pairs.json").write_text("[]")
    refused("is no report", "summary", "--folder", tmp_path)
    save(tmp_path, "geometry", {"sparsity": [0.5], "batch": [4, 8]}, np.ones((1, 2, SEEDS, 4, 2)))
    with pytest.raises(InputError, match="the axis batch has 2 values"):
        geometry.WORK.values(trained(tmp_path, geometry.WORK))


def test_every_work_has_its_sweep_file() -> None:
    folder = Path(__file__).resolve().parents[2] / "experiments" / "field"
    assert {path.stem for path in folder.glob("*.toml")} == {work.name for work in WORKS}
    for work in WORKS:
        assert f'name = "{work.name}"' in (folder / f"{work.name}.toml").read_text()


def test_numbers_that_json_has_not() -> None:
    assert report.number(math.nan) is None and report.number(1.5) == 1.5 and report.number("x") == "x"
