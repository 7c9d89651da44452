"""Tests of phasegrid.pictures: data lands where it must in every picture.
Run: python3 tests/program/paper_pictures_test.py"""

from __future__ import annotations

import io
import math
import unittest
from typing import Any

import numpy as np
from matplotlib import colormaps, image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.patches import Rectangle
from paper_samples import BOUNDARIES, EXPERTS, FIG3, FIG7, PICTURES, ROUTERS, TABLE1, draw, legend_texts, panel, series

from phasegrid.pictures import diagrams, expert_panels, paper, style

PAPER, SAFE = (style.PALETTES[name] for name in ("paper", "safe"))


def laid_out(figure: Any) -> Any:
    """Its renderer, once everything has its place."""
    canvas = FigureCanvasAgg(figure)
    with diagrams.style():
        canvas.draw()
    return canvas.get_renderer()


def pixels(figure: Any, dpi: int = 200) -> Any:
    return image.imread(io.BytesIO(diagrams.render(figure, "png", dpi)))[..., :3]


def colour_at(figure: Any, shown: Any, axes: Any, x: float, y: float) -> Any:
    """The colour of a rendered picture at a point of some axes."""
    across, up = figure.transFigure.inverted().transform(axes.transData.transform((x, y)))
    height, width = shown.shape[:2]
    return shown[int((1 - up) * height), int(across * width)]


def lines(axes: Any, **wanted: Any) -> list[Any]:
    return [line for line in axes.lines if all(getattr(line, f"get_{key}")() == value for key, value in wanted.items())]


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


class Experts(unittest.TestCase):
    def test_bars_are_norms_coloured_by_polysemanticity(self) -> None:
        for name, palette in style.PALETTES.items():
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
        for name, palette in style.PALETTES.items():
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
            found = expert_panels.wrapped("Figure 1: a dense model, n = 20, m = 6, seed 0", width)
            self.assertEqual(" ".join(found), "Figure 1: a dense model, n = 20, m = 6, seed 0")
            self.assertFalse(any(line.startswith("=") or line.endswith("=") for line in found))


class Curves(unittest.TestCase):
    def test_figure_3_means_bands_published_dots_and_the_line_at_1(self) -> None:
        for name, palette in style.PALETTES.items():
            figure = draw("fig3", name)
            axes = figure.axes[0]
            self.assertEqual(axes.get_xscale(), "log")
            for entry, colour, marker in zip(FIG3["series"], palette.series, style.MARKERS, strict=False):
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

    def test_absent_published_values_take_no_room(self) -> None:
        for theirs in (None, [None] * 4):
            entry = series("dense", 1.0, published=theirs)
            figure = draw("fig3", picture={**FIG3, "series": [entry]})
            box = figure.axes[0].get_tightbbox(laid_out(figure))
            self.assertTrue(0 < box.y0 < 0.1 * figure.bbox.height)
            self.assertFalse(any("published" in text for text in legend_texts(figure)))

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
            figure = draw(name, preset="quick")
            renderer = laid_out(figure)
            (note,) = [text for text in figure.texts if "preset quick" in text.get_text()]
            for axes in figure.axes:
                self.assertFalse(note.get_window_extent(renderer).overlaps(axes.get_tightbbox(renderer)), name)


class Plane(unittest.TestCase):
    def test_regions_are_argmax_with_ties_to_the_lower_expert(self) -> None:
        router = np.random.default_rng(1).normal(size=(4, 2))
        found = paper.regions(router)
        for row, column in np.random.default_rng(2).integers(0, paper.RASTER, (200, 2)):
            x, y = ((at + 0.5) / paper.RASTER for at in (column, row))
            scores = [g[0] * x + g[1] * y for g in router]
            self.assertEqual(found[row, column], scores.index(max(scores)))
        self.assertFalse(paper.regions(np.zeros((3, 2))).any())
        equal = paper.regions(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
        self.assertEqual(sorted(np.unique(equal)), [0, 1])
        self.assertTrue((np.diag(equal) == 0).all())

    def test_colours_of_the_picture(self) -> None:
        for name, palette in style.PALETTES.items():
            figure = draw("fig5", name)
            shown = pixels(figure)
            tints = [paper.TINT + (1 - paper.TINT) * np.array(to_rgb(c)) for c in palette.series]
            for axes, router in zip(figure.axes, ROUTERS, strict=True):
                for x, y in ((0.9, 0.06), (0.06, 0.9), (0.9, 0.8), (0.3, 0.25)):
                    scores = [g[0] * x + g[1] * y for g in router]
                    expected = tints[scores.index(max(scores))]
                    np.testing.assert_allclose(colour_at(figure, shown, axes, x, y), expected, atol=0.01)

    def test_regions_are_named_inside_themselves(self) -> None:
        figure = draw("fig5")
        for axes, router in zip(figure.axes, ROUTERS, strict=True):
            found = paper.regions(np.array(router, dtype=float))
            names = {text.get_text().split("\n")[0]: text.get_position() for text in axes.texts}
            for e in np.unique(found):
                x, y = names[f"expert {e + 1}"]
                self.assertEqual(found[int(y * paper.RASTER), int(x * paper.RASTER)], e)
        titles = [axes.get_title() for axes in figure.axes]
        expected = [
            "zero router\nreconstruction loss 0.081\n(published 0.08)",
            "diagonal router\nno loss\n(published 0.08)",
        ]
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
        for kind, marker in enumerate(paper.USAGE_MARKERS):
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


if __name__ == "__main__":
    unittest.main()
