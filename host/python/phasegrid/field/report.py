"""Reports of the field: NAME.json of a work, FIELD.md and field.json of all, and what the program prints."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from phasegrid.field.base import Claim, Trained, Work
from phasegrid.field.works import WORKS, work_of
from phasegrid.pictures import diagrams
from phasegrid.pictures.command_line import write_files
from phasegrid.pictures.errors import InputError

DPI = 200
VERDICTS = ("met", "not met", "differs", "recorded")
Report = dict[str, Any]


def number(value: Any) -> Any:
    """For JSON, which has no NaN: null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cost(trained: Trained) -> tuple[int, float]:
    """Models and samples of the sweeps of a work."""
    models, samples = 0, 0.0
    for name in trained.names:
        results = trained.open(name)
        count = int(np.size(results.arrays["status"])) if "status" in results.arrays else 0
        train = results.config.get("train", {})
        models += count
        samples += float(count) * float(train.get("steps", 0)) * float(train.get("batch", 0))
    return models, samples


def fingerprint(trained: Trained) -> str:
    """Of every setting of the sweeps of a work, so that a later report knows an earlier one of the same."""
    configs = [json.dumps(dict(trained.open(name).config), sort_keys=True) for name in trained.names]
    return hashlib.sha256("\n".join(configs).encode()).hexdigest()


def report_of(work: Work, trained: Trained, seconds: float, earlier: Mapping[str, Any] | None) -> Report:
    """A table of what was found. Where models were trained in an earlier run, the time is that run's."""
    mark = fingerprint(trained)
    if earlier and earlier.get("fingerprint") == mark:
        seconds = max(seconds, float(earlier.get("seconds", 0)))
    models, samples = cost(trained)
    claims = work.values(trained)
    return {
        "figure": work.name,
        "title": work.title,
        "source": work.source,
        "about": work.about,
        "preset": trained.preset,
        "version": trained.config.get("phasegrid"),
        "device": trained.config.get("device"),
        "seconds": seconds,
        "models": models,
        "samples": samples,
        "command": command_of(work.name, trained.preset),
        "sweeps": list(work.sweeps),
        "fingerprint": mark,
        "verdicts": [row(claim) for claim in claims],
        "picture": f"{work.name}.png",
    }


def command_of(name: str, preset: str) -> str:
    return f"phasegrid reproduce field --work {name} --preset {preset}"


def row(claim: Claim) -> dict[str, Any]:
    """As verdicts of the paper's figures are written, with the basis: published, calculated or none."""
    found = {key: number(value) for key, value in asdict(claim).items()}
    return {
        "claim": found["claim"],
        "published": found["expected"],
        "basis": found["basis"],
        "ours": found["ours"],
        "spread": found["spread"],
        "seeds": found["seeds"],
        "verdict": found["verdict"],
        "note": found["note"],
    }


def load_report(path: Path) -> Report | None:
    """A report that this wrote; None where there is none. Raises InputError where it is something else."""
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("verdicts"), list) or "models" not in found:
        raise InputError(f"{path}: is no report of phasegrid reproduce field; give another folder")
    return found


def write_work(name: str, folder: Path, preset: str, seconds: float) -> str:
    """Writes NAME.json and NAME.png and NAME.pdf; returns what the program prints."""
    try:
        work = work_of(name)
    except KeyError:
        raise InputError(f"work {name!r}: allowed are {', '.join(work.name for work in WORKS)}") from None
    trained = Trained(folder, work.sweeps, preset)
    report = report_of(work, trained, seconds, load_report(folder / f"{name}.json"))
    with diagrams.style():
        figure = work.draw(trained)
    files = {f"{name}.{kind}": diagrams.render(figure, kind, DPI) for kind in ("png", "pdf")}
    files[f"{name}.json"] = (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode()
    write_files(folder, files)
    return to_text(report)


def shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def expected(verdict: Mapping[str, Any]) -> str:
    return shown(verdict["published"]) + (" (calc)" if verdict["basis"] == "calculated" else "")


def to_text(report: Report) -> str:
    """A table of the verdicts, a note below each."""
    rows = [["claim", "expected", "ours", "95 % interval", "seeds", "verdict"]]
    for v in report["verdicts"]:
        rows.append([v["claim"], expected(v), shown(v["ours"]), shown(v["spread"]), str(v["seeds"]), v["verdict"]])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"\n{report['title']} (preset {report['preset']})"]
    for at, cells in enumerate(rows):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
        if at and report["verdicts"][at - 1]["note"]:
            lines.append("    " + report["verdicts"][at - 1]["note"])
    return "\n".join(lines) + "\n"


def counts(report: Report) -> dict[str, int]:
    words = [verdict["verdict"] for verdict in report["verdicts"]]
    return {word: words.count(word) for word in VERDICTS}


def reports_in(folder: Path) -> list[Report]:
    """Of every work that is there, in the gallery's order. Raises InputError where there is none."""
    found = [report for work in WORKS if (report := load_report(folder / f"{work.name}.json"))]
    if not found:
        raise InputError(f"{folder}: no report of a work is there; make some with: phasegrid reproduce field")
    return found


def table(reports: Sequence[Report]) -> str:
    """Markdown: what each work cost, and how its claims stand."""
    lines = [
        "| work | models | minutes | ns per sample | met | not met | differs | recorded | command |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for report in reports:
        count = counts(report)
        seconds = report["seconds"]
        rate = "–"
        if report["samples"] and seconds > 0:
            each = 1e9 * seconds / report["samples"]
            rate = f"{each:.0f}" if each >= 10 else f"{each:.2g}"
        cells = [report["title"], f"{report['models']:,}", f"{seconds / 60:.1f}", rate]
        cells += [str(count[word]) for word in VERDICTS]
        lines.append(f"| {' | '.join(cells)} | `{report['command']}` |")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    return text.replace("|", "\\|")


def section(report: Report) -> str:
    lines = [f"## {report['title']}\n", f"{report['source']}. {report['about']}\n", f"`{report['command']}`\n"]
    lines.append(f"![{report['title']}]({report['picture']})\n")
    lines.append("| claim | published or calculated | ours | 95 % interval | seeds | verdict | note |")
    lines.append("|---|---|---|---|---|---|---|")
    for v in report["verdicts"]:
        cells = [
            v["claim"],
            expected(v),
            shown(v["ours"]),
            shown(v["spread"]),
            str(v["seeds"]),
            v["verdict"],
            v["note"],
        ]
        lines.append("| " + " | ".join(map(escaped, cells)) + " |")
    return "\n".join(lines) + "\n"


def write_summary(folder: Path) -> str:
    """Writes FIELD.md and field.json; returns the path of the first."""
    reports = reports_in(folder)
    text = (
        "# The gallery of the field\n\n"
        "Other people's works on toy models, trained again by `phasegrid reproduce field`. A value is *published*, or "
        "*calculated* (calc): exact, or from a formula that the note names. Intervals are of 95 %, over seeds: "
        "Student's t of a mean, Wilson's of a share. Minutes are of training, on the machine's threads.\n\n"
    )
    text += table(reports) + "\n" + "\n".join(map(section, reports))
    json_text = json.dumps(reports, indent=1, ensure_ascii=False) + "\n"
    write_files(folder, {"FIELD.md": text.encode(), "field.json": json_text.encode()})
    return str(folder / "FIELD.md")
