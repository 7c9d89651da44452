"""Tests of phasegrid.pictures: grids, diagrams, the program fig4. Run: python3 tests/program/pictures_test.py"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = Path(__file__).resolve().parents[2] / "host" / "python"
sys.path.insert(0, str(PACKAGE))

from phasegrid import pictures
from phasegrid.pictures import boxes, diagrams, grids, measures, programs
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.grids import Shape

PAPER = [Shape(2, 1, 1), Shape(2, 1, 2), *(Shape(3, m, experts) for m in (1, 2) for experts in (1, 2, 3))]
KEYS = ("sparsity_values", "importance_values", "final_losses", "expert_weights")


def arrays(shape: Shape, sparsities: int = 3, importances: int = 4, seed: int = 0) -> dict[str, Any]:
    """A made-up result file."""
    random = np.random.default_rng(seed)
    n, m, experts = shape[:3]
    return {
        "sparsity_values": np.linspace(0.1, 0.9, sparsities),
        "importance_values": np.linspace(0.5, 2.5, importances),
        "final_losses": random.uniform(0.01, 0.06, (sparsities, importances)).astype(np.float32),
        "expert_weights": random.normal(size=(sparsities, importances, experts, n, m)).astype(np.float32),
    }


class FolderCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def save(self, name: str, data: dict[str, Any]) -> Path:
        np.savez(self.folder / name, **data)
        return self.folder / name

    def save_paper(self, prefix: str = "fig4", shapes: list[Shape] = PAPER) -> list[Path]:
        return [
            self.save(f"{prefix}_{shape.n}{shape.m}{shape.experts}.npz", arrays(shape, seed=at))
            for at, shape in enumerate(shapes)
        ]

    def command(self, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([*filter(None, [environment.get("PYTHONPATH")]), str(PACKAGE)])
        return subprocess.run(
            [sys.executable, "-m", "phasegrid.pictures", "fig4", *map(str, arguments)],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )


class Colours(unittest.TestCase):
    def test_corners(self) -> None:
        y, x = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
        expected = [(1, 1, 1), (1, 1, 1), (0, 0, 1), (1, 0, 0)]
        np.testing.assert_array_equal(grids.phase_colours(y, x), expected)

    def test_formula_inside(self) -> None:
        y, x = 0.3, 0.8
        colour = grids.phase_colours(np.array(y), np.array(x))
        np.testing.assert_allclose(colour, [y * x + 1 - y, 1 - y, y * (1 - x) + 1 - y])

    def test_panel_uses_its_largest_or_the_scale_given(self) -> None:
        panel = grids.Panel(np.array([[0.0, 2.0, 2.0, 1.0]]), np.array([[0.0, 0.0, 4.0, 4.0]]))
        self.assertEqual(panel.largest(), (2.0, 4.0))
        own = panel.colours(panel.largest())
        np.testing.assert_allclose(own[0], [(1, 1, 1, 1), (0, 0, 1, 1), (1, 0, 0, 1), (1, 0.5, 0.5, 1)])
        np.testing.assert_allclose(panel.colours((4.0, 8.0))[0, 2], (0.75, 0.5, 0.75, 1))

    def test_untrained_cell_is_clear_and_does_not_set_the_scale(self) -> None:
        panel = grids.Panel(np.array([[np.nan, 2.0]]), np.array([[np.nan, 0.0]]))
        np.testing.assert_array_equal(panel.colours(panel.largest())[0], [(0, 0, 0, 0), (0, 0, 1, 1)])

    def test_panel_of_zeros_is_white(self) -> None:
        panel = grids.Panel(np.zeros((2, 3)), np.zeros((2, 3)))
        np.testing.assert_array_equal(panel.colours(panel.largest()), np.ones((2, 3, 4)))


class Scores(unittest.TestCase):
    def test_against_loops(self) -> None:
        for n, m in ((1, 1), (2, 1), (3, 1), (3, 2), (5, 4)):
            weights = np.random.default_rng(n * 10 + m).normal(size=(2, 3, n, m))
            for s in range(2):
                for r in range(3):
                    matrix = weights[s, r]
                    norm = sum(float(w) ** 2 for w in matrix[n - 1]) ** 0.5
                    paper = 0.0
                    for j in range(n - 1):
                        paper += sum(float(matrix[n - 1, k]) / norm * float(matrix[j, k]) for k in range(m)) ** 2
                    self.assertAlmostEqual(measures.last_norm(weights)[s, r], norm, places=12)
                    self.assertAlmostEqual(measures.last_score(weights, "paper")[s, r], paper, places=12)
                    self.assertAlmostEqual(measures.last_score(weights, "authors")[s, r], paper + norm**2, places=12)

    def test_zero_feature_scores_zero(self) -> None:
        weights = np.array([[[1.0], [0.0]]])
        for score in measures.SCORES:
            np.testing.assert_array_equal(measures.last_score(weights, score), [0.0])

    def test_nan_stays_nan(self) -> None:
        for score in measures.SCORES:
            self.assertTrue(np.isnan(measures.last_score(np.full((1, 2, 1), np.nan), score)).all())

    def test_input_is_left_alone(self) -> None:
        weights = np.array([[[1.0], [3.0]]])
        measures.last_score(weights)
        np.testing.assert_array_equal(weights, [[[1.0], [3.0]]])

    def test_unknown_score(self) -> None:
        with self.assertRaisesRegex(InputError, "allowed are paper, authors"):
            measures.last_score(np.ones((2, 1)), "other")


class Arrangement(unittest.TestCase):
    def test_paper_in_three_rows(self) -> None:
        places = grids.arrange(reversed(PAPER))
        rows: dict[int, dict[int, str]] = {}
        for shape, (row, column) in places.items():
            for expert in range(shape.experts):
                rows.setdefault(row, {})[column + expert] = shape.panel_label(expert, paper=True)
        ends = ["1/1", "1/2", "2/2", "1/3", "2/3", "3/3"]
        expected = [[f"A.{end}" for end in ends[:3]], [f"B.{end}" for end in ends], [f"C.{end}" for end in ends]]
        self.assertEqual([[rows[row][column] for column in sorted(rows[row])] for row in sorted(rows)], expected)
        self.assertEqual(sum(map(len, expected)), 15)
        self.assertEqual([sorted(rows[row]) for row in range(3)], [[0, 1, 2], list(range(6)), list(range(6))])

    def test_paper_in_five_full_rows_of_three(self) -> None:
        places = grids.arrange(PAPER, width=3)
        self.assertEqual(
            [places[shape] for shape in PAPER], [(0, 0), (0, 1), *[(1, 0), (1, 1), (2, 0)], *[(3, 0), (3, 1), (4, 0)]]
        )

    def test_gaps_and_other_shapes(self) -> None:
        places = grids.arrange([Shape(5, 2, 8), Shape(3, 2, 2), Shape(2, 1, 1)])
        self.assertEqual(list(places), [Shape(2, 1, 1), Shape(3, 2, 2), Shape(5, 2, 8)])
        self.assertEqual(list(places.values()), [(0, 0), (1, 1), (2, 0)])

    def test_labels(self) -> None:
        self.assertEqual(Shape(3, 2, 3).panel_label(1, paper=True), "C.2/3")
        self.assertEqual(Shape(3, 2, 3).panel_label(1), "expert 2 of 3")
        self.assertEqual(Shape(3, 2, 1).panel_label(0), "dense")
        self.assertEqual(Shape(3, 2, 3, 2, (("seed", 1.0),)).settings, ["top 2", "seed = 1"])
        self.assertEqual(Shape(3, 2, 3).model_label(), "C/3")
        self.assertEqual(Shape(5, 2, 3).model_label(), "5 2 3")
        self.assertEqual(Shape(5, 2, 3).panel_label(1, paper=True), "5 2 3: 2")


class Loading(FolderCase):
    def test_axes_are_sorted_with_their_cells(self) -> None:
        data = arrays(Shape(2, 1, 2))
        flipped = {key: value[::-1] if key != "importance_values" else value for key, value in data.items()}
        (one,), (two,) = (grids.load_grid(self.save(n, d)) for n, d in (("a.npz", data), ("b.npz", flipped)))
        for key in ("losses", "weights"):
            np.testing.assert_array_equal(getattr(one, key), getattr(two, key))
        np.testing.assert_array_equal(one.y.values, two.y.values)

    def test_untrained_cells_and_further_keys(self) -> None:
        data = {**arrays(Shape(3, 2, 2)), "config": np.array('{"name": "fig4_322"}')}
        data["final_losses"][0, 1] = np.inf
        data["expert_weights"][2, 3, 1, 0, 0] = np.nan
        (grid,) = grids.load_grid(self.save("a.npz", data))
        self.assertEqual(grid.shape, Shape(3, 2, 2))
        self.assertEqual(np.argwhere(~grid.trained).tolist(), [[0, 1], [2, 3]])
        self.assertTrue(np.isnan(grid.weights[0, 1]).all() and np.isnan(grid.losses[2, 3]))
        for panel in grids.panels_of(grid):
            alpha = panel.colours(panel.largest())[..., 3]
            np.testing.assert_array_equal(alpha, grid.trained)


class Drawing(FolderCase):
    def grids(self, shapes: list[Shape] = PAPER) -> dict[Shape, grids.Grid]:
        return grids.load_grids(self.save_paper(shapes=shapes))

    def texts(self, figure: Any) -> list[str]:
        return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]

    def test_fifteen_panels_where_they_belong(self) -> None:
        loaded = self.grids()
        figure = diagrams.draw_phase_diagrams([loaded], names="paper")
        drawn = [axes for axes in figure.axes if axes.collections]
        self.assertEqual(len(drawn), 15)
        texts = self.texts(figure)
        for shape in PAPER:
            for expert in range(shape.experts):
                self.assertEqual(texts.count(shape.panel_label(expert, paper=True)), 1)
        for axes in drawn:
            (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
            self.assertLess(left, right)  # importance to the right
            self.assertGreater(bottom, top)  # sparsity down
        corners = {tuple(np.round(axes.get_position().p0, 6)) for axes in drawn}
        self.assertEqual(len(corners), 15)
        self.assertEqual(len({x for x, _ in corners}), 6)
        self.assertEqual(len({y for _, y in corners}), 3)

        expected = [p.colours(p.largest()) for shape in PAPER for p in grids.panels_of(loaded[shape])]
        for axes, colours in zip(drawn, expected, strict=True):
            shown = axes.collections[0].get_array()
            np.testing.assert_allclose(shown, colours)

    def test_shared_scale(self) -> None:
        loaded = self.grids([Shape(2, 1, 1), Shape(3, 2, 1)])
        panels = [grids.panels_of(grid)[0] for grid in loaded.values()]
        scale = tuple(np.max([panel.largest() for panel in panels], axis=0))
        drawn = diagrams.draw_phase_diagrams([loaded], shared_scale=True).axes
        for axes, panel in zip(drawn, panels, strict=False):
            np.testing.assert_allclose(axes.collections[0].get_array(), panel.colours(scale))

    def test_note_on_untrained_cells_only_where_there_are_any(self) -> None:
        loaded = self.grids([Shape(2, 1, 1)])
        self.assertNotIn("not trained", self.texts(diagrams.draw_phase_diagrams([loaded])))
        loaded[Shape(2, 1, 1)].losses[0, 0] = np.nan
        figure = diagrams.draw_phase_diagrams([loaded])
        self.assertIn("not trained", self.texts(figure))
        self.assertTrue(figure.axes[0].patch.get_hatch())

    def test_side_by_side_leaves_blank_what_is_not_published(self) -> None:
        ours = self.grids()
        theirs = {shape: ours[shape] for shape in (Shape(2, 1, 1), Shape(3, 2, 2))}
        figure = diagrams.draw_phase_diagrams([ours, theirs])
        texts = self.texts(figure)
        self.assertEqual(texts.count("not published"), 15 - 3)
        self.assertEqual(sum(1 for axes in figure.axes if axes.collections), 15 + 3)
        self.assertTrue({"phasegrid", "published"} <= set(texts))
        self.assertEqual(self.texts(boxes.draw_loss_boxes([ours, theirs], loss="training")).count("not published"), 8 - 2)

    def test_boxes_hold_the_trained_losses(self) -> None:
        loaded = self.grids([Shape(3, 1, 2), Shape(2, 1, 1)])
        loaded[Shape(2, 1, 1)].losses[1, 2] = np.nan
        axes = boxes.draw_loss_boxes([loaded], loss="training", names="paper").axes[0]
        self.assertEqual([label.get_text() for label in axes.get_xticklabels()], ["A/1", "B/2"])
        with self.assertRaisesRegex(InputError, 'hold training losses alone, .* draw both by loss="training"'):
            boxes.draw_loss_boxes([loaded])
        medians = [line.get_ydata()[0] for line in axes.lines if line.get_linewidth() == 1.5]
        expected = [np.nanmedian(loaded[shape].losses) for shape in (Shape(2, 1, 1), Shape(3, 1, 2))]
        np.testing.assert_allclose(medians, expected)

    def test_too_many_panels(self) -> None:
        loaded = self.grids([Shape(2, 1, 41)])
        with self.assertRaisesRegex(InputError, "at most 40"):
            diagrams.draw_phase_diagrams([loaded])


class Command(FolderCase):
    def test_all_eight_shapes(self) -> None:
        files, out = self.save_paper(), self.folder / "new" / "out"
        done = self.command(*files, "--out", out, "--format", "png,pdf,svg", "--dpi", "60")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        names = [f"{figure}.{kind}" for figure in ("fig4", "fig8") for kind in ("png", "pdf", "svg")]
        self.assertEqual(done.stdout.split(), [str(out / name) for name in names])
        self.assertEqual(sorted(os.listdir(out)), sorted(names))
        starts = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
        before = {name: (out / name).read_bytes() for name in names}
        for name, data in before.items():
            self.assertTrue(data.startswith(starts[name[-3:]]), name)
            self.assertNotIn(b"CreationDate", data)
        self.assertIn(b"/FontFile2", before["fig4.pdf"])  # TrueType, fonttype 42
        again = self.command(*files, "--out", out, "--format", "png,pdf,svg", "--dpi", "60", PYTHONHASHSEED="7")
        self.assertEqual(again.returncode, 0)
        for name, data in before.items():
            self.assertTrue((out / name).read_bytes() == data, f"{name} differs between two runs")

    def test_side_by_side_with_default_formats(self) -> None:
        ours, theirs = self.save_paper(), self.save_paper("theirs", [Shape(2, 1, 1), Shape(3, 2, 2)])
        data = dict(np.load(ours[0]))
        data["final_losses"][0, 0] = np.nan
        self.save(ours[0].name, data)
        out = self.folder / "out"
        options = ("--score", "authors", "--shared-scale", "--dpi", "40")
        done = self.command(*ours, "--beside", *theirs, "--out", out, *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        names = {f"{figure}_side_by_side.{kind}" for figure in ("fig4", "fig8") for kind in ("png", "pdf")}
        self.assertEqual(set(os.listdir(out)), names)

    def test_functions_need_no_compiled_part(self) -> None:
        """This tree's package has none; models of the authors' files can be looked at too."""
        self.assertIsNone(importlib.util.find_spec("phasegrid._core"))
        path = self.save("authors.npz", arrays(Shape(3, 2, 2)))
        for source in (path, str(path), dict(np.load(path))):
            self.assertEqual(len(pictures.experts(source, (1, 2)).axes), 4 + 2)
            self.assertEqual(
                len(
                    pictures.curves(source, axis="sparsity", measure="training_loss", fixed={"last_importance": 0})
                    .axes[0]
                    .lines
                ),
                1,
            )
            with self.assertRaisesRegex(InputError, "the authors' files hold training losses alone"):
                pictures.curves(source, axis="sparsity", fixed={"last_importance": 0})
        with self.assertRaisesRegex(InputError, "no key router_weights; it is not in phasegrid's layout"):
            pictures.router_regions(path)

    def test_width_of_a_page(self) -> None:
        ours = self.save_paper()
        for width, points in (("column", 234), ("text", 486), ("5.5", 396)):
            out = self.folder / width
            done = self.command(*ours, "--out", out, "--format", "pdf", "--width", width)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for name in ("fig4.pdf", "fig8.pdf"):
                self.assertRegex((out / name).read_bytes(), rb"/MediaBox \[ 0 0 %d(\.0+\d*)? " % points, name)

    def refused(self, words: str, *arguments: Any) -> None:
        out, stdout, stderr = self.folder / "out", io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = programs.main(["fig4", *map(str, arguments), "--out", str(out)])
        self.check_refusal(words, status, stdout.getvalue(), stderr.getvalue())
        self.assertFalse(out.exists())

    def check_refusal(self, words: str, status: int, stdout: str, stderr: str) -> None:
        self.assertEqual((status, stdout), (2, ""), stderr)
        self.assertRegex(stderr, r"\Adraw fig4: [^\n]+\n\Z")
        self.assertRegex(stderr, words)

    def refused_as_program(self, words: str, *arguments: Any, **environment: str) -> None:
        done = self.command(*arguments, **environment)
        self.check_refusal(words, done.returncode, done.stdout, done.stderr)

    def test_bad_input_to_the_program(self) -> None:
        out = self.folder / "out"
        self.refused_as_program("gone.npz: no such file", self.folder / "gone.npz", "--out", out)
        self.refused_as_program("required: .*--out", self.folder / "gone.npz")
        self.assertFalse(out.exists())

    def test_bad_files(self) -> None:
        good = self.save("good.npz", arrays(Shape(2, 1, 1)))
        text = self.folder / "text.npz"
        text.write_text("no zip")
        cut = self.folder / "cut.npz"
        cut.write_bytes(good.read_bytes()[:-40])
        np.save(self.folder / "array.npy", np.zeros(3))
        self.refused("gone.npz: no such file", self.folder / "gone.npz")
        for path in (text, cut, self.folder / "array.npy"):
            self.refused(f"{path.name}: not a readable .npz", path)
        self.refused("give a readable .npz", self.folder)
        for key in KEYS:
            data = arrays(Shape(2, 1, 1))
            del data[key]
            self.refused(f"no key {key}; needed are sparsity_values", self.save("bad.npz", data))

    def test_bad_arrays(self) -> None:
        nan, texts = np.full((3, 4), np.nan), np.array(["a", "b", "c"])
        for words, change in (
            ("'final_losses' is no array of numbers or text", {"final_losses": np.array([[object()]])}),
            ("sparsity_values holds <U1; allowed are real numbers", {"sparsity_values": texts}),
            ("sparsity_values has shape", {"sparsity_values": np.zeros((3, 1))}),
            ("importance_values must hold finite values, each once", {"importance_values": np.array([1, 2, 2, 3])}),
            ("sparsity_values must hold finite values", {"sparsity_values": np.array([0.1, np.nan, 0.3])}),
            ("final_losses has shape .4, 3.; it must be .S, R. = .3, 4.", {"final_losses": np.ones((4, 3))}),
            ("expert_weights has shape .3, 4, 2, 1.; it must have 5", {"expert_weights": np.ones((3, 4, 2, 1))}),
            (r"it must be \(S, R, E, n, m\) = \(3, 4, E, n, m\)", {"expert_weights": np.ones((3, 5, 1, 2, 1))}),
            (r"it must be \(S, R, E, n, m\)", {"expert_weights": np.ones((3, 4, 0, 2, 1))}),
            ("no cells", {"sparsity_values": np.ones(0), "final_losses": np.ones((0, 4))}),
            ("no cell holds a trained model", {"final_losses": nan}),
        ):
            with self.subTest(words):
                self.refused(words, self.save("bad.npz", {**arrays(Shape(2, 1, 1)), **change}))

    def test_bad_command_lines(self) -> None:
        good = self.save("good.npz", arrays(Shape(2, 1, 1)))
        copy = self.save("copy.npz", arrays(Shape(2, 1, 1)))
        other = self.save("other.npz", arrays(Shape(3, 2, 1)))
        self.refused(r"copy.npz: the same architecture \(n m E = 2 1 1\)", good, copy)
        self.refused("no architecture in common", good, "--beside", other)
        self.refused("choose from", good, "--score", "mine")
        self.refused("'gif': allowed are png, pdf, svg", good, "--format", "png,gif")
        self.refused("'9': allowed are whole numbers from 30 to 1200", good, "--dpi", "9")
        for width in ("page", "0", "-1", "nan", "inf"):
            self.refused(f"'{width}': allowed are column, text and a number of inches", good, f"--width={width}")
        self.refused("width 2 inches: this picture needs at least 3", good, "--width", "2")
        self.refused("FILE.npz")

    def test_unwritable_folder(self) -> None:
        good = self.save("good.npz", arrays(Shape(2, 1, 1)))
        self.refused_as_program("good.npz: cannot be written", good, "--out", good)
        out = self.folder / "out"
        (out / "fig8.png").mkdir(parents=True)  # the last rename fails
        self.refused_as_program("fig8.png: cannot be written", good, "--out", out, "--format", "png")
        self.assertEqual(sorted(os.listdir(out)), ["fig4.png", "fig8.png"])

    def test_missing_packages(self) -> None:
        good = self.save("good.npz", arrays(Shape(2, 1, 1)))
        for package in ("numpy", "matplotlib"):
            stub = self.folder / f"without_{package}"
            stub.mkdir()
            (stub / f"{package}.py").write_text(f"raise ModuleNotFoundError('none', name={package!r})")
            words = f"{package} is missing: pip install numpy matplotlib"
            self.refused_as_program(words, good, "--out", self.folder / "out", PYTHONPATH=str(stub))


if __name__ == "__main__":
    unittest.main()
