"""A static site of the works in a folder: index.html, a page a work with its picture, verdicts and command, and a page
a work to explore its models. Nothing is fetched from elsewhere; plotly.min.js lies beside, once for all."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import Arrays, open_arrays
from phasegrid.explorer.packing import CELL_ARRAYS, pack_all
from phasegrid.explorer.page import plotly, render
from phasegrid.field import report as reports
from phasegrid.field.works import work_of
from phasegrid.pictures.command_line import write_files
from phasegrid.pictures.errors import InputError

PLOTLY = "plotly.min.js"
MOST_BYTES = 40 * 10**6  # of a site, so that it can be published
MOST_RESULTS = 2**21  # bytes of the arrays of a work's models, for its page to explore
MOST_SWEEPS = 2  # that page shows
HEADS = ("claim", "expected", "ours", "95 % interval", "seeds", "verdict", "note")


def page(title: str, body: str) -> bytes:
    style = (resources.files("phasegrid.field") / "site.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file: data:"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<link rel="icon" href="data:,">\n<title>{html.escape(title)}</title>\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n{body}</body>\n</html>\n"
    ).encode()


def tally(report: Mapping[str, Any]) -> str:
    """How the claims of a work stand: 4 met, 1 not met."""
    count = reports.counts(dict(report))
    return ", ".join(f"{number} {word}" for word, number in count.items() if number)


def cost(report: Mapping[str, Any]) -> str:
    seconds = float(report["seconds"])
    took = f" in {seconds / 60:.1f} minutes" if seconds > 0 else ""
    return f"{report['models']:,} models{took} on {report['device']}, preset {report['preset']}"


def whole_cost(found: list[reports.Report]) -> str:
    models, seconds = sum(report["models"] for report in found), sum(report["seconds"] for report in found)
    return f"{len(found)} works, {models:,} models, {seconds / 60:.0f} minutes of training on {found[0]['device']}."


def card(report: Mapping[str, Any]) -> str:
    name, title = report["figure"], html.escape(report["title"])
    return (
        f'<li><a href="{name}.html"><img src="{html.escape(report["picture"])}" alt="" loading="lazy"><h2>{title}</h2>'
        f'<p class="quiet">{html.escape(report["source"])}</p><p>{html.escape(tally(report))}</p></a></li>\n'
    )


def index(found: list[reports.Report]) -> bytes:
    preset = found[0]["preset"]
    body = (
        "<header><h1>Toy models of the field, trained again</h1>\n"
        "<p>Each page is one work on tiny models: what it says, what we get over several seeds, the verdict, a "
        "picture, the command that made it, and its models to look at. A value is published, or calculated (calc): "
        "exact, or from a formula.</p></header>\n"
        f'<main><ul class="cards">\n{"".join(map(card, found))}</ul>\n'
        f"<h2>All of them</h2>\n<pre>phasegrid reproduce field --preset {html.escape(preset)}\n"
        "phasegrid explore --gallery out/field --out site</pre></main>\n"
        f"<footer>{html.escape(whole_cost(found))}</footer>\n"
    )
    return page("Toy models of the field", body)


def verdict_row(verdict: Mapping[str, Any]) -> str:
    cells = [
        verdict["claim"],
        reports.expected(verdict),
        reports.shown(verdict["ours"]),
        reports.shown(verdict["spread"]),
        str(verdict["seeds"]),
        verdict["verdict"],
        verdict["note"],
    ]
    style = {"verdict": f' class="verdict {verdict["verdict"].replace(" ", "-")}"', "note": ' class="note"'}
    return (
        "<tr>"
        + "".join(
            f'<td{style.get(name, "")} data-name="{name}">{html.escape(cell)}</td>'
            for name, cell in zip(HEADS, cells, strict=True)
            if not (name == "note" and not cell)
        )
        + "</tr>\n"
    )


def work_page(report: Mapping[str, Any]) -> bytes:
    name, title = report["figure"], html.escape(report["title"])
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    body = (
        f'<header><p class="quiet"><a href="index.html">All works</a></p><h1>{title}</h1>\n'
        f'<p class="quiet">{html.escape(report["source"])}</p><p>{html.escape(report["about"])}</p></header>\n<main>\n'
        f'<img src="{html.escape(report["picture"])}" alt="{title}: picture of our models">\n'
        f'<a class="button" href="explore-{name}.html">Explore the models</a>\n'
        f"<h2>What is said, and what we get</h2>\n<table><thead><tr>{heads}</tr></thead><tbody>\n"
        f"{''.join(map(verdict_row, report['verdicts']))}</tbody></table>\n"
        f"<h2>Made by</h2>\n<pre>{html.escape(report['command'])}</pre>\n"
        f'<p class="quiet">{html.escape(cost(report))}.</p>\n</main>\n'
    )
    return page(report["title"], body)


def part(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Of results, what a page to explore has room for: the first seed, no snapshots but a few, every so many cells."""
    made = {key: np.asarray(value) for key, value in arrays.items()}
    dimensions = [
        key.removesuffix("_values") for key in made if key.endswith("_values")
    ]  # in the order of the arrays' axes
    of_cells = [key for key in made if key in CELL_ARRAYS]
    if "snapshot_steps" in made:
        kept = np.unique(np.linspace(0, len(made["snapshot_steps"]) - 1, 12).round().astype(int))
        for key in [key for key in made if key.startswith("snapshot_")]:
            behind = CELL_ARRAYS[key][1].index("T") if key in CELL_ARRAYS else 0
            axis = behind + (len(dimensions) if key in CELL_ARRAYS else 0)
            made[key] = np.take(made[key], kept, axis=axis)

    def thin(axis: int, chosen: NDArray[np.intp]) -> None:
        made[f"{dimensions[axis]}_values"] = made[f"{dimensions[axis]}_values"][chosen]
        for key in of_cells:
            made[key] = np.take(made[key], chosen, axis=axis)

    if "seed" in dimensions:
        thin(dimensions.index("seed"), np.zeros(1, np.intp))
    while sum(made[key].nbytes for key in of_cells) > MOST_RESULTS:
        longest = int(np.argmax([len(made[f"{name}_values"]) for name in dimensions]))
        extent = len(made[f"{dimensions[longest]}_values"])
        if extent == 1:
            break
        thin(longest, np.arange(0, extent, 2))
    return made


def explorer_page(folder: Path, report: Mapping[str, Any]) -> bytes:
    """Of the first and the last sweep of a work."""
    sweeps = list(work_of(str(report["figure"])).sweeps)
    chosen = sweeps if len(sweeps) <= MOST_SWEEPS else [sweeps[0], sweeps[-1]]
    packed = pack_all([part(open_arrays(folder / f"{name}.npz")) for name in chosen])
    return render(packed, str(report["title"]), PLOTLY).encode()


def picture(folder: Path, name: str) -> bytes:
    if not re.fullmatch(r"[a-z]+\.png", name):
        raise InputError(f"picture {name!r}: allowed is the name of a work and .png")
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder / name}: cannot be read ({error.strerror}); make it with: phasegrid reproduce field"
        ) from None


def write_site(folder: Path, out: Path, script: Callable[[], str] = plotly) -> str:
    """Writes the site whole; returns the path of its index. Raises InputError where it would be more than 40 MB."""
    found = reports.reports_in(folder)
    files = {"index.html": index(found), PLOTLY: script().encode()}
    for report in found:
        name = str(report["figure"])
        files[f"{name}.html"] = work_page(report)
        files[f"explore-{name}.html"] = explorer_page(folder, report)
        files[str(report["picture"])] = picture(folder, str(report["picture"]))
    size = sum(map(len, files.values()))
    if size > MOST_BYTES:
        raise InputError(f"the site would have {size / 1e6:.0f} MB; at most {MOST_BYTES // 10**6} are allowed")
    write_files(out, files)
    return str(out / "index.html")
