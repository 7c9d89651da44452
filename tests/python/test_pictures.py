"""phasegrid.pictures from results in memory and from files: what is drawn, in which colours, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

import phasegrid
from phasegrid import pictures
from phasegrid.pictures import grids
from phasegrid.pictures.measures import feature_measures

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def results() -> phasegrid.Results:
    return phasegrid.train(
        n_features=3,
        n_hidden=2,
        n_experts=2,
        restarts=2,
        steps=200,
        batch=128,
        sparsity=np.linspace(0, 0.9, 5),
        last_importance=np.geomspace(0.2, 5, 4),
    )


def texts(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_phase_diagram_from_memory_is_that_of_the_file(results: phasegrid.Results, tmp_path: Path) -> None:
    results.save(tmp_path / "r.npz")
    files = [
        pictures.save(pictures.phase_diagram(source), tmp_path / f"{at}.pdf")
        for at, source in enumerate((results, [results], tmp_path / "r.npz", phasegrid.load(tmp_path / "r.npz")))
    ]
    assert len({file.read_bytes() for file in files}) == 1  # equal pictures are equal bytes
    assert b"/FontFile2" in files[0].read_bytes()  # type 42: TrueType, embedded
    assert results.draw(tmp_path / "d.png").axes
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    side_by_side = pictures.phase_diagram(results, beside=results, score="authors", shared_scale=True)
    assert "published" in texts(side_by_side)
    assert len(pictures.loss_boxes([results]).axes) == 1


def test_the_authors_way_of_looking_at_results(results: phasegrid.Results, tmp_path: Path, program: str) -> None:
    """The program's --layout authors, by NumPy written from the description of the authors' notebook phase_change."""
    (tmp_path / "a.toml").write_text(
        """
        restarts = 2
        [model]
        n_features = 3
        n_hidden = 2
        n_experts = 2
        [train]
        steps = 100
        [axes]
        sparsity = [0.1, 0.5, 0.8]
        last_importance = [0.5, 1, 2]
        """
    )
    command = [program, "run", tmp_path / "a.toml", "--out", tmp_path / "a.npz", "--layout", "authors"]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(tmp_path / "a.npz") as file:
        weights = file["expert_weights"].astype(np.float64)
    colours = np.zeros((3, 3, 2, 3))
    for e in range(2):
        norms, scores = np.zeros((3, 3)), np.zeros((3, 3))
        for s in range(3):
            for r in range(3):
                last = weights[s, r, e, 2]
                norms[s, r] = (last**2).sum() ** 0.5
                scores[s, r] = sum(float(last / norms[s, r] @ weights[s, r, e, j]) ** 2 for j in range(3))
        y, x = norms / norms.max(), scores / scores.max()
        colours[:, :, e] = np.stack([y * x + 1 - y, 1 - y, y * (1 - x) + 1 - y], -1)
    grid = grids.load_grid(tmp_path / "a.npz")
    for e, panel in enumerate(grids.panels_of(grid, "authors")):
        np.testing.assert_allclose(panel.colours(panel.largest())[..., :3], colours[:, :, e], atol=1e-12)


def machado(kind: str) -> Array:
    """Simulated loss of one kind of cone, severity 1.0: Machado, Oliveira and Fernandes 2009, table 1; linear RGB."""
    matrices = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
        "none": np.eye(3).tolist(),
    }
    return np.array(matrices[kind])


def lab(rgb: Array, kind: str) -> Array:
    """CIE L*a*b* (D65) of an sRGB colour as such a person sees it."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(machado(kind) @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    ratio = to_xyz @ seen / np.array([0.95047, 1, 1.08883])
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", ["none", "protan", "deutan", "tritan"])
def test_safe_colours_tell_the_phases_apart(kind: str) -> None:
    """Ignored, monosemantic, superposed: 40 units of L*a*b* apart, where 2.3 is just noticeable; and half represented
    features 20 apart.
    """
    for least, norm in ((40, 1.0), (20, 0.5)):
        corners = [
            grids.phase_colours(np.array(y), np.array(x), grids.PHASES["safe"])
            for y, x in ((0.0, 0.0), (norm, 0.0), (norm, 1.0))
        ]
        for i in range(3):
            for j in range(i):
                distance = np.linalg.norm(lab(corners[i], kind) - lab(corners[j], kind))
                assert distance > least, (kind, norm, i, j, distance)


def test_safe_colours_reach_every_picture(results: phasegrid.Results) -> None:
    paper, safe = (
        pictures.phase_diagram(results, colours=colours).axes[0].collections or
        pictures.phase_diagram(results, colours=colours).axes[0].images
        for colours in ("paper", "safe")
    )  # fmt: skip
    assert paper and safe
    assert not np.array_equal(np.asarray(paper[0].get_array()), np.asarray(safe[0].get_array()))
    for colours in ("paper", "safe"):
        assert pictures.experts(results, (1, 2), colours=colours).axes


def test_expert_panels_have_the_measures(results: phasegrid.Results) -> None:
    for e in range(2):
        norm, polysemanticity, gram = feature_measures(results.expert_weights[1, 2, e].astype(np.float64))
        np.testing.assert_allclose(norm, results.feature_norms()[1, 2, e], rtol=1e-5)
        np.testing.assert_allclose(polysemanticity, results.polysemanticity()[1, 2, e], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(np.diag(gram), norm, rtol=1e-5)
    figure = pictures.experts(results, (1, 2))
    heights = [patch.get_height() for patch in figure.axes[0].patches if patch.get_height() != 1][:3]
    np.testing.assert_allclose(heights, results.feature_norms()[1, 2, 0], rtol=1e-5)
    assert "expert 2" in texts(figure)


def test_router_regions_need_a_plane(results: phasegrid.Results) -> None:
    plane = phasegrid.train(n_features=2, n_experts=3, sparsity=0.5, steps=20, restarts=1)
    figure = pictures.router_regions([plane, plane], titles=["one", "two"])
    assert len(figure.axes) == 2 and "one router" in texts(figure)
    with pytest.raises(ValueError, match="need 2 features, not 3"):
        pictures.router_regions(results)
    with pytest.raises(ValueError, match="titles must hold one for each of 1 results, not 2"):
        pictures.router_regions(plane, titles=["a", "b"])


def test_curves_over_sparsity() -> None:
    settings: dict[str, Any] = {"n_features": 6, "restarts": 1, "steps": 50, "sparsity": [0.8, 0.0, 0.5]}
    both = [
        phasegrid.train(**settings, n_hidden=3, seed=[0, 1, 2]),
        phasegrid.train(**settings, n_hidden=1, n_experts=3, top_k=2, seed=[0, 1, 2]),
    ]
    figure = pictures.features_per_dimension(both, samples=500)
    line = figure.axes[0].lines[1]
    np.testing.assert_allclose(line.get_xdata(), 1 / (1 - np.array([0, 0.5, 0.8])))
    expected = both[0].features_per_dimension(500).reshape(3, 3).mean(1)[[1, 2, 0]]
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert "3 experts, m = 1, k = 2" in texts(figure) and "3 seeds" in texts(figure)
    figure = pictures.losses(both, colours="safe")
    np.testing.assert_allclose(
        figure.axes[0].lines[0].get_ydata(), np.log(both[0].final_losses.reshape(3, 3).mean(1)[[1, 2, 0]]), rtol=1e-6
    )
    other = phasegrid.train(**{**settings, "sparsity": [0.1]})
    with pytest.raises(ValueError, match="its sparsities are not those of sweep"):
        pictures.losses([both[0], other])
    with pytest.raises(ValueError, match="at least one"):
        pictures.losses([])
    with pytest.raises(ValueError, match=r"at most seed beside it, not last_importance"):
        pictures.losses([phasegrid.train(**settings, last_importance=[1.0, 2.0])])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda r, p: pictures.phase_diagram(r, score="x"), r"allowed are paper, authors"),
        (lambda r, p: pictures.phase_diagram(r, colours="x"), r"allowed are paper, safe"),
        (lambda r, p: pictures.phase_diagram([r, r]), r"the same architecture"),
        (lambda r, p: pictures.phase_diagram(p / "none.npz"), r"none\.npz: no such file"),
        (lambda r, p: pictures.phase_diagram({"a": np.zeros(3)}), r"results: no key sparsity_values"),
        (lambda r, p: pictures.phase_diagram([3]), r"must be a path, a mapping of arrays or Results, not int"),
        (lambda r, p: pictures.experts(r, 17), r"cell \(17,\) is not in the grid \(5, 4\)"),
        (lambda r, p: pictures.experts(r, colours="x"), r"allowed are paper, safe"),
        (lambda r, p: pictures.save(r.draw(), p / "x.gif"), r"must end in one of \.png, \.pdf, \.svg"),
        (lambda r, p: pictures.report(p / "none.json"), r"none\.json"),
    ],
)
def test_bad_input_gets_one_sentence(results: phasegrid.Results, tmp_path: Path, call: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        call(results, tmp_path)
    assert "\n" not in str(caught.value)
