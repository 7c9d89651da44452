"""Tests of experiments/paper_*.py and draw_paper.py: data lands where it must, and bad reports are refused in one line.
Run: python3 tests/paper_pictures_test.py"""

from __future__ import annotations

import copy
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "experiments"))

import draw_paper
import paper_experts
import paper_pictures
import paper_reports
import paper_style
import pictures
from diagrams import InputError
from matplotlib import colormaps, image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.patches import Rectangle

PAPER, SAFE = (paper_style.PALETTES[name] for name in ("paper", "safe"))


def panel(title: str, n: int = 4, **more: Any) -> dict[str, Any]:
    """A made-up expert whose first feature is monosemantic."""
    gram = (np.arange(n * n).reshape(n, n) / (n * n) - 0.5).tolist()
    norm, shared = np.linspace(1, 0.25, n).tolist(), np.linspace(0, 1.5, n).tolist()
    return {"title": title, "norm": norm, "polysemanticity": shared, "gram": gram, **more}


def series(name: str, factor: float, **more: Any) -> dict[str, Any]:
    mean = [factor * value for value in (1.0, 1.2, 2.0, 4.0)]
    entry = {"label": name, "mean": mean, "sd": [0.1] * 4, "published": [1.05 * value for value in mean]}
    return {**entry, "mean_without_1_k": mean, "without_1_k_differs": False, **more}


EXPERTS = {"panels": [panel("dense")], "groups": [{"title": "Figure 1, n = 4", "panels": [0]}]}
MARKED = {
    "panels": [panel(f"expert {e}", start=[int(e == i) for i in (1, 2, 3, 4)]) for e in (1, 2, 3, 4)],
    "groups": [{"title": "(a) diagonal", "panels": [0, 1]}, {"title": "(b) k-hot", "panels": [3, 2]}],
}
FIG3 = {
    "inverse_density": [1, 2, 5, 10],
    "series": [
        series("dense, m = 20", 1.0, published=[1.0, None, 2.1, 4.4]),
        series("10 experts", 0.5, mean_without_1_k=[1.0, 1.2, 2.0, 4.0], without_1_k_differs=True),
    ],
}
FIG7 = {
    "inverse_density": [1, 2, 5, 10],
    "series": [
        {
            "label": "dense",
            "log_loss": [-2.7, -2.5, -3.0, -4.1],
            "sd": [0.01, 0.02, 0.03, 0.04],
            "published": {"inverse_density": [1, 10, 50], "log_loss": [-2.69, -4.13, -9.0]},
        },
        {"label": "4 experts", "log_loss": [-2.4, -2.3, -2.9, -3.7], "sd": [0.01] * 4, "published": None},
    ],
}
ROUTERS = [[[0, 0], [0, 0], [0, 0]], [[1, 0], [0, 1], [0.7, 0.7]]]
FIG5 = {
    "panels": [
        {"title": name, "loss": loss, "published_loss": 0.08, "router": router}
        for name, loss, router in zip(("zero", "diagonal"), (0.0812, None), ROUTERS, strict=True)
    ]
}
TABLE1 = {
    "tables": [
        {
            "title": title,
            "columns": [],
            "rows": [
                [0, 60, 461, 40, 80, None, None, None, None, None, None],
                [1, 80, 387, 55, 95, 9.6, 9.5, 18.0, 17.0, 70.0, 67.0],
                [2, 60, 152, 20, 45, 9.1, None, 30.0, 31.0, 95.0, 96.0],
            ],
        }
        for title in ("Xavier", "random k-hot")
    ]
}
BOUNDARIES = {
    "rows": [
        {
            "label": f"{family}/{experts}",
            "expert": e,
            "field": field,
            "concentration": [0.3 / experts, 0.2 / experts, 0.4 / experts],
            "jump": [0.5, 0.4, 0.6],
            "roughness": [2.0 * e, 1.0, 8.0],
        }
        for field in ("norm", "interference")
        for family in "AB"
        for experts in (1, 2)
        for e in range(1, experts + 1)
    ]
}
PICTURES: dict[str, dict[str, Any]] = {
    "fig1": EXPERTS,
    "fig2": EXPERTS,
    "fig3": FIG3,
    "fig5": FIG5,
    "fig6": MARKED,
    "fig7": FIG7,
    "table1": TABLE1,
    "boundaries": BOUNDARIES,
}


def report(figure: str, **more: Any) -> dict[str, Any]:
    head = {"figure": figure, "title": f"{figure}: a title", "preset": "paper", "version": "0.1.0", "device": "CPU"}
    return {**head, "seconds": 1.5, "settings": {"seeds": 8}, "verdicts": [], "picture": PICTURES[figure], **more}


def draw(figure: str, colours: str = "paper", **more: Any) -> Any:
    content = json.loads(json.dumps(report(figure, **more)))
    return paper_pictures.draw(paper_reports.parse(content, tuple(paper_pictures.FIGURES)), colours)


def laid_out(figure: Any) -> Any:
    """Its renderer, once everything has its place."""
    canvas = FigureCanvasAgg(figure)
    with pictures.style():
        canvas.draw()
    return canvas.get_renderer()


def pixels(figure: Any, dpi: int = 200) -> Any:
    return image.imread(io.BytesIO(pictures.render(figure, "png", dpi)))[..., :3]


def colour_at(figure: Any, shown: Any, axes: Any, x: float, y: float) -> Any:
    """The colour of a rendered picture at a point of some axes."""
    across, up = figure.transFigure.inverted().transform(axes.transData.transform((x, y)))
    height, width = shown.shape[:2]
    return shown[int((1 - up) * height), int(across * width)]


def lines(axes: Any, **wanted: Any) -> list[Any]:
    return [line for line in axes.lines if all(getattr(line, f"get_{key}")() == value for key, value in wanted.items())]


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def legend_texts(figure: Any) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


class Experts(unittest.TestCase):
    def test_bars_are_norms_coloured_by_polysemanticity(self) -> None:
        for name, palette in paper_style.PALETTES.items():
            figure = draw("fig1", name)
            bars, shown = figure.axes[0], pixels(figure)
            self.assertEqual([bar.get_height() for bar in bars.containers[0]], EXPERTS["panels"][0]["norm"])
            for i, shared in enumerate(EXPERTS["panels"][0]["polysemanticity"]):
                expected = palette.shared(min(shared, 1.0))[:3]
                np.testing.assert_allclose(bars.containers[0][i].get_facecolor()[:3], expected)
                np.testing.assert_allclose(colour_at(figure, shown, bars, i + 1, 0.1), expected, atol=0.01)
            np.testing.assert_array_equal(colour_at(figure, shown, bars, 4, 0.5), (1, 1, 1))  # above the last bar

    def test_matrix_has_row_i_and_column_j_and_white_at_zero(self) -> None:
        gram = np.zeros((4, 4))
        gram[0, 3], gram[2, 1] = 1.0, -1.0
        picture = {**EXPERTS, "panels": [panel("dense", gram=gram.tolist())]}
        for name, palette in paper_style.PALETTES.items():
            figure = draw("fig1", name, picture=picture)
            matrix, shown = figure.axes[1], pixels(figure)
            np.testing.assert_array_equal(matrix.images[0].get_array(), gram)
            for i, j in ((1, 4), (3, 2), (4, 1), (2, 2)):
                expected = palette.signed(0.5 + gram[i - 1, j - 1] / 2)[:3]
                np.testing.assert_allclose(colour_at(figure, shown, matrix, j, i), expected, atol=0.02)
            self.assertGreater(matrix.get_ylim()[0], matrix.get_ylim()[1])  # feature 1 on top, as published

    def test_bars_stand_above_their_columns_on_one_scale(self) -> None:
        figure = draw("fig6")
        panels = list(zip(figure.axes[0:8:2], figure.axes[1:8:2], strict=True))
        self.assertEqual(len({bars.get_ylim() for bars, _ in panels}), 1)
        for bars, matrix in panels:
            self.assertEqual(bars.get_xlim(), matrix.get_xlim())
            above, below = bars.get_position(), matrix.get_position()
            self.assertAlmostEqual(above.x0, below.x0)
            self.assertAlmostEqual(above.x1, below.x1)
            self.assertGreater(above.y0, below.y1)

    def test_groups_choose_their_panels_and_mark_where_the_router_started(self) -> None:
        figure = draw("fig6")
        marks = [lines(axes, marker="^")[0].get_xdata().tolist() for axes in figure.axes[0:8:2]]
        self.assertEqual(marks, [[1], [2], [4], [3]])  # the second group's panels are [3, 2]
        rows = {round(axes.get_position().y0, 6) for axes in figure.axes[0:8:2]}
        self.assertEqual(len(rows), 2)
        spans = [patch for patch in figure.axes[2].patches if isinstance(patch, Rectangle) and patch.get_alpha()]
        self.assertEqual([(span.get_x(), span.get_width()) for span in spans], [(1.5, 1.0)])
        self.assertTrue(any("router started" in text for text in texts(figure)))
        self.assertFalse(any("router started" in text for text in texts(draw("fig1"))))

    def test_nothing_is_cut_off(self) -> None:
        for name in ("fig1", "fig2", "fig6"):
            figure = draw(name)
            renderer = laid_out(figure)
            for artist in [*figure.texts, *(axes.title for axes in figure.axes)]:
                box = artist.get_window_extent(renderer)
                self.assertTrue(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, artist.get_text())
                self.assertTrue(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, artist.get_text())

    def test_nulls_are_hatched(self) -> None:
        gone = panel("expert 2", norm=[None] * 4, gram=[[None] * 4] * 4, polysemanticity=[None] * 4)
        picture = {"panels": [panel("expert 1"), gone], "groups": [{"title": "two", "panels": [0, 1]}]}
        figure = draw("fig2", picture=picture)
        self.assertEqual([bool(axes.patch.get_hatch()) for axes in figure.axes[:4]], [False, False, True, True])
        self.assertIn("hatched: no value", texts(figure))

    def test_headings_break_between_terms(self) -> None:
        for width in (0.9, 1.5, 2.5):
            found = paper_experts.wrapped("Figure 1: a dense model, n = 20, m = 6, seed 0", width)
            self.assertEqual(" ".join(found), "Figure 1: a dense model, n = 20, m = 6, seed 0")
            self.assertFalse(any(line.startswith("=") or line.endswith("=") for line in found))


class Curves(unittest.TestCase):
    def test_figure_3_means_bands_published_dots_and_the_line_at_1(self) -> None:
        for name, palette in paper_style.PALETTES.items():
            figure = draw("fig3", name)
            axes = figure.axes[0]
            self.assertEqual(axes.get_xscale(), "log")
            for entry, colour, marker in zip(FIG3["series"], palette.series, paper_style.MARKERS, strict=False):
                (ours,) = lines(axes, color=colour, linestyle="-")
                np.testing.assert_array_equal(ours.get_xdata(), FIG3["inverse_density"])
                np.testing.assert_array_equal(ours.get_ydata(), entry["mean"])
                (theirs,) = lines(axes, marker=marker, markeredgecolor=colour)
                expected = np.array(entry["published"], dtype=float)
                np.testing.assert_array_equal(theirs.get_ydata(), expected)
                self.assertEqual(theirs.get_markerfacecolor(), "white")
            for band, entry in zip(axes.collections, FIG3["series"], strict=True):
                points = band.get_paths()[0].vertices
                for x, mean in zip(FIG3["inverse_density"], entry["mean"], strict=True):
                    ends = points[points[:, 0] == x][:, 1]
                    np.testing.assert_allclose([ends.min(), ends.max()], [mean - 0.1, mean + 0.1])
            self.assertIn([1, 1], [list(line.get_ydata()) for line in axes.lines])

    def test_figure_3_shows_the_other_reading_only_where_it_differs(self) -> None:
        figure = draw("fig3")
        values = [line.get_ydata().tolist() for line in figure.axes[1].lines if len(line.get_ydata()) == 4]
        self.assertEqual(values, [FIG3["series"][0]["mean"], FIG3["series"][1]["mean_without_1_k"]])
        same = {**FIG3, "series": FIG3["series"][:1]}
        self.assertEqual(len(draw("fig3", picture=same).axes), 1)

    def test_figure_7_places_published_points_at_their_own_densities(self) -> None:
        axes = draw("fig7").axes[0]
        (theirs,) = lines(axes, marker="o", markeredgecolor=PAPER.series[0])
        np.testing.assert_array_equal(theirs.get_xydata(), [[1, -2.69], [10, -4.13]])  # 50 lies outside the axis
        (ours,) = lines(axes, color=PAPER.series[1], linestyle="-")
        np.testing.assert_array_equal(ours.get_ydata(), FIG7["series"][1]["log_loss"])
        self.assertEqual(axes.get_xscale(), "log")

    def test_legends_hide_no_data(self) -> None:
        for name in ("fig3", "fig5", "fig7", "table1", "boundaries"):
            figure = draw(name)
            renderer = laid_out(figure)
            self.assertEqual(len(figure.legends), 1)
            legend = figure.legends[0].get_window_extent(renderer)
            for axes in figure.axes:
                self.assertFalse(legend.overlaps(axes.get_window_extent(renderer)), name)
                self.assertFalse(legend.overlaps(axes.title.get_window_extent(renderer)), name)
            self.assertTrue(figure.bbox.x0 <= legend.x0 and legend.x1 <= figure.bbox.x1, name)

    def test_nulls_leave_gaps_and_lone_values_are_dots(self) -> None:
        entry = series("dense", 1.0, mean=[1.0, None, 2.0, None], sd=[None] * 4, published=None)
        axes = draw("fig3", picture={**FIG3, "series": [entry]}).axes[0]
        (ours,) = lines(axes, color=PAPER.series[0])
        np.testing.assert_array_equal(ours.get_ydata(), [1.0, np.nan, 2.0, np.nan])
        self.assertEqual(ours.get_markevery(), [0, 2])
        whole = draw("fig3").axes[0]
        self.assertEqual(lines(whole, color=PAPER.series[0], linestyle="-")[0].get_markevery(), [])

    def test_one_density(self) -> None:
        one = {"inverse_density": [2.0], "series": [{**FIG7["series"][0], "log_loss": [-2.5], "sd": [0.1]}]}
        axes = draw("fig7", picture=one).axes[0]
        self.assertLess(axes.get_xlim()[0], 2.0)
        self.assertEqual(lines(axes, color=PAPER.series[0])[0].get_markevery(), [0])

    def test_seeds_are_named_and_other_presets_noted(self) -> None:
        self.assertIn("ours: mean ± 1 standard deviation over 8 seeds", legend_texts(draw("fig3")))
        bare = draw("fig3", settings={}, preset=None)
        self.assertIn("ours: mean ± 1 standard deviation over seeds", legend_texts(bare))
        for name in PICTURES:
            self.assertFalse(any("preset" in text for text in texts(draw(name))), name)
            self.assertTrue(any("preset quick" in text for text in texts(draw(name, preset="quick"))), name)


class Plane(unittest.TestCase):
    def test_regions_are_argmax_with_ties_to_the_lower_expert(self) -> None:
        router = np.random.default_rng(1).normal(size=(4, 2))
        found = paper_pictures.regions(router)
        for row, column in np.random.default_rng(2).integers(0, paper_pictures.RASTER, (200, 2)):
            x, y = ((at + 0.5) / paper_pictures.RASTER for at in (column, row))
            scores = [g[0] * x + g[1] * y for g in router]
            self.assertEqual(found[row, column], scores.index(max(scores)))
        self.assertFalse(paper_pictures.regions(np.zeros((3, 2))).any())
        equal = paper_pictures.regions(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
        self.assertEqual(sorted(np.unique(equal)), [0, 1])
        self.assertTrue((np.diag(equal) == 0).all())

    def test_colours_of_the_picture(self) -> None:
        for name, palette in paper_style.PALETTES.items():
            figure = draw("fig5", name)
            shown = pixels(figure)
            tints = [paper_pictures.TINT + (1 - paper_pictures.TINT) * np.array(to_rgb(c)) for c in palette.series]
            for axes, router in zip(figure.axes, ROUTERS, strict=True):
                for x, y in ((0.9, 0.06), (0.06, 0.9), (0.9, 0.8), (0.3, 0.25)):
                    scores = [g[0] * x + g[1] * y for g in router]
                    expected = tints[scores.index(max(scores))]
                    np.testing.assert_allclose(colour_at(figure, shown, axes, x, y), expected, atol=0.01)

    def test_regions_are_named_inside_themselves(self) -> None:
        figure = draw("fig5")
        for axes, router in zip(figure.axes, ROUTERS, strict=True):
            found = paper_pictures.regions(np.array(router, dtype=float))
            names = {text.get_text().split("\n")[0]: text.get_position() for text in axes.texts}
            for e in np.unique(found):
                x, y = names[f"expert {e + 1}"]
                self.assertEqual(found[int(y * paper_pictures.RASTER), int(x * paper_pictures.RASTER)], e)
        titles = [axes.get_title() for axes in figure.axes]
        expected = ["zero router\nloss 0.081 (published 0.08)", "diagonal router\nno loss (published 0.08)"]
        self.assertEqual(titles, expected)


class Table(unittest.TestCase):
    def test_counts_per_thousand_with_their_bounds(self) -> None:
        """200 experts of ours beside 1,000 of theirs."""
        axes = draw("table1").axes[0]
        np.testing.assert_allclose([bar.get_height() for bar in axes.containers[0]], [300, 400, 300])
        (theirs,) = lines(axes, marker="o")
        np.testing.assert_allclose(theirs.get_ydata(), [461, 387, 152])
        np.testing.assert_allclose(
            [segment[:, 1] for segment in axes.collections[0].get_segments()], [[200, 400], [275, 475], [100, 225]]
        )
        self.assertEqual(axes.get_ylim()[0], 0)
        for bar, x in zip(axes.containers[0], theirs.get_xdata(), strict=True):
            self.assertLess(bar.get_x() + bar.get_width(), x)  # beside, not over each other
        self.assertEqual([text.get_text() for text in axes.texts], ["300", "400", "300", "461", "387", "152"])

    def test_usages(self) -> None:
        axes = draw("table1").axes[2]
        for kind, marker in enumerate(paper_pictures.USAGE_MARKERS):
            ours, theirs = lines(axes, marker=marker)
            rows = np.array(TABLE1["tables"][0]["rows"], dtype=float)
            np.testing.assert_array_equal(ours.get_ydata(), rows[:, 5 + 2 * kind])
            np.testing.assert_array_equal(theirs.get_ydata(), rows[:, 6 + 2 * kind])
            self.assertEqual((ours.get_markerfacecolor(), theirs.get_markerfacecolor()), (PAPER.series[kind], "white"))

    def test_counts_without_published_ones(self) -> None:
        rows = [[f, 10, *[None] * 9] for f in (2, 0, 1)]
        axes = draw("table1", picture={"tables": [{"title": "ours", "rows": rows}]}).axes[0]
        self.assertEqual([text.get_text() for text in axes.texts], ["333"] * 3)


class Boundaries(unittest.TestCase):
    def test_dots_and_intervals(self) -> None:
        figure = draw("boundaries")
        self.assertEqual(len(figure.axes), 6)
        names = ["A.1/1", "A.1/2", "A.2/2", "B.1/1", "B.1/2", "B.2/2"]
        for at, axes in enumerate(figure.axes):
            self.assertEqual(axes.get_ylim(), (5.5, -0.5))
            field, measure = ("norm", "interference")[at // 3], ("concentration", "jump", "roughness")[at % 3]
            rows = [row for row in BOUNDARIES["rows"] if row["field"] == field]
            dots = [line for line in axes.lines if line.get_marker() in ("D", "o")]
            bars = [line for line in axes.lines if line.get_linewidth() == 1.6]
            for y, (row, dot, bar) in enumerate(zip(rows, dots, bars, strict=True)):
                value, low, high = row[measure]
                np.testing.assert_allclose(dot.get_xydata(), [[value, y]])
                np.testing.assert_allclose(bar.get_xydata(), [[low, y], [high, y]])
                dense = row["label"].endswith("/1")
                self.assertEqual(dot.get_marker(), "D" if dense else "o")
                self.assertEqual(dot.get_color(), PAPER.series[3 if dense else 0])
            self.assertEqual(axes.get_xlim()[0], 0)
        self.assertEqual([label.get_text() for label in figure.axes[0].get_yticklabels()], names)
        heads = [axes.get_title().split("\n")[0] for axes in figure.axes]
        self.assertEqual(heads, ["concentration", "jump", "roughness", "", "", ""])

    def test_dense_value_runs_through_its_family(self) -> None:
        axes = draw("boundaries").axes[0]
        dotted = lines(axes, linestyle=":")
        self.assertEqual(
            [(line.get_xdata()[0], tuple(line.get_ydata())) for line in dotted], [(0.3, (0, 2.4)), (0.3, (3, 5.4))]
        )


def lab(colour: Any, seen_as: Any = None) -> Any:
    """CIE Lab (D65) of an sRGB colour, as someone with a deficiency sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear if seen_as is None else np.array(seen_as) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ linear / (0.9505, 1, 1.089)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


class SafeColours(unittest.TestCase):
    # Machado, Oliveira and Fernandes 2009, severity 1: protanopia, deuteranopia, tritanopia.
    DEFICIENCIES = (
        ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
        ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
        ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    )

    def test_curves_differ_for_every_kind_of_colour_vision(self) -> None:
        for seen_as in (None, *self.DEFICIENCIES):
            seen = [lab(colour, seen_as) for colour in SAFE.series[:4]]
            nearest = min(math.dist(a, b) for i, a in enumerate(seen) for b in seen[:i])
            self.assertGreater(nearest, 15)

    def test_polysemanticity_rises_in_lightness(self) -> None:
        for seen_as in (None, *self.DEFICIENCIES):
            lightness = [lab(SAFE.shared(x), seen_as)[0] for x in np.linspace(0, 1, 12)]
            self.assertGreater(np.diff(lightness).min(), 1)

    def test_signs_differ(self) -> None:
        for seen_as in (None, *self.DEFICIENCIES):
            for x in (0.1, 0.25):
                self.assertGreater(math.dist(lab(SAFE.signed(x), seen_as), lab(SAFE.signed(1 - x), seen_as)), 15)
        np.testing.assert_allclose(to_rgba(SAFE.signed(0.5))[:3], colormaps["PuOr"](0.5)[:3], atol=0.01)


class FolderCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def save(self, name: str, content: Any) -> Path:
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def command(self, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, draw_paper.__file__, *map(str, arguments)],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
        )


class Command(FolderCase):
    def test_every_figure_twice_the_same(self) -> None:
        files = [self.save(f"{name}.json", report(name)) for name in PICTURES]
        out = self.folder / "new" / "out"
        options = ("--out", out, "--format", "png,pdf,svg", "--dpi", "60")
        done = self.command(*files, *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        names = [f"{name}.{kind}" for name in PICTURES for kind in ("png", "pdf", "svg")]
        self.assertEqual(done.stdout.split(), [str(out / name) for name in names])
        self.assertEqual(sorted(os.listdir(out)), sorted(names))
        before = {name: (out / name).read_bytes() for name in names}
        self.assertEqual(self.command(*files, *options, PYTHONHASHSEED="7").returncode, 0)
        for name, data in before.items():
            self.assertTrue((out / name).read_bytes() == data, f"{name} differs between two runs")

    def test_default_formats_and_colours(self) -> None:
        path = self.save("fig7.json", report("fig7"))
        shown = {}
        for colours in ((), ("--colours", "paper"), ("--colours", "safe")):
            out = self.folder / f"out_{len(shown)}"
            done = self.command(path, "--out", out, *colours)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(sorted(os.listdir(out)), ["fig7.pdf", "fig7.png"])
            shown[colours] = (out / "fig7.png").read_bytes()
        plain, paper, safe = shown.values()
        self.assertTrue(plain == paper)
        self.assertFalse(plain == safe)

    def test_texts_are_no_markup(self) -> None:
        entry = {**FIG7["series"][0], "label": r"$\frac{$ 100 % & <b> \n Ŵ"}
        figure = draw("fig7", picture={**FIG7, "series": [entry]})
        self.assertIn(r"\$\frac{\$ 100 % & <b> \n Ŵ", legend_texts(figure))

    def test_large_panels(self) -> None:
        """More than four experts in a row, and many features."""
        panels = [panel(f"expert {e}", n=100) for e in range(6)]
        figure = draw("fig2", picture={"panels": panels, "groups": [{"title": "", "panels": list(range(6))}]})
        self.assertEqual(len(figure.axes), 12 + 2)


class Refusals(FolderCase):
    def check_refusal(self, words: str, status: int, stdout: str, stderr: str) -> None:
        self.assertEqual((status, stdout), (2, ""), stderr)
        self.assertRegex(stderr, r"\Adraw_paper: [^\n]+\n\Z")
        self.assertRegex(stderr, words)

    def refused_as_program(self, words: str, *arguments: Any, **environment: str) -> None:
        done = self.command(*arguments, **environment)
        self.check_refusal(words, done.returncode, done.stdout, done.stderr)

    def refused(self, words: str, *arguments: Any) -> None:
        out, stderr, before = self.folder / "out", io.StringIO(), sys.stderr
        sys.stderr = stderr
        try:
            status = draw_paper.main([*map(str, arguments), "--out", str(out)])
        finally:
            sys.stderr = before
        self.check_refusal(words, status, "", stderr.getvalue())
        self.assertFalse(out.exists())

    def test_files_that_are_no_reports(self) -> None:
        self.refused_as_program("gone.json: No such file", self.folder / "gone.json", "--out", self.folder / "out")
        self.refused("Is a directory", self.folder)
        for words, text in (
            ("is not JSON", "{"),
            ("is not JSON", ""),
            ("is not JSON", "[" * 100000),
            (r"is not JSON \(NaN is no JSON number, NaN is written as null\)", '{"figure": NaN}'),
            (r"is not JSON \(-Infinity is no JSON number", '{"figure": -Infinity}'),
            ("is not a report of phasegrid reproduce", "[]"),
            ("is not a report of phasegrid reproduce", '{"picture": {}}'),
            ('no picture is known of figure "fig9"; allowed are fig1, fig2, fig3', '{"figure": "fig9"}'),
            ("no picture is known of figure a list of 0", '{"figure": [], "picture": {}}'),
            (
                r"picture.inverse_density\[0\] must be a number .* not Infinity",
                '{"figure": "fig3", "picture": {"inverse_density": [1e999]}}',
            ),
            ("is not JSON", f'{{"figure": {"9" * 5000}}}'),
            ("picture is missing", '{"figure": "fig3"}'),
            ("picture is missing", '{"figure": "fig3", "picture": null}'),
        ):
            with self.subTest(text[:40]):
                self.refused(f"bad.json: {words}", self.save("bad.json", text))
        (self.folder / "bytes.json").write_bytes(b'{"figure": "\xff"}')
        self.refused("bytes.json: is not JSON", self.folder / "bytes.json")

    def test_every_key_is_needed(self) -> None:
        """Of each picture, whatever key is left out is named (or may be absent)."""
        optional = {"start", "published", "published_loss", "columns"}

        def keys(value: Any, path: tuple[Any, ...]) -> Any:
            if isinstance(value, dict):
                for key, inner in value.items():
                    yield (*path, key)
                    yield from keys(inner, (*path, key))
            elif isinstance(value, list):
                for at, inner in enumerate(value[:1]):
                    yield from keys(inner, (*path, at))

        for name, picture in PICTURES.items():
            for path in keys(picture, ()):
                changed = copy.deepcopy(picture)
                holder: Any = changed
                for key in path[:-1]:
                    holder = holder[key]
                del holder[path[-1]]
                with self.subTest(f"{name} {path}"):
                    if path[-1] in optional and path != ("series", 0, "published", "inverse_density"):
                        draw(name, picture=changed)
                        continue
                    with self.assertRaises(InputError) as caught:
                        draw(name, picture=changed)
                    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
                    self.assertIn(f"picture{place} is missing; keys there: ", str(caught.exception))

    def test_wrong_values_are_named(self) -> None:
        def fig3(**more: Any) -> dict[str, Any]:
            return {**FIG3, "series": [series("dense", 1.0, **more)]}

        def expert(**more: Any) -> dict[str, Any]:
            return {**EXPERTS, "panels": [panel("dense", **more)]}

        def table(*rows: list[Any]) -> dict[str, Any]:
            return {"tables": [{"title": "Xavier", "rows": list(rows)}]}

        row = BOUNDARIES["rows"][0]
        nulls = [None] * 4
        for name, words, picture in (
            ("fig3", r"picture.series\[0\].mean must hold 4 entries, not 3", fig3(mean=[1, 2, 3])),
            ("fig3", r"picture.series\[0\].published must hold 4 entries, not 5", fig3(published=[1] * 5)),
            ("fig3", r"mean\[1\] must be a number within .* or null, not \"2\"", fig3(mean=[1, "2", 3, 4])),
            ("fig3", r"mean\[1\] must be a number .* not true", fig3(mean=[1, True, 3, 4])),
            ("fig3", r"mean\[3\] must be a number within ±1e\+12 or null, not 1e\+300", fig3(mean=[1, 2, 3, 1e300])),
            ("fig3", r"mean\[0\] must be a number .* not 10{36}\.\.\.", fig3(mean=[10**400, 2, 3, 4])),
            ("fig3", r"sd\[2\] must be at least 0, not -0.1", fig3(sd=[0, 0, -0.1, 0])),
            ("fig3", r"series\[0\].label must be one line of text", fig3(label="a\nb")),
            ("fig3", r"without_1_k_differs must be true or false, not 1", fig3(without_1_k_differs=1)),
            ("fig3", r"picture.series holds no number of ours", fig3(mean=nulls, sd=nulls)),
            ("fig3", r"inverse_density\[0\] must be a number .* not null", {**FIG3, "inverse_density": nulls}),
            ("fig3", "inverse_density must rise", {**FIG3, "inverse_density": [1, 2, 2, 3]}),
            ("fig3", "inverse_density must rise, and lie above 0", {**FIG3, "inverse_density": [0, 1, 2, 3]}),
            ("fig3", "inverse_density must be a list of at least one entry", {**FIG3, "inverse_density": 1}),
            ("fig3", "picture.series must be a list of at least one entry", {**FIG3, "series": []}),
            ("fig3", r"series\[0\] must be a table with the key mean, not 3", {**FIG3, "series": [3]}),
            ("fig3", "holds 9 series; at most 8", {**FIG3, "series": [series("dense", 1.0)] * 9}),
            ("fig7", r"sd must hold 4 entries", {**FIG7, "series": [{**FIG7["series"][0], "sd": [1]}]}),
            ("fig1", r"picture.panels\[0\].gram must hold 4 entries, not 1", expert(gram=[[1] * 4])),
            ("fig1", r"gram\[2\] must hold 4 entries", expert(gram=[[1] * 4, [1] * 4, [1] * 3, [1] * 4])),
            ("fig1", r"gram\[0\] must be a list", expert(gram=[1, 2, 3, 4])),
            ("fig1", r"norm\[1\] must be at least 0", expert(norm=[1, -1, 1, 1])),
            ("fig1", r"polysemanticity must hold 4 entries, not 2", expert(polysemanticity=[1, 2])),
            ("fig1", r"start must hold 0 and 1 alone", expert(start=[0, 1, 2, 0])),
            ("fig1", "there is nothing to draw", expert(norm=nulls)),
            ("fig6", r"groups\[0\].panels\[1\] must be a whole number from 0 to 3, not 4",
             {**MARKED, "groups": [{"title": "a", "panels": [0, 4]}]}),
            ("fig6", r"panels\[0\] must be a whole number from 0 to 3, not 0.5",
             {**MARKED, "groups": [{"title": "a", "panels": [0.5]}]}),
            ("fig6", "inches; at most 54 fit", {**MARKED, "groups": [{"title": "a", "panels": [0] * 50}]}),
            ("fig5", r"router\[0\] must hold 2 entries, not 1", {"panels": [{**FIG5["panels"][0], "router": [[1]]}]}),
            ("fig5", r"router\[0\]\[1\] must be a number within .* not null",
             {"panels": [{**FIG5["panels"][0], "router": [[1, None]]}]}),
            ("fig5", "9 experts; at most 8", {"panels": [{**FIG5["panels"][0], "router": [[1, 1]] * 9}]}),
            ("fig5", r"loss must be a number within .* or null, not \"low\"",
             {"panels": [{**FIG5["panels"][0], "loss": "low"}]}),
            ("table1", r"rows\[0\] must hold 11 entries, not 2", table([0, 1])),
            ("table1", "a number of features, each once", table([0, 1, *[None] * 9], [0, 1, *[None] * 9])),
            ("table1", "a number of experts, not null", table([0, None, *[None] * 9])),
            ("table1", r"rows\[0\]\[1\] must be at least 0", table([0, -1, *[None] * 9])),
            ("boundaries", "low at most high", {"rows": [{**row, "jump": [1, 2, 0]}]}),
            ("boundaries", r"rows\[0\].expert must be a whole number", {"rows": [{**row, "expert": "1"}]}),
            ("boundaries", r"rows\[0\].jump must hold 3 entries", {"rows": [{**row, "jump": [1]}]}),
        ):  # fmt: skip
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                draw(name, picture=picture)
        with self.assertRaisesRegex(InputError, "settings.seeds must be a whole number from 1 to"):
            draw("fig3", settings={"seeds": 0})
        with self.assertRaisesRegex(InputError, "report.preset must be one line of text"):
            draw("fig3", preset=3)

    def test_a_bad_report_among_good_ones_writes_nothing(self) -> None:
        good = self.save("good.json", report("fig7"))
        bad = self.save("bad.json", report("fig5", picture={"panels": []}))
        self.refused(r"bad.json: picture.panels must be a list of at least one entry", good, bad)
        again = self.save("again.json", report("fig7"))
        self.refused("again.json: a report of fig7, as .*good.json is; give one for each picture", good, again)

    def test_bad_command_lines(self) -> None:
        good = self.save("good.json", report("fig7"))
        self.refused(
            "argument --colours: invalid choice: 'grey' .*choose from .*paper.*safe", good, "--colours", "grey"
        )
        self.refused("'gif': allowed are png, pdf, svg", good, "--format", "gif")
        self.refused("'9': allowed are whole numbers from 30 to 1200", good, "--dpi", "9")
        self.refused("FIGURE.json")
        self.refused_as_program("required: .*--out", good)

    def test_unwritable_folder(self) -> None:
        good = self.save("good.json", report("fig7"))
        self.refused_as_program("good.json: cannot be written", good, "--out", good)
        out = self.folder / "out"
        (out / "fig7.png").mkdir(parents=True)
        self.refused_as_program("fig7.png: cannot be written", good, "--out", out, "--format", "png")
        self.assertEqual(os.listdir(out), ["fig7.png"])

    def test_missing_packages(self) -> None:
        good = self.save("good.json", report("fig7"))
        for package in ("numpy", "matplotlib"):
            stub = self.folder / f"without_{package}"
            stub.mkdir()
            (stub / f"{package}.py").write_text(f"raise ModuleNotFoundError('none', name={package!r})")
            words = f"{package} is missing: pip install numpy matplotlib"
            self.refused_as_program(words, good, "--out", self.folder / "out", PYTHONPATH=str(stub))


if __name__ == "__main__":
    unittest.main()
