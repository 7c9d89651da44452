"""phasegrid.pictures from results in memory and from files: what is drawn, in which colours, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

import phasegrid
from phasegrid import pictures
from phasegrid.pictures import boxes, diagrams, grids, measures, style
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
        weights = file["expert_weights_list"].reshape(3, 3, 2, 3, 2).astype(np.float64)
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
    (grid,) = grids.load_grid(tmp_path / "a.npz")
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


@pytest.mark.parametrize("kind", ["none", "protan", "deutan", "tritan"])
def test_safe_colours_tell_curves_and_families_apart(kind: str) -> None:
    """15 units of L*a*b* between any two of the families of Figure 8 and of the four curves of Figure 3."""
    families = [colour for letter, colour in boxes.FAMILY_COLOURS["safe"].items() if letter]
    for colours in (families, style.PALETTES["safe"].series[:4]):
        for i, one in enumerate(colours):
            for other in colours[:i]:
                distance = np.linalg.norm(lab(np.array(to_rgb(one)), kind) - lab(np.array(to_rgb(other)), kind))
                assert distance > 15, (kind, one, other, distance)


def test_safe_colours_reach_every_picture(results: phasegrid.Results) -> None:
    paper, safe = (
        pictures.phase_diagram(results, colours=colours).axes[0].collections or
        pictures.phase_diagram(results, colours=colours).axes[0].images
        for colours in ("paper", "safe")
    )  # fmt: skip
    assert paper and safe
    assert not np.array_equal(np.asarray(paper[0].get_array()), np.asarray(safe[0].get_array()))
    for draw in (
        lambda colours: pictures.phase_diagram(results, colours=colours),
        lambda colours: pictures.loss_boxes(results, colours=colours),
        lambda colours: pictures.experts(results, (1, 2), colours=colours),
        lambda colours: pictures.curves(results, axis="sparsity", fixed={"last_importance": 0}, colours=colours),
    ):
        plain, safe_one = (diagrams.render(draw(colours), "png", 40) for colours in ("paper", "safe"))
        assert plain != safe_one


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
    figure = pictures.features_per_dimension(both, samples=20_000)
    for at, one in enumerate(both):
        line = figure.axes[0].lines[1 + at]
        np.testing.assert_allclose(line.get_xdata(), 1 / (1 - np.array([0, 0.5, 0.8])))
        expected = one.features_per_dimension(20_000).reshape(3, 3).mean(1)[[1, 2, 0]]
        # One expert is always used; other shares are of 20,000 inputs each, so of sd 0.0035 at most.
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6 if at == 0 else 0.03)
    np.testing.assert_allclose(figure.axes[1].lines[2].get_ydata(), 2 * np.asarray(line.get_ydata()))
    assert "3 experts, m = 1, k = 2" in texts(figure) and "3 seeds" in texts(figure)
    figure = pictures.losses(both, colours="safe")
    np.testing.assert_allclose(
        figure.axes[0].lines[0].get_ydata(), np.log(both[0].final_losses.reshape(3, 3).mean(1)[[1, 2, 0]]), rtol=1e-6
    )
    other = phasegrid.train(**{**settings, "sparsity": [0.1]})
    with pytest.raises(ValueError, match="its values of sparsity are not those of results"):
        pictures.losses([both[0], other])
    with pytest.raises(ValueError, match="at least one"):
        pictures.losses([])
    with pytest.raises(ValueError, match=r"need one value of last_importance, which has 2"):
        pictures.losses([phasegrid.train(**settings, last_importance=[1.0, 2.0])])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda r, p: pictures.phase_diagram(r, score="x"), r"allowed are paper, authors"),
        (lambda r, p: pictures.phase_diagram(r, colours="x"), r"allowed are paper, safe"),
        (lambda r, p: pictures.phase_diagram([r, r]), r"the same architecture"),
        (lambda r, p: pictures.phase_diagram(p / "none.npz"), r"none\.npz: no such file"),
        (lambda r, p: pictures.phase_diagram({"a": np.zeros(3)}), r"results: no key sparsity_values"),
        (lambda r, p: pictures.phase_diagram({**r.arrays(), "seed_values": np.ones(2)}), r"must have 3 dimension"),
        (lambda r, p: pictures.phase_diagram({**r.arrays(), "seed_values": np.ones(1)}), r"must have 3 dimension"),
        (lambda r, p: pictures.phase_diagram(3), r"must be a path, a mapping .* not int"),
        (lambda r, p: pictures.phase_diagram(r, width="page"), r"allowed are column, text and a number of inches"),
        (lambda r, p: pictures.phase_diagram(r, width=-1), r"allowed are column, text and a number of inches"),
        (lambda r, p: pictures.phase_diagram(r, width=2), r"width 2 inches: this picture needs at least 3\.\d+$"),
        (lambda r, p: pictures.loss_boxes(r, colours="x"), r"allowed are paper, safe"),
        (lambda r, p: pictures.loss_boxes(r, width=1), r"needs at least 3\.2$"),
        (lambda r, p: pictures.curves([]), r"at least one"),
        (lambda r, p: pictures.curves(r), r"name the axis of the curves, one of sparsity, last_importance"),
        (lambda r, p: pictures.curves(r, axis="sparsity"), r"need one value of last_importance, which has 4"),
        (lambda r, p: pictures.curves(r, axis="sparsity", fixed={"last_importance": 4}), r"an index into its 4 values"),
        (lambda r, p: pictures.curves(r, axis="sparsity", fixed={"colour": 4}), r"fixed names 'colour'; allowed are"),
        (lambda r, p: pictures.curves(r, axis="steps"), r"no axis steps; there are sparsity, last_importance"),
        (lambda r, p: pictures.curves(r, axis="colour"), r"axis 'colour': allowed are sparsity"),
        (
            lambda r, p: pictures.curves(r, measure="x"),
            r"allowed are loss, log_loss, training_loss, log_training_loss, norm",
        ),
        (lambda r, p: pictures.curves({"final_losses": np.ones(3)}), r"no key expert_weights|must begin with"),
        (lambda r, p: pictures.features_per_dimension(r, samples=0), r"samples must be a whole number from 1"),
        (lambda r, p: pictures.training(r), r"no key snapshot_reconstruction_losses; train with snapshots"),
        (lambda r, p: pictures.experts({**r.arrays(), "expert_weights": np.ones(3)}), r"must begin with"),
        (lambda r, p: pictures.router_regions({**r.arrays(), "router_weights": np.ones(3)}), r"numbers in 4 dim"),
        (lambda r, p: pictures.losses({**r.arrays(), "config": "{"}), r"config is not JSON"),
        (lambda r, p: pictures.phase_diagram([3]), r"must be a path, a mapping of arrays or Results, not int"),
        (lambda r, p: pictures.experts(r, 20), r"index into the grid \(sparsity: 5, last_importance: 4\).* not 20$"),
        (lambda r, p: pictures.experts(r, (17,)), r"cell must be an index into the grid .* not \(17,\)$"),
        (lambda r, p: pictures.experts(r, colours="x"), r"allowed are paper, safe"),
        (lambda r, p: pictures.save(r.draw(), p / "x.gif"), r"must end in one of \.png, \.pdf, \.svg"),
        (lambda r, p: pictures.report(p / "none.json"), r"none\.json"),
    ],
)
def test_bad_input_gets_one_sentence(results: phasegrid.Results, tmp_path: Path, call: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        call(results, tmp_path)
    assert "\n" not in str(caught.value)


def test_measures_are_those_of_the_library(results: phasegrid.Results) -> None:
    """Routers with ties and k > 1 included: usage of the very inputs that C++ routes."""
    mixture = phasegrid.train(n_features=6, n_hidden=2, n_experts=4, top_k=2, restarts=1, steps=30, sparsity=0.5)
    for one, k in ((results, 1), (mixture, 2)):
        router = one.router_weights[0, 0].astype(np.float64)
        inputs = phasegrid.draw_inputs([0.5] * router.shape[1], 300, seed=1).copy()
        inputs[:20] = 0  # every score ties
        experts, gates = one.route((0, 0), inputs)
        expected = np.bincount(experts.ravel(), gates.ravel(), len(router)) / len(inputs)
        np.testing.assert_allclose(measures.expert_usage(router, k, inputs.astype(np.float64)), expected, atol=1e-6)
    weights = results.expert_weights.astype(np.float64)
    np.testing.assert_allclose(measures.last_norm(weights), results.feature_norms()[..., -1], rtol=1e-5)
    np.testing.assert_allclose(measures.last_score(weights), results.interference()[..., -1], rtol=1e-4, atol=1e-8)


def test_curves_over_any_axis(tmp_path: Path) -> None:
    rates = [1e-2, 1e-4, 1e-3]
    one = phasegrid.train(
        n_features=3,
        n_hidden=2,
        n_experts=2,
        restarts=1,
        steps=30,
        sparsity=[0.2, 0.6],
        learning_rate=rates,
        seed=[1, 2],
    )
    one.save(tmp_path / "r.npz")
    order = [1, 2, 0]
    for source in (one, tmp_path / "r.npz"):
        figure = pictures.curves(source, axis="learning_rate", fixed={"sparsity": 1})
        line = figure.axes[0].lines[0]
        np.testing.assert_allclose(line.get_xdata(), np.array(rates)[order])
        np.testing.assert_allclose(line.get_ydata(), one.final_losses[1, 0].mean(1)[order], rtol=1e-6)
        assert figure.axes[0].get_xscale() == "log"
        assert "learning rate" in texts(figure) and "2 seeds" in texts(figure)
    for measure, expected in (
        ("norm", one.feature_norms()[1, 0, ..., -1]),
        ("score", one.interference()[1, 0, ..., -1]),
    ):
        lines = pictures.curves(one, axis="learning_rate", fixed={"sparsity": 1}, measure=measure).axes[0].lines
        for e in range(2):
            np.testing.assert_allclose(lines[e].get_ydata(), expected[..., e].mean(1)[order], rtol=1e-4, atol=1e-8)
    by_seed = pictures.curves(one, axis="seed", fixed={"sparsity": 0, "learning_rate": 2}, measure="log_loss")
    np.testing.assert_allclose(by_seed.axes[0].lines[0].get_ydata(), np.log(one.final_losses[0, 0, 2]), rtol=1e-6)


def test_training_shows_every_restart() -> None:
    one = phasegrid.train(n_features=3, restarts=4, steps=60, sparsity=[0.2, 0.6], snapshots=[0, 20, 60])
    figure = pictures.training(one, 1)
    kept = int(one.kept[1, 0])
    shown = {tuple(np.asarray(line.get_ydata())) for line in figure.axes[0].lines}
    assert shown == {tuple(losses) for losses in one.snapshot_losses[1, 0].astype(np.float64)}
    front = figure.axes[0].lines[-1]
    np.testing.assert_array_equal(front.get_ydata(), one.snapshot_losses[1, 0, kept])
    np.testing.assert_array_equal(front.get_xdata(), [0, 20, 60])
    assert f"kept: restart {kept + 1}" in texts(figure)


def all_pictures(results: phasegrid.Results, width: str) -> dict[str, Figure]:
    """Every picture of results, at a width."""
    settings: dict[str, Any] = {"restarts": 2, "steps": 20, "snapshots": [0, 10, 20]}
    plane = phasegrid.train(n_features=2, n_experts=3, sparsity=0.5, **settings)
    both = [
        phasegrid.train(n_features=6, n_hidden=m, n_experts=E, top_k=k, sparsity=[0, 0.5, 0.8], seed=[0, 1], **settings)
        for m, E, k in ((4, 1, 1), (1, 4, 1), (1, 4, 2))
    ]
    shapes = [(2, 1, 1), (2, 1, 2), *((3, m, E) for m in (1, 2) for E in (1, 2, 3))]
    axes: dict[str, Any] = {"sparsity": np.linspace(0, 0.9, 4), "last_importance": [0.5, 1, 2]}
    eight = [phasegrid.train(n_features=n, n_hidden=m, n_experts=E, **axes, **settings) for n, m, E in shapes]
    return {
        "fig1": pictures.experts(both[0], width=width),
        "fig2": pictures.experts(both[1], width=width),
        "fig3": pictures.features_per_dimension(both, samples=100, width=width),
        "fig4": pictures.phase_diagram(eight, width=width),
        "one": pictures.phase_diagram(results, width=width),
        "fig5": pictures.router_regions([plane] * 3, width=width),
        "fig7": pictures.losses(both, width=width),
        "fig8": pictures.loss_boxes(eight, width=width),
        "curves": pictures.curves(both[:2], measure="norm", width=width),
        "training": pictures.training(plane, width=width),
    }


@pytest.mark.parametrize(("width", "inches"), [("column", 3.25), ("text", 6.75)])
def test_pictures_fit_a_page(results: phasegrid.Results, width: str, inches: float) -> None:
    """Exactly as wide as asked for; all that is drawn lies inside."""
    for name, figure in all_pictures(results, width).items():
        assert figure.get_figwidth() == pytest.approx(inches), name
        canvas = FigureCanvasAgg(figure)
        with diagrams.style():
            canvas.draw()
        drawn_box = figure.get_tightbbox(canvas.get_renderer())  # in inches
        assert drawn_box is not None
        overhang = (-drawn_box.x0, -drawn_box.y0, drawn_box.x1 - inches, drawn_box.y1 - figure.get_figheight())
        assert max(overhang) < 0.02, (name, overhang)
