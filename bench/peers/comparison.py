"""What the timed trainings say: a row a program, ratios, whether all reached the same loss. Standard library alone."""

from __future__ import annotations

import math
import statistics
from typing import Any

import task

Row = dict[str, Any]

FIGURE4_MODELS, FIGURE4_STEPS = 22_620, 5_000  # of each of its eight architectures
# How many times the best peer: asked for, and the goal. On a GPU for Figure 4.
GOALS = {"tiny": (5, 20), "block": (2, 6), "cuda": (10, 40)}
ERRORS, SHARE = 4.0, 0.005  # tolerance of the loss: standard errors, and a share of it


def summarise(shape: Row) -> list[Row]:
    """A row of each program of a shape that trained at all."""
    settings = task.SHAPES[shape["shape"]]
    rows = []
    for program in shape["programs"]:
        if not program["seconds"] or "problem" in program:
            continue
        samples = program["models"] * program["steps"] * settings.batch
        ns = [seconds / samples * 1e9 for seconds in program["seconds"]]
        losses = program["losses"]
        mean = sum(losses) / len(losses)  # not a number where a loss is none, which `statistics` cannot take
        variance = sum((loss - mean) ** 2 for loss in losses) / max(1, len(losses) - 1)
        rows.append(
            {
                "case": f"fig4_{shape['shape']}" if shape["shape"] in task.FIGURE4 else shape["shape"],
                "shape": shape["shape"],
                "peer": program["peer"],
                "variant": program["variant"],
                "models": program["models"],
                "steps": program["steps"],
                "versions": program["versions"],
                "first_seconds": program["first_seconds"],
                "rounds": len(ns),
                "ns_per_sample": min(ns),
                "ns_per_sample_median": statistics.median(ns),
                "ns_per_sample_worst": max(ns),
                "samples_per_second": 1e9 / min(ns),
                "mean_loss": mean,
                "loss_error": math.sqrt(variance / len(losses)),
            }
        )
    return rows


def disagreements(rows: list[Row]) -> list[str]:
    """A sentence for every program whose mean loss is not phasegrid's."""
    sentences = []
    for row in rows:
        ours = next((r for r in rows if r["shape"] == row["shape"] and r["peer"] == "phasegrid"), None)
        if ours is None or row is ours:
            continue
        error = math.hypot(row["loss_error"], ours["loss_error"])
        allowed = ERRORS * error + SHARE * ours["mean_loss"]
        difference = row["mean_loss"] - ours["mean_loss"]
        if not abs(difference) <= allowed:  # also where it is not a number
            sentences.append(
                f"{row['case']}: {row['peer']} {row['variant']} ends at {row['mean_loss']:.6f}, phasegrid at "
                f"{ours['mean_loss']:.6f}, and {allowed:.6f} apart is allowed"
            )
    return sentences


def best_peer(rows: list[Row], shape: str, own_generator: bool = False) -> Row | None:
    """The fastest program that is not phasegrid; own_generator: that draws from its framework's own generator."""
    others = [row for row in rows if row["shape"] == shape and row["peer"] != "phasegrid"]
    others = [row for row in others if not (own_generator and row["variant"].endswith("-hash"))]
    return min(others, key=lambda row: row["ns_per_sample"], default=None)


def table(rows: list[Row], device: str) -> str:
    """Markdown: every program's ns a sample and its ratio to phasegrid, then the best peer's, and the goal."""
    lines = ["| shape | program | models | ns per sample | median | worst | first training, s | times ours | loss |"]
    lines.append("|" + "---|" * 9)
    verdicts = []
    for shape in dict.fromkeys(row["shape"] for row in rows):
        mine = [row for row in rows if row["shape"] == shape]
        ours = next((row for row in mine if row["peer"] == "phasegrid"), None)
        for row in mine:
            ratio = f"{row['ns_per_sample'] / ours['ns_per_sample']:.1f}" if ours else "–"
            name = row["peer"] if row is ours else f"{row['peer']} {row['variant']}"
            times = [f"{row[key]:.3g}" for key in ("ns_per_sample", "ns_per_sample_median", "ns_per_sample_worst")]
            loss = f"{row['mean_loss']:.5f} ± {row['loss_error']:.5f}"
            cells = [row["case"], name, str(row["models"]), *times, f"{row['first_seconds']:.1f}", ratio, loss]
            lines.append(f"| {' | '.join(cells)} |")
        verdicts.append(verdict(rows, shape, ours, device))
    return "\n".join([*lines, "", *verdicts])


def verdict(rows: list[Row], shape: str, ours: Row | None, device: str) -> str:
    """How many times the best peer, and what was asked for."""
    best, own = best_peer(rows, shape), best_peer(rows, shape, own_generator=True)
    if ours is None or best is None:
        return f"{shape}: not measured"
    ratio = best["ns_per_sample"] / ours["ns_per_sample"]
    text = f"{shape}: {ratio:.1f} times the best peer ({best['peer']} {best['variant']}"
    if own is not None and own is not best:
        text += f"; {own['ns_per_sample'] / ours['ns_per_sample']:.1f} times the best with its own generator, "
        text += f"{own['peer']} {own['variant']}"
    text += ")"
    if device == "cuda":
        return text
    asked, goal = GOALS["tiny" if task.SHAPES[shape].tiny else "block"]
    return f"{text}: {'met' if ratio >= asked else 'NOT MET'} (asked {asked}, goal {goal})"


def figure4(rows: list[Row]) -> str:
    """Seconds of Figure 4 at the paper's settings, from a chunk of all its models and fewer steps, and the ratio."""
    ours = theirs = 0.0
    for shape in task.FIGURE4:
        mine = next((row for row in rows if row["shape"] == shape and row["peer"] == "phasegrid"), None)
        best = best_peer(rows, shape)
        if mine is None or best is None:
            return f"Figure 4: not measured ({shape} is missing)"
        samples = FIGURE4_MODELS * FIGURE4_STEPS * task.SHAPES[shape].batch
        ours += mine["ns_per_sample"] * samples / 1e9
        theirs += best["ns_per_sample"] * samples / 1e9
    asked, goal = GOALS["cuda"]
    said = "met" if theirs / ours >= asked else "NOT MET"
    return (
        f"Figure 4 at the paper's settings, by these rates: {ours:.3g} s, the best peers {theirs:.3g} s, "
        f"{theirs / ours:.1f} times: {said} (asked {asked}, goal {goal})"
    )
