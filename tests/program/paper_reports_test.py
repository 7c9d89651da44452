"""Tests of phasegrid.pictures: the program paper and reports: files, options, and bad reports, refused in one line.
Run: python3 tests/program/paper_reports_test.py"""

from __future__ import annotations

import copy
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[2] / "host" / "python"

from paper_samples import (
    BOUNDARIES,
    EXPERTS,
    FIG3,
    FIG5,
    FIG7,
    MARKED,
    PICTURES,
    draw,
    legend_texts,
    panel,
    report,
    series,
)

from phasegrid.pictures import programs
from phasegrid.pictures.errors import InputError


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
        path = os.pathsep.join([*filter(None, [environment.get("PYTHONPATH")]), str(PACKAGE)])
        return subprocess.run(
            [sys.executable, "-m", "phasegrid.pictures", "paper", *map(str, arguments)],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment, "PYTHONPATH": path},
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
        self.assertRegex(stderr, r"\Adraw paper: [^\n]+\n\Z")
        self.assertRegex(stderr, words)

    def refused_as_program(self, words: str, *arguments: Any, **environment: str) -> None:
        done = self.command(*arguments, **environment)
        self.check_refusal(words, done.returncode, done.stdout, done.stderr)

    def refused(self, words: str, *arguments: Any) -> None:
        out, stderr, before = self.folder / "out", io.StringIO(), sys.stderr
        sys.stderr = stderr
        try:
            status = programs.main(["paper", *map(str, arguments), "--out", str(out)])
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
