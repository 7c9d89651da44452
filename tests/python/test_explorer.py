"""The explorer's files and command line; test_explorer_page.py opens its pages in a browser."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_samples import Arrays, results

from phasegrid import explorer
from phasegrid.explorer import packing

PAPER = [(2, 1, 1), (2, 1, 2), *((3, m, experts) for m in (1, 2) for experts in (1, 2, 3))]


def save(folder: Path, name: str, arrays: Arrays) -> Path:
    np.savez(folder / name, **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle by the same name
    return folder / name


def unpacked(text: str, at: int = 0) -> tuple[dict[str, Any], Arrays]:
    """Header and arrays of a page's results."""
    headers = json.loads(re.findall(r'id="headers">(.*?)</script>', text, re.S)[0])
    block = re.findall(rf'id="block-{at}">(.*?)</script>', text, re.S)[0]
    data = zlib.decompress(base64.b64decode(block))
    arrays = {
        key: np.frombuffer(data, f"<{where['type']}", where["length"], where["offset"])
        for key, where in headers[at]["arrays"].items()
    }
    return headers[at], arrays


def test_every_number_is_in_the_page(tmp_path: Path) -> None:
    source = results("one", (3, 2, 2), snapshots=(0, 10), axes={"seed": [0, 1]})
    path = explorer.explore(source, tmp_path / "page.html")
    header, arrays = unpacked(path.read_text())
    assert [d["name"] for d in header["dimensions"]] == ["sparsity", "last_importance", "seed"]
    for key in {*packing.CELL_ARRAYS, "snapshot_steps"} & source.keys():
        np.testing.assert_array_equal(arrays[key], source[key].ravel())


def test_axes_are_sorted_with_their_cells(tmp_path: Path) -> None:
    source = results("one", (2, 1, 2), snapshots=(0, 10))
    flipped = {key: value[::-1] if key not in ("importance_values", "snapshot_steps", "config") else value
               for key, value in source.items()}  # fmt: skip
    pages = [unpacked(explorer.explore(s, tmp_path / "page.html").read_text()) for s in (source, flipped)]
    assert pages[0][0] == pages[1][0]
    for key, values in pages[0][1].items():
        np.testing.assert_array_equal(values, pages[1][1][key])


def test_sources_of_every_kind_and_names_that_differ(tmp_path: Path) -> None:
    class InMemory:
        def arrays(self) -> Arrays:
            return results("same", (2, 1, 1))

    sources: list[Any] = [
        InMemory(),
        results("same", (2, 1, 2)),
        save(tmp_path, "file.npz", results("same", (2, 1, 2))),
    ]
    sources.append(str(save(tmp_path, "file2.npz", results("other", (2, 1, 2)))))
    text = explorer.explore(sources, tmp_path / "page.html", title='A <b> & its "title"').read_text()
    names = [unpacked(text, at)[0]["name"] for at in range(4)]
    assert names == ["same", "results 2", "file", "other"]
    assert "<h1>A &lt;b&gt; &amp; its &quot;title&quot;</h1>" in text
    assert "<h1>n = 2, m = 1, dense</h1>" in explorer.explore(InMemory(), tmp_path / "page.html").read_text()


def test_titles_say_what_was_trained(tmp_path: Path) -> None:
    def titles(*sources: Arrays) -> tuple[list[str], str]:
        text = explorer.explore(sources, tmp_path / "page.html").read_text()
        return [unpacked(text, at)[0]["title"] for at in range(len(sources))], re.findall("<h1>(.*?)</h1>", text)[0]

    def with_balance(name: str, alpha: float) -> Arrays:
        source = results(name, (3, 2, 2))
        config = json.loads(str(source["config"]))
        config["train"]["load_balance"], config["device"] = alpha, name
        return source | {"config": np.array(json.dumps(config))}

    mixture, dense = results("fig4_322", (3, 2, 2), top_k=2), results("fig4_321", (3, 2, 1))
    assert titles(mixture) == (["n = 3, m = 2, E = 2, top 2"], "n = 3, m = 2, E = 2, top 2")
    assert titles(dense, mixture)[1] == "n = 3, m = 2, dense; n = 3, m = 2, E = 2, top 2"
    alike = [f"n = 3, m = 2, E = 2, top 1, load balance {alpha}" for alpha in ("0", "0.01", "0.1")]
    several = [with_balance(f"sweep{at}", alpha) for at, alpha in enumerate((0.0, 0.01, 0.1))]
    assert titles(*several) == (alike, f"{alike[0]}; and 2 more")
    assert titles(with_balance("a", 0.5), with_balance("b", 0.5))[0] == [
        f"n = 3, m = 2, E = 2, top 1 ({name})" for name in "ab"
    ]
    del mixture["config"]
    assert titles(mixture)[0] == ["n = 3, m = 2, E = 2"]  # the authors' files do not tell k


def test_the_authors_arrays_alone(tmp_path: Path) -> None:
    source = {key: value for key, value in results("one", (3, 2, 2)).items() if key in packing.NEEDED}
    header, arrays = unpacked(
        explorer.explore(save(tmp_path, "fig4_322.npz", source), tmp_path / "page.html").read_text()
    )
    assert header["name"] == "fig4_322"
    assert set(arrays) == {"final_losses", "expert_weights"}


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    source = results("</script><script>alert(1)</script>", (2, 1, 1))
    text = explorer.explore(source, tmp_path / "page.html").read_text()
    assert "<script>alert" not in text
    assert unpacked(text)[0]["name"] == "</script><script>alert(1)</script>"


def test_figure_4_at_paper_settings_is_under_15_mb(tmp_path: Path) -> None:
    """Random numbers: nothing to compress, so no trained results can be larger."""
    axes = {"sparsity": list(np.arange(1, 40) * 0.025), "last_importance": list(np.arange(2, 60) * 0.05)}
    sources = [results(f"fig4_{n}{m}{e}", (n, m, e), restarts=10, axes=axes) for n, m, e in PAPER]
    path = explorer.explore(sources, tmp_path / "page.html")
    assert path.stat().st_size < 15e6


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("results 1: no key final_losses; needed are sparsity_values", {"final_losses": None}),
        (r"expert_weights has shape \(3, 4, 2\); it must be \(3, 4, E, n, m\)", {"expert_weights": np.ones((3, 4, 2))}),
        (r"biases has shape \(3, 4, 1, 5\); it must be \(3, 4, 1, 2\)", {"biases": np.ones((3, 4, 1, 5))}),
        ("sparsity_values holds <U1; allowed are real numbers", {"sparsity_values": np.array(["a", "b", "c"])}),
        ("sparsity_values has shape .0,.; it must be a list of at least one", {"sparsity_values": np.ones(0)}),
        ("config is not JSON", {"config": np.array("{")}),
        ("config must be a JSON object", {"config": np.array("[1]")}),
    ],
)
def test_bad_arrays(tmp_path: Path, words: str, change: Arrays) -> None:
    source = {key: value for key, value in (results("one", (2, 1, 1)) | change).items() if value is not None}
    with pytest.raises(ValueError, match=words):
        explorer.explore(source, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_bad_sources(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give at least one results file"):
        explorer.explore([], tmp_path / "page.html")
    with pytest.raises(ValueError, match="results must be a path, a mapping of arrays or Results, not int"):
        explorer.explore([3], tmp_path / "page.html")  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"none\.npz: no such file"):
        explorer.explore(tmp_path / "none.npz", tmp_path / "page.html")
    with pytest.raises(ValueError, match=r"no/page\.html: cannot be written: there is no folder"):
        explorer.explore(results("one", (2, 1, 1)), tmp_path / "no" / "page.html")
    with pytest.raises(ValueError, match="cannot be written: it is a folder"):
        explorer.explore(results("one", (2, 1, 1)), tmp_path)


def test_too_much_for_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_BYTES", 2**20)
    with pytest.raises(ValueError, match="the results hold 1 MiB or more; at most 1 fit a page"):
        explorer.explore(results("one", (100, 20, 10)), tmp_path / "page.html")


def command(*words: object, program: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PHASEGRID_PYTHON": sys.executable}
    return subprocess.run([*program, *map(str, words)], capture_output=True, text=True, env=environment)


MODULE = [sys.executable, "-m", "phasegrid.explorer"]


@pytest.fixture(params=["module", "program"])
def program(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "module":
        return MODULE
    path = os.environ.get("PHASEGRID_PROGRAM", str(Path(__file__).resolve().parents[2] / "build" / "phasegrid"))
    assert os.access(path, os.X_OK), f"{path}: no program; set PHASEGRID_PROGRAM"
    return [path, "explore"]


def test_command_line(tmp_path: Path, program: list[str]) -> None:
    files = [save(tmp_path, f"{name}.npz", results(name, (2, 1, 1))) for name in ("a", "b")]
    out = tmp_path / "page.html"
    done = command(*files, "--out", out, "--title", "Two words", program=program)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{out}\n", "")
    assert "<h1>Two words</h1>" in out.read_text()

    for words, bad in (
        ("gone.npz: no such file", [tmp_path / "gone.npz", "--out", tmp_path / "new.html"]),
        ("--out", [files[0]]),
        ("cannot be written", [files[0], "--out", tmp_path / "no" / "new.html"]),
    ):
        done = command(*bad, program=program)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz", "page.html"]


@pytest.mark.parametrize("package", ["numpy", "plotly"])
def test_missing_packages(tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = save(tmp_path, "good.npz", results("good", (2, 1, 1)))
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / f"{package}.py").write_text(f"raise ModuleNotFoundError('none', name={package!r})")
    monkeypatch.setenv("PYTHONPATH", f"{stub}:{os.environ['PYTHONPATH']}")
    done = command(good, "--out", tmp_path / "page.html", program=MODULE)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{package} is missing: pip install" in done.stderr
