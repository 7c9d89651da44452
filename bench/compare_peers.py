"""phasegrid beside JAX and PyTorch, in one run: same models, batches, steps and data; samples a second, and the ratios.

.venv-peers/bin/python bench/compare_peers.py --out bench/results/peers_cpu.json          (make peers sets it up)
.venv-peers/bin/python bench/compare_peers.py --device cuda --out peers_cuda.json

Every peer runs in processes of its own, with as many threads as there are cores, in turns. First each of its variants
is tried with several numbers of models, shortly, and its best one is kept; then rounds of everyone are measured.
Compiling is not counted, but reported. The mean loss of the last batches must agree between all of them: where it does
not, a peer computed something else, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH / "peers"))
import task  # noqa: E402

Row = dict[str, Any]

# Program, variants to try, and for each shape the numbers of models to try.
SMALL, LARGE = ("211", "323"), ("fig3_dense", "table1")
PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "phasegrid": ("phasegrid_train.py", ("auto",)),
    "jax": ("jax_sweep.py", ("threefry", "rbg")),
    "torch": ("torch_ensemble.py", ("compiled", "eager", "vmap")),
}
MODELS = {"phasegrid": {**dict.fromkeys(SMALL, (64,)), **dict.fromkeys(LARGE, (16,))}}
CPU_MODELS = {**dict.fromkeys(SMALL, (16, 128)), **dict.fromkeys(LARGE, (2, 16))}
GPU_MODELS = {**dict.fromkeys(SMALL, (22620,)), **dict.fromkeys(LARGE, (512,))}
GOALS = {**dict.fromkeys(SMALL, (5, 20)), **dict.fromkeys(LARGE, (2, 6))}  # asked for, and hoped for, on the CPU


def run(peer: str, shape: str, models: int, steps: int, variant: str, options: argparse.Namespace, seed: int) -> Row:
    """One process's report; {"problem": sentence} where it could not run."""
    command = [sys.executable, str(BENCH / "peers" / PROGRAMS[peer][0]), "--shape", shape, "--models", str(models)]
    command += ["--steps", str(steps), "--variant", variant, "--device", options.device, "--seed", str(seed)]
    command += ["--threads", str(options.threads)]
    package = str(BENCH.parent / "build" / "python")
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), package]))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=options.limit, env={**os.environ, "PYTHONPATH": path}
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"not done within {options.limit:g} s"}
    if done.returncode != 0:
        lines = (done.stderr.strip() or "no message").splitlines()
        return {"problem": lines[-1][:300]}
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def steps_for(peer: str, shape: str, models: int, ns_per_sample: float, seconds: float) -> int:
    """So many steps that a run takes about `seconds`."""
    samples = seconds / (ns_per_sample * 1e-9)
    return max(20, min(200_000, int(samples / (models * task.SHAPES[shape].batch))))


def choose(peer: str, shape: str, options: argparse.Namespace) -> tuple[Row | None, list[Row]]:
    """The fastest of a peer's variants and numbers of models, and all that were tried."""
    tried: list[Row] = []
    counts = MODELS.get(peer, {}).get(shape) or (GPU_MODELS if options.device == "cuda" else CPU_MODELS)[shape]
    if peer == "phasegrid" and options.device == "cuda":
        counts = GPU_MODELS[shape]
    for variant in PROGRAMS[peer][1]:
        for models in counts:
            steps = 200 if peer == "phasegrid" else 40
            row = run(peer, shape, models, steps, variant, options, seed=1)
            tried.append({"peer": peer, "shape": shape, "variant": variant, "models": models, **row})
            said = f"{row['ns_per_sample']:.2f} ns a sample" if "problem" not in row else row["problem"]
            print(f"  tried {peer} {variant}, {models} models: {said}", file=sys.stderr)
    working = [row for row in tried if "problem" not in row]
    return (min(working, key=lambda row: row["ns_per_sample"]) if working else None), tried


def check_losses(shape: str, options: argparse.Namespace, chosen: dict[str, Row]) -> list[str]:
    """Sentences about peers whose mean last loss after equal training is more than 5 standard errors (and 1 %) off."""
    steps, models = (1000, 256) if shape in SMALL else (200, 16)
    reports: dict[str, Row] = {}
    for peer, row in chosen.items():
        reports[peer] = run(peer, shape, models, steps, row["variant"], options, seed=7)
    wrong = []
    ours = reports["phasegrid"]
    for peer, theirs in reports.items():
        if "problem" in theirs or "problem" in ours:
            wrong.append(f"{shape}: the loss of {peer} could not be compared: {theirs.get('problem', 'ours failed')}")
            continue
        error = math.hypot(ours["sd_loss"], theirs["sd_loss"]) / math.sqrt(models)
        difference = theirs["mean_loss"] - ours["mean_loss"]
        chosen[peer]["compared"] = {"steps": steps, "models": models, "mean_loss": theirs["mean_loss"], "error": error}
        if abs(difference) > 5 * error + 0.01 * ours["mean_loss"]:
            wrong.append(
                f"{shape}: {peer} ends at loss {theirs['mean_loss']:.5f}, phasegrid at {ours['mean_loss']:.5f}"
            )
    return wrong


def compare(shape: str, options: argparse.Namespace) -> tuple[Row, list[str]]:
    print(f"{shape}:", file=sys.stderr)
    chosen: dict[str, Row] = {}
    tried: list[Row] = []
    for peer in options.peers:
        best, rows = choose(peer, shape, options)
        tried += rows
        if best is not None:
            chosen[peer] = best
    if "phasegrid" not in chosen:
        problems = [row["problem"] for row in tried if row["peer"] == "phasegrid"]
        why = problems[0] if problems else "it is not among --peers"
        print(f"compare_peers: phasegrid could not be run: {why}", file=sys.stderr)
        sys.exit(2)
    rounds: dict[str, list[Row]] = {peer: [] for peer in chosen}
    for at in range(options.rounds):
        for peer, row in chosen.items():
            steps = steps_for(peer, shape, row["models"], row["ns_per_sample"], options.seconds)
            result = run(peer, shape, row["models"], steps, row["variant"], options, seed=100 + at)
            if "problem" not in result:
                rounds[peer].append(result)
    wrong = check_losses(shape, options, chosen)
    summary: Row = {"case": f"fig4_{shape}" if shape in SMALL else shape, "tried": tried, "rounds": rounds, "rows": []}
    for peer, results in rounds.items():
        if not results:
            continue
        ns = sorted(result["ns_per_sample"] for result in results)
        row = {
            "peer": peer,
            "case": summary["case"],
            "variant": chosen[peer]["variant"],
            "models": chosen[peer]["models"],
            "ns_per_sample": ns[0],
            "ns_per_sample_worst": ns[-1],
            "samples_per_second": 1e9 / ns[0],
            "compile_seconds": results[0]["first_seconds"] - results[0]["seconds"],
            "versions": results[0]["versions"],
            "compared": chosen[peer].get("compared"),
        }
        summary["rows"].append(row)
    return summary, wrong


def table(summaries: list[Row], device: str) -> str:
    """Markdown: ns a sample of each, and how many times faster phasegrid is than the best of the others."""
    lines = ["| shape | phasegrid | JAX | PyTorch | times the best peer |", "|---|---|---|---|---|"]
    for summary in summaries:
        by_peer = {row["peer"]: row for row in summary["rows"]}

        def shown(peer: str, rows: dict[str, Row] = by_peer) -> str:
            row = rows.get(peer)
            return f"{row['ns_per_sample']:.3g} ({row['variant']}, {row['models']})" if row else "not run"

        others = [row["ns_per_sample"] for peer, row in by_peer.items() if peer != "phasegrid"]
        ratio = min(others) / by_peer["phasegrid"]["ns_per_sample"] if others else math.nan
        asked, hoped = GOALS[summary["case"].removeprefix("fig4_")]
        goal = f"{ratio:.1f} (asked {asked}, goal {hoped})" if device == "cpu" else f"{ratio:.1f}"
        cells = [summary["case"], shown("phasegrid"), shown("jax"), shown("torch"), goal if others else "not measured"]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("\nns per sample, the best round; in brackets the variant and the models trained side by side")
    return "\n".join(lines)


def machine() -> Row:
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=BENCH, capture_output=True, text=True)
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "commit": commit.stdout.strip()}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=list(task.SHAPES), default=list(task.SHAPES))
    parser.add_argument("--peers", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="about how long a measured training lasts")
    parser.add_argument("--limit", type=float, default=180, help="seconds after which a process is given up")
    parser.add_argument("--out", help="a JSON file of everything that was measured")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.threads < 1 or options.seconds <= 0 or options.limit <= 0:
        parser.error("--rounds and --threads must be at least 1, --seconds and --limit above 0")
    return options


def main() -> int:
    options = parse()
    start = time.time()
    summaries, wrong = [], []
    for shape in options.shapes:
        summary, sentences = compare(shape, options)
        summaries.append(summary)
        wrong += sentences
    print(table(summaries, options.device))
    for sentence in wrong:
        print(f"LOSSES DIFFER: {sentence}")
    result = {
        "machine": machine(),
        "options": vars(options),
        "seconds": time.time() - start,
        "rows": [row for summary in summaries for row in summary["rows"]],
        "summaries": summaries,
        "losses_differ": wrong,
    }
    if options.out:
        Path(options.out).write_text(json.dumps(result, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
