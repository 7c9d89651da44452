"""Pictures of the paper's other figures: what is drawn where, and what is said of bad reports."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import numpy as np

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

import diagrams
import paper_pictures


def panel(n: int = 4, **more: Any) -> dict[str, Any]:
    return {
        "title": "expert 1",
        "norm": [1.0, 0.5, 0.25, 0.0][:n],
        "polysemanticity": [0.0, 1.0, 2.0, None][:n],
        "gram": np.eye(n).tolist(),
        **more,
    }


EXPERTS = {"panels": [panel(), panel(start=[1, 0, 0, 1])], "groups": [{"title": "(a)", "panels": [0, 1]}]}
FIG3 = {
    "inverse_density": [1.0, 2.0, 10.0],
    "series": [
        {
            "label": "dense", "published": [1.0, None, 4.0], "mean": [1.1, 2.0, 4.4], "sd": [0.1, 0.1, None],
            "mean_without_1_k": [2.2, 4.0, 8.8], "without_1_k_differs": True,
        }
    ],
}  # fmt: skip
FIG7 = {
    "inverse_density": [1.0, 2.0],
    "series": [
        {
            "label": "dense", "log_loss": [-2.7, -2.5], "sd": [0.01, 0.02],
            "published": {"inverse_density": [2.0], "log_loss": [-2.54]},
        }
    ],
}  # fmt: skip
FIG5 = {"panels": [{"title": "diagonal", "loss": 0.03, "published_loss": 0.025, "router": [[1, 0], [0, 1], [0, 0]]}]}
ROW = [0, 400, 461, 403, 519, None, None, None, None, None, None]
TABLE1 = {"tables": [{"title": "Xavier", "columns": [], "rows": [ROW, [1, *ROW[1:]]]}]}
BOUNDARIES = {
    "rows": [
        {
            "label": f"A/{e}", "expert": 1, "field": field, "concentration": [0.5, 0.4, 0.6], "jump": [1, 0.9, 1.1],
            "roughness": [0.1, 0.0, 0.2],
        }
        for e in (1, 2)
        for field in ("norm", "interference")
    ]
}  # fmt: skip
PICTURES = {
    "fig1": EXPERTS, "fig2": EXPERTS, "fig6": EXPERTS, "fig3": FIG3, "fig7": FIG7, "fig5": FIG5, "table1": TABLE1,
    "boundaries": BOUNDARIES,
}  # fmt: skip


def drawn(name: str, picture: Any = None) -> Any:
    return paper_pictures.draw({"figure": name, "picture": PICTURES[name] if picture is None else picture})


class Drawing(unittest.TestCase):
    def test_experts_have_bars_of_their_norms_and_their_matrix(self) -> None:
        figure = drawn("fig6")
        bars, matrix = figure.axes[0], figure.axes[1]
        self.assertEqual([bar.get_height() for bar in bars.patches], [1.0, 0.5, 0.25, 0.0])
        colours = [bar.get_facecolor() for bar in bars.patches]
        self.assertNotEqual(colours[0], colours[1])
        self.assertEqual(colours[1], colours[2])  # beyond 1 the colour stays
        np.testing.assert_array_equal(matrix.images[0].get_array(), np.eye(4))
        marks = figure.axes[2].lines[0].get_xdata()
        np.testing.assert_array_equal(marks, [1, 4])  # features that the router started on

    def test_figure_3_draws_ours_theirs_and_the_other_reading(self) -> None:
        axes = drawn("fig3").axes[0]
        lines = {tuple(np.round(line.get_ydata(), 6)) for line in axes.lines if len(line.get_ydata()) == 3}
        self.assertIn((1.1, 2.0, 4.4), lines)
        self.assertIn((2.2, 4.0, 8.8), lines)
        published = [line.get_ydata() for line in axes.lines if line.get_marker() == "o" and len(line.get_ydata()) == 3]
        np.testing.assert_array_equal(published, [[1.0, np.nan, 4.0]])
        self.assertEqual(axes.get_xscale(), "log")

    def test_figure_7_draws_the_published_points_at_their_density(self) -> None:
        axes = drawn("fig7").axes[0]
        points = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_ydata()) == 1]
        self.assertEqual((points[0].get_xdata()[0], points[0].get_ydata()[0]), (2.0, -2.54))

    def test_figure_5_colours_each_point_by_its_expert(self) -> None:
        regions = paper_pictures.regions(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        last = paper_pictures.RASTER - 1
        self.assertEqual(regions[0, last], 0)  # x_1 large
        self.assertEqual(regions[last, 0], 1)  # x_2 large
        self.assertEqual(regions[last, last], 0)  # a tie goes to the lower expert
        np.testing.assert_array_equal(drawn("fig5").axes[0].images[0].get_array(), regions)

    def test_table_1_draws_counts_and_bounds(self) -> None:
        axes = drawn("table1").axes[0]
        self.assertEqual([bar.get_height() for bar in axes.patches], [400, 400])
        low, high = axes.collections[0].get_segments()[0][:, 1]
        self.assertEqual((low, high), (403, 519))

    def test_boundaries_draw_each_interval(self) -> None:
        figure = drawn("boundaries")
        self.assertEqual(len(figure.axes), 6)
        self.assertEqual(list(figure.axes[0].lines[0].get_xdata()), [0.4, 0.6])


class Mistakes(unittest.TestCase):
    def test_what_is_missing_or_misshapen_is_named(self) -> None:
        for name, change, part in (
            ("fig3", {"inverse_density": None}, "picture.inverse_density"),
            ("fig3", {"series": [{**FIG3["series"][0], "mean": [1.0]}]}, "picture.series.0.mean must have the shape 3"),
            ("fig3", {"series": [{**FIG3["series"][0], "mean": ["a", 1, 2]}]}, "must be numbers or null"),
            ("fig1", {"panels": [{**panel(), "gram": [[1.0]]}], "groups": [{"title": "", "panels": [0]}]}, "panels.0.gram"),
            ("fig6", {"panels": []}, "picture.panels.0 is missing"),
            ("fig5", {"panels": [{**FIG5["panels"][0], "router": [[1], [2]]}]}, "router must have the shape any x 2"),
            ("fig5", {"panels": [{**FIG5["panels"][0], "title": 3}]}, "title must be text"),
            ("table1", {"tables": [{"title": "a", "rows": [[1, 2]]}]}, "shape any x 11"),
        ):
            with self.subTest(part), self.assertRaises(diagrams.InputError) as caught:
                drawn(name, {**PICTURES[name], **change})
            self.assertIn(part, str(caught.exception))
        with self.assertRaisesRegex(diagrams.InputError, "figure must be one of fig1"):
            paper_pictures.draw({"figure": "fig9", "picture": {}})
        with self.assertRaisesRegex(diagrams.InputError, "picture is missing"):
            paper_pictures.draw({"figure": "fig3", "picture": None})


class Program(unittest.TestCase):
    def run_it(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(EXPERIMENTS / "draw_paper.py"), *arguments], capture_output=True, text=True, check=False
        )

    def test_draws_every_figure_and_names_bad_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            reports = []
            for name, picture in PICTURES.items():
                reports.append(f"{folder}/{name}.json")
                Path(reports[-1]).write_text(json.dumps({"figure": name, "picture": picture}), encoding="utf-8")
            result = self.run_it(*reports, "--out", f"{folder}/out", "--format", "png", "--dpi", "40")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(
                sorted(path.name for path in Path(folder, "out").iterdir()), sorted(f"{name}.png" for name in PICTURES)
            )
            Path(folder, "broken.json").write_text("{", encoding="utf-8")
            Path(folder, "list.json").write_text("[]", encoding="utf-8")
            for bad, part in (("broken.json", "is not JSON"), ("list.json", "not a report"), ("none.json", "cannot be read")):
                result = self.run_it(f"{folder}/{bad}", "--out", f"{folder}/out")
                self.assertEqual(result.returncode, 2)
                self.assertIn(part, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
