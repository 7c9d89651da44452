"""The text, README.md: all its numbers and verdicts are those of summary.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- written by study.py --write-readme -->\n", "<!-- end -->\n"
COMMAND = "python experiments/network_sparsity/study.py --preset paper --out out/network_sparsity"
Summary = Mapping[str, Any]


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def interval(row: Mapping[str, Any]) -> str:
    """0.12 (0.10 to 0.14)"""
    return f"{shown(row['mean'])} ({shown(row['low'])} to {shown(row['high'])})"


def cell(claim: Mapping[str, Any]) -> str:
    return f"{interval(claim)} {claim['verdict']}"


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def by_key(summary: Summary) -> dict[str, dict[str, Any]]:
    return {claim["key"]: claim for claim in summary["claims"]}


# ---------------------------------------------------------------- answers
CHANGE = {"holds": "higher", "reversed": "lower", "open": "no different beyond chance"}
OPPOSITE = CHANGE | {"holds": "lower", "reversed": "higher"}
# Key of a claim at equal E m and at equal m -> the question, and the word for each verdict.
QUESTIONS = {
    "correlated_decides": (
        "Of the variance of mean D_i between models of one sparsity (correlated features), which explains more, each "
        "without what it shares with the other? (The share of the match less that of network sparsity)",
        {"holds": "the match", "reversed": "network sparsity", "open": "neither, beyond chance"},
    ),
    "correlated_both": (
        "Do both together explain half of it? (The share, less 0.5)",
        {"holds": "no, less", "reversed": "yes, more", "open": "about half"},
    ),
    "correlated_match_dimensionality": ("Mean D_i with matched routers in place of mixed ones (k = 1)", CHANGE),
    "correlated_match_loss": ("Log loss with them", OPPOSITE),
    "correlated_experts_dimensionality": ("Mean D_i with twice as many experts (k = 1, correlated features)", CHANGE),
    "independent_experts_dimensionality": ("The same with independent features", CHANGE),
    "correlated_data": ("Mean D_i where features are correlated, with routers, E, k and S alike", OPPOSITE),
}


def answer(summary: Summary) -> str:
    """What decides: words that follow from the verdicts."""
    claims = by_key(summary)
    lines = []
    for key, (question, words) in QUESTIONS.items():
        found = {place: claims[f"{part}_{key}"] for part, place in (("total", "equal E m"), ("width", "equal m"))}
        said = [f"at {place} **{words[claim['verdict']]}**, {interval(claim)}" for place, claim in found.items()]
        lines.append(f"- {question}: {'; '.join(said)}.")
    most = summary["most_monosemantic"]
    lines.append(
        f"- The largest share of represented features that are monosemantic: {interval(most)}, {most['where']}."
    )
    return "\n".join(lines)


def survivors(summary: Summary) -> str:
    """The paper's statements counted by what becomes of them."""
    rows = [row for row in summary["statements"] if row["source"] == "paper"]

    def counts(over: str) -> str:
        whole = sum(row[f"holds_{over}"] == row["mixtures"] for row in rows)
        none = sum(row[f"holds_{over}"] == 0 for row in rows)
        return f"{whole} hold in all mixtures that they are made for, and {none} in none"

    claims = by_key(summary)
    starved = [interval(claims[f"fig4_living_shapes_{over}"]) for over in ("all", "nonzero")]
    whole = [row["text"] for row in rows if row["holds_nonzero"] == row["mixtures"]]
    return (
        f"The share of starved experts, less 0.01, is {starved[0]} where the balance loss counts all inputs and "
        f"{starved[1]} where it leaves all-zero ones out. Of the paper's {len(rows)} statements, as they are read "
        f"below, {counts('all')} with the former; {counts('nonzero')} with the latter. Those that hold in all with the "
        f"latter: {'; '.join(whole) or 'none'}."
    )


def wrong(summary: Summary) -> str:
    """The claims of ours that did not hold."""
    lost = [
        claim
        for claim in summary["claims"]
        if claim["source"].startswith("ours") and claim["verdict"] == "reversed" and "_shapes_" not in claim["key"]
    ]
    if not lost:
        return "No claim of ours turned out reversed."
    rows = [[claim["statement"], claim["where"], f"{claim['claimed']}", interval(claim)] for claim in lost]
    return table(["our claim, reversed", "where", "claimed", "found"], rows)


# ---------------------------------------------------------------- tables
def map_section(summary: Summary) -> str:
    claims = by_key(summary)

    def rows(keys: Mapping[str, str], data: tuple[str, ...]) -> list[list[str]]:
        return [
            [label, *(cell(claims[f"{part}_{kind}_{key}"]) for part in ("total", "width") for kind in data)]
            for key, label in keys.items()
        ]

    sparsity = {
        "experts_dimensionality": "mean D_i rises with E (k = 1)",
        "experts_monosemantic": "share of monosemantic features rises with E (k = 1)",
        "active_dimensionality": "mean D_i rises as k falls (E = 16)",
        "active_monosemantic": "share of monosemantic features rises as k falls (E = 16)",
        "quarter_dimensionality": "mean D_i rises with E (k / E = 1/4)",
        "quarter_per_dimension_k": "features per dimension fall with E (k / E = 1/4)",
        "quarter_per_dimension": "the same without the authors' 1 / k",
        "quarter_loss": "log loss falls with E (k / E = 1/4)",
        "experts_loss": "log loss rises with E (k = 1; ours)",
        "active_met": "D_i that an input with the feature meets falls as k falls (E = 16; ours)",
    }
    match = {
        "match_dimensionality": "mean D_i, k = 1, all E",
        "match_monosemantic": "share of monosemantic features, k = 1, all E",
        "match_all_k_dimensionality": "mean D_i, all E and k",
        "match_all_k_monosemantic": "share of monosemantic features, all E and k",
        **{f"match_E{E}": f"mean D_i, k = 1, E = {E}" for E in (2, 4, 8, 16)},
        "match_loss": "log loss (lower is claimed), k = 1, all E",
    }
    data = ("independent", "correlated")
    head = [f"equal {part}, {kind}" for part in ("E m", "m") for kind in data]
    return "\n\n".join(
        [
            "**Network sparsity** (random routers; change per doubling; the paper's claims but for the last two):",
            table(["claim", *head], rows(sparsity, data)),
            "**The match** (correlated features; matched less mixed; ours, before the run):",
            table(["difference in", "equal E m", "equal m"], rows(match, ("correlated",))),
        ]
    )


def figure4_section(summary: Summary) -> str:
    claims = by_key(summary)
    rows = []
    for row in summary["statements"]:
        pooled = [claims[f"fig4_{row['key']}_shapes_{over}"] for over in ("all", "nonzero")]
        counts = [f"{row[f'holds_{over}']} of {row['mixtures']}" for over in ("all", "nonzero")]
        side = pooled[0]["claimed"]
        both = [f"{count}: {interval(e)}" for count, e in zip(counts, pooled, strict=True)]
        rows.append([f"{row['text']} ({row['source'].split(',')[0]})", side, *both, row["word"]])
    return table(["statement", "claimed", "balance over all: holds in", "over non-zero: holds in", "now"], rows)


def convergence_section(summary: Summary) -> str:
    found = summary["convergence"]
    diagrams = [row["mean"] for name, row in found.items() if name.startswith("fig4_")]
    parts = {name: interval(row) for name, row in found.items()}
    return (
        f"Is it trained? Half-way losses are above those at the end by a share of {parts['total_loss']} at equal E m, "
        f"{parts['width_loss']} at equal m and {shown(min(diagrams))} to {shown(max(diagrams))} in Figure 4. "
        f"Over the second half, mean D_i of the map's models changes by {parts['total_dimensionality']} and "
        f"{parts['width_dimensionality']}."
    )


def settings(summary: Summary) -> str:
    sparsities = ", ".join(str(S) for S in summary["sparsities_of_the_map"])
    return (
        f"{summary['models']:,} models: {summary['models_of_the_map']:,} of the map (S = {sparsities}; "
        f"{summary['seeds_of_the_map']} seeds) and {summary['models_of_figure4']:,} of Figure 4 "
        f"({summary['cells_of_figure4']} cells, {summary['seeds_of_figure4']} seeds, the best of "
        f"{summary['restarts_of_figure4']} restarts on a fresh batch). "
        f"{summary['steps']:,} steps, batch {summary['batch']}, learning rate {summary['learning_rate']}; preset "
        f"{summary['preset']}, {summary['device']}."
    )


def render(summary: Summary) -> str:
    """What stands between the markers."""
    return "\n\n".join(
        [
            settings(summary),
            "## What decides monosemanticity?",
            answer(summary),
            "![The map](network_sparsity.png)",
            map_section(summary),
            "![Over sparsity](over_sparsity.png)",
            "## Figure 4 when all experts live",
            "![Figure 4, balance over non-zero inputs beside balance over all](fig4_nonzero.png)",
            survivors(summary),
            figure4_section(summary),
            "![How abrupt changes are](phase_changes.png)",
            "## What does not hold, and what is open",
            wrong(summary),
            convergence_section(summary),
        ]
    )


def write_page(folder: Path) -> None:
    """README.md of the folder, from its summary.json."""
    page = folder / "README.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + render(json.loads((folder / "summary.json").read_text())) + "\n" + END + after)
