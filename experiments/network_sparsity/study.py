"""Does network sparsity, or the match between experts and groups of features, decide monosemanticity? And what of
Figure 4's phase changes is left when no expert is starved?

    python experiments/network_sparsity/study.py --preset paper --out out/network_sparsity
    python experiments/network_sparsity/study.py --preset paper --out out/network_sparsity --write-readme

Trains network_sparsity.toml into the folder (what is there already is not trained again; Ctrl-C and the same command go
on), writes summary.json and pictures there, and prints every claim with its number, interval and verdict.
--write-readme also puts summary and pictures beside this file, and the numbers into its README.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from claims import PARTS, Claim, map_claims
from drawing import draw_all
from estimates import over_seeds, rounded
from figure4 import NUMBERS, numbers_by_seed
from map_table import MEASURES, Table, map_table
from page import write_page
from statements import STATEMENTS, figure4_claims, survival

import phasegrid
from phasegrid import Results

HERE = Path(__file__).resolve().parent
SWEEP = HERE / "network_sparsity.toml"
# What a variant sets stands above what a preset does, so these come last.
QUICK = ("axes.seed=[0, 1]", "axes.sparsity=[0.25, 0.5, 0.6, 0.85, 0.93]")

AT_EACH_SPARSITY = ("monosemantic", "dimensionality", "covered", "log_loss", "routing_match")  # of the map


def train(preset: str, folder: Path, threads: int, changes: list[str]) -> dict[str, Results]:
    """Variant -> results, from the folder's files as far as they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    sweeps = phasegrid.read_sweeps(SWEEP, preset=preset, set=[*(QUICK if preset == "quick" else ()), *changes])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", phasegrid.TrainingWarning)  # dead models are among what is measured
        trained = phasegrid.train(sweeps, out=folder, threads=threads, device="cpu", progress=sys.stderr.isatty())
    return {one.name.removeprefix(f"{SWEEP.stem}_"): results for one, results in zip(sweeps, trained, strict=True)}


def map_rows(table: Table) -> list[dict[str, Any]]:
    """Estimates of every shape, data and router: [mean, low, high] over all sparsities (S: null), and some for each."""
    found = []
    settings = ("part", "data", "router", "E", "k", "m")
    for values in sorted({*zip(*(table.columns[name].tolist() for name in settings), strict=True)}):
        models = table.where(**dict(zip(settings, values, strict=True)))
        for S in (None, *np.unique(models.columns["S"]).tolist()):
            rows = models if S is None else models.where(S=S)
            row: dict[str, Any] = dict(zip(settings, values, strict=True)) | {"S": S}
            row |= {"models": len(rows.columns["seed"]), "seeds": len(np.unique(rows.columns["seed"]))}
            for measure in MEASURES if S is None else AT_EACH_SPARSITY:
                e = rows.estimate(measure)
                row[measure] = [rounded(e.mean), rounded(e.low), rounded(e.high)]
            found.append(row)
    return found


def most_monosemantic(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The shape in which most of the represented features are monosemantic, over all sparsities."""
    best = max((row for row in rows if row["S"] is None), key=lambda row: row["monosemantic"][0] or 0)
    shape = f"{PARTS[best['part']]}, {best['data']}, {best['router']}, E = {best['E']}, k = {best['k']}"
    return dict(zip(("mean", "low", "high"), best["monosemantic"], strict=True)) | {"where": shape}


def peer_curve(table: Table) -> list[dict[str, Any]]:
    """The curve that bench/peers/network_sparsity_check.py trains anew: k = 1 at equal E m, random routers."""
    rows = table.where(part="total", data="independent", router=("dense", "xavier"), k=1)
    # The sparsity nearest 0.9 that there is.
    S = min(np.unique(rows.columns["S"]).tolist(), key=lambda s: abs(s - 0.9))
    curve = []
    for E in np.unique(rows.columns["E"]).tolist():
        here = rows.where(E=E, S=S)
        numbers = {name: here.estimate(name).as_json() for name in ("dimensionality", "log_loss")}
        curve.append({"E": E, "m": int(here.columns["m"][0]), "S": S, **numbers})
    return curve


def convergence(table: Table, diagrams: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """How much is left to learn after half the steps: losses of batches, and the map's mean D_i, half-way less end."""
    found: dict[str, Any] = {}
    for part in ("total", "width"):
        rows = table.where(part=part)
        ratio = np.exp(rows.by_seed("half_log_loss") - rows.by_seed("end_log_loss")) - 1
        change = rows.by_seed("end_dimensionality") - rows.by_seed("half_dimensionality")
        found[f"{part}_loss"] = over_seeds(ratio).as_json()
        found[f"{part}_dimensionality"] = over_seeds(change).as_json()
    for name, numbers in diagrams.items():
        found[f"fig4_{name}_loss"] = over_seeds(numbers["half_loss"] / numbers["end_loss"] - 1).as_json()
    return found


def analyse(trained: dict[str, Results], preset: str) -> tuple[dict[str, Any], Table]:
    table = map_table((name, results) for name, results in trained.items() if not name.startswith("fig4_"))
    diagrams = {
        name.removeprefix("fig4_"): numbers_by_seed(results)
        for name, results in trained.items()
        if name.startswith("fig4_")
    }
    claims: list[Claim] = [*map_claims(table), *figure4_claims(diagrams)]
    verdicts = {claim.key: claim.verdict for claim in claims}
    models = {name: int(np.isfinite(r.all_reconstruction_losses).sum()) for name, r in trained.items()}
    rows = map_rows(table)
    one_map, one_diagram = trained["total_independent_dense"], trained["fig4_212_nonzero"]
    summary = {
        "preset": preset,
        "version": phasegrid.__version__,
        "device": one_map.device,
        "models": sum(models.values()),
        "models_of_the_map": sum(count for name, count in models.items() if not name.startswith("fig4_")),
        "models_of_figure4": sum(count for name, count in models.items() if name.startswith("fig4_")),
        "seeds_of_the_map": len(one_map.axes["seed"]),
        "seeds_of_figure4": len(one_diagram.axes["seed"]),
        "cells_of_figure4": len(one_diagram.sparsity_values) * len(one_diagram.importance_values),
        "restarts_of_figure4": one_diagram.sweep.restarts,
        "steps": one_map.config["train"]["steps"],
        "batch": one_map.config["train"]["batch"],
        "learning_rate": one_map.config["train"]["learning_rate"],
        "sparsities_of_the_map": one_map.sparsity_values.tolist(),
        "convergence": convergence(table, diagrams),
        "statements": [survival(statement, verdicts) for statement in STATEMENTS],
        "claims": [claim.as_json() for claim in claims],
        "most_monosemantic": most_monosemantic(rows),
        "peer_curve": peer_curve(table),
        "measures": MEASURES,
        "map": rows,
        "figure4_numbers": NUMBERS,
        "figure4": [
            {"diagram": name, "number": number, **over_seeds(values).as_json()}
            for name, numbers in diagrams.items()
            for number, values in numbers.items()
        ],
    }
    return summary, table


def dump(summary: dict[str, Any], path: Path) -> None:
    """JSON with an entry of a list a line, so that two runs can be compared."""

    def lines(value: Any) -> str:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n" + ",\n".join("  " + json.dumps(entry) for entry in value) + "\n ]"
        return json.dumps(value)

    path.write_text("{\n" + ",\n".join(f' "{key}": {lines(value)}' for key, value in summary.items()) + "\n}\n")


def show(summary: dict[str, Any]) -> None:
    for claim in summary["claims"]:
        interval = f"{claim['mean']} ({claim['low']} .. {claim['high']})"
        print(f"{claim['verdict']:9} {interval:34} {claim['claimed']}  {claim['where']}: {claim['statement']}")
    print(f"\n{summary['models']:,} models; claims of Figure 4, by mixture:")
    for row in summary["statements"]:
        counts = f"{row['holds_all']} -> {row['holds_nonzero']} of {row['mixtures']}"
        print(f"{row['word']:26} {counts:14} {row['text']}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--preset", choices=["quick", "paper"], default="quick")
    parser.add_argument("--out", type=Path, required=True, help="folder of results, summary and pictures")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: one a core")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="changes a setting")
    parser.add_argument(
        "--write-readme", action="store_true", help="update summary, pictures and text beside this file"
    )
    options = parser.parse_args()
    start = time.monotonic()
    try:
        trained = train(options.preset, options.out, options.threads, options.set)
    except phasegrid.Interrupted as stopped:
        print(f"study.py: {stopped}", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:  # a setting or file that cannot be used, in one sentence
        print(f"study.py: {error}", file=sys.stderr)
        return 2
    between = time.monotonic()
    summary, table = analyse(trained, options.preset)
    dump(summary, options.out / "summary.json")
    pictures = draw_all(summary, table, trained, options.out)
    show(summary)
    print(f"{between - start:.0f} s of training, {time.monotonic() - between:.0f} s of analysis", file=sys.stderr)
    if options.write_readme:
        for file in (options.out / "summary.json", *pictures):
            shutil.copy(file, HERE / file.name)
        write_page(HERE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
