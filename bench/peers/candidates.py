"""Which variants of each peer are run for which shape, with how many models side by side: read off runs (README.md)."""

from __future__ import annotations

from dataclasses import dataclass

import task


@dataclass(frozen=True)
class Candidate:
    """A program's variant, with the number of models at which it is at its best."""

    peer: str
    variant: str
    models: int


BLOCK = ("fig3_dense", "table1")
FAMILY = ("groups", "dense1000")  # of the wider family: timed where they are asked for
SHAPES = {"cpu": ("211", "323", *BLOCK), "cuda": ("211", "323", *BLOCK, "212", "311", "312", "313", "321", "322")}


def of(device: str, shape: str, which: str, peers: list[str]) -> list[Candidate]:
    """phasegrid first. which: "best", or "all" with what is slower everywhere."""
    tiny = task.SHAPES[shape].tiny
    if device == "cuda":
        # 22,620: a whole architecture of Figure 4.
        ours, models = (22620, 22620) if tiny else (132, 32) if shape == "dense1000" else (2640, 512)
        best = ["fused-hash", "fused-philox", "sums-hash"] if tiny else ["matmul-rbg", "matmul-threefry"]
        chosen = [Candidate("jax", variant, models) for variant in best]
        chosen += [Candidate("torch", "written-hash" if tiny else "compiled-rand", models)]
        slower = [Candidate("torch", "compiled-rand" if tiny else "vmap", models)]
    elif tiny:
        # Trainings of a second at most.
        ours, many, few = (4096, 512, 128) if task.SHAPES[shape].n_experts == 1 else (1024, 128, 64)
        chosen = [Candidate("jax", "fused-hash", many), Candidate("jax", "fused-philox", many)]
        chosen += [Candidate("jax", "fused-threefry", few)]
        chosen += [Candidate("torch", "written-hash", many), Candidate("torch", "written-rand", few)]
        slower = [Candidate("jax", f"matmul-{generator}", 32) for generator in ("hash", "threefry", "rbg")]
        slower += [Candidate("torch", variant, 64) for variant in ("compiled-hash", "eager", "vmap")]
    elif shape in FAMILY:
        # As many models as a second takes; of the small one JAX is the faster the more there are, up to 16.
        ours, few = (64, 16) if shape == "groups" else (4, 2)
        chosen = [Candidate("jax", f"{layout}-{generator}", few)
                  for generator in ("hash", "threefry") for layout in ("wide", "matmul")]  # fmt: skip
        chosen += [Candidate("torch", "compiled-hash", few), Candidate("torch", "compiled-rand", few)]
        slower = [Candidate("jax", "matmul-rbg", few), Candidate("torch", "eager", few), Candidate("torch", "vmap", few)]
    else:
        ours = 64
        chosen = [Candidate("jax", "matmul-hash", 4), Candidate("jax", "matmul-threefry", 4)]
        chosen += [Candidate("torch", "compiled-hash", 8), Candidate("torch", "compiled-rand", 8)]
        slower = [Candidate("jax", "matmul-rbg", 4)]
        slower += [Candidate("jax", "gather-hash", 4)] if task.SHAPES[shape].n_experts > 1 else []
        slower += [Candidate("torch", "eager", 8), Candidate("torch", "vmap", 8)]
    wanted = chosen + (slower if which == "all" else [])
    return [Candidate("phasegrid", "auto", ours)] + [candidate for candidate in wanted if candidate.peer in peers]
