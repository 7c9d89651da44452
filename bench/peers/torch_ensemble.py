"""PyTorch peers: models as a batch.

    compiled   batched matrix products (torch.bmm) over models, a step compiled by torch.compile (CUDA graphs on a GPU)
    eager      the same, not compiled
    vmap       torch.func: vmap over models of the gradient of one model's loss, in the manner of the paper's authors

An expert is chosen by masking, as in jax_sweep.py.
"""

from __future__ import annotations

import sys
import time

import task

options = task.parse(__doc__ or "", ["compiled", "eager", "vmap"])
try:
    import torch
except ImportError as error:
    print(f"torch_ensemble: {error.name} is missing: make peers", file=sys.stderr)
    sys.exit(2)
if options.device == "cuda" and not torch.cuda.is_available():
    print("torch_ensemble: --device cuda needs an NVIDIA GPU and a PyTorch built for it", file=sys.stderr)
    sys.exit(2)

torch.set_num_threads(options.threads)
torch.manual_seed(options.seed)
shape = task.SHAPES[options.shape]
n, m, E, M, B = shape.n_features, shape.n_hidden, shape.n_experts, options.models, shape.batch
device = torch.device(options.device)
importance = torch.tensor(shape.importance(), device=device)
density = 1 - shape.sparsity
Tensors = tuple[torch.Tensor, ...]


def initial() -> list[torch.Tensor]:
    """W (M, n, E m), b (M, E, n), G (M, E, n): Xavier normal over the 3-D tensor."""
    W = torch.randn(M, n, E * m, device=device) * (2 / (m * (n + E))) ** 0.5
    b = torch.zeros(M, E, n, device=device) if shape.zero_bias else torch.randn(M, E, n, device=device)
    G = torch.randn(M, E, n, device=device) * (2 / (n + E)) ** 0.5
    return [W, b if shape.zero_bias else b * (2 / (n + E)) ** 0.5, G]


def losses_of(W: torch.Tensor, b: torch.Tensor, G: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """(M,) or (), with an axis of models or without: loss `mean` and the load balance of batches x (.., B, n)."""
    h = x @ W
    bias = b[..., :1, :]
    balance = torch.full(x.shape[:-2], shape.load_balance, device=x.device)
    if E > 1:
        scores = x @ G.mT
        chosen = (scores.argmax(-1, keepdim=True) == torch.arange(E, device=x.device)).to(x.dtype)
        h = h * chosen.repeat_interleave(m, dim=-1)
        bias = chosen @ b
        if shape.load_balance:
            balance = shape.load_balance * E * (chosen.mean(-2) * scores.softmax(-1).mean(-2)).sum(-1)
    y = torch.relu(h @ W.mT + bias)
    return (importance * (x - y) ** 2).mean((-1, -2)) + balance


def one_step(parameters: Tensors, first: Tensors, second: Tensors, t: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """(losses, parameters .., first moments .., second moments ..) after a step on a fresh batch; AdamW."""
    u = torch.rand(M, B, n, device=device)
    x = torch.where(u < density, u / density, 0.0)
    if options.variant == "vmap":
        function = torch.func.vmap(torch.func.grad_and_value(losses_of, argnums=(0, 1, 2)))
        gradient, losses = function(*parameters, x)
    else:
        leaves = [p.detach().requires_grad_() for p in parameters]
        losses = losses_of(*leaves, x)
        gradient = torch.autograd.grad(losses.sum(), leaves, allow_unused=True)
    with torch.no_grad():
        c1, c2 = 1 - task.BETA1**t, 1 - task.BETA2**t
        done: list[list[torch.Tensor]] = [[], [], []]
        for p, a, s, g in zip(parameters, first, second, gradient, strict=True):
            g = torch.zeros_like(p) if g is None else g
            a = task.BETA1 * a + (1 - task.BETA1) * g
            s = task.BETA2 * s + (1 - task.BETA2) * g * g
            step = task.LEARNING_RATE * (a / c1) / ((s / c2).sqrt() + task.EPSILON)
            done[0].append(p * (1 - task.LEARNING_RATE * task.WEIGHT_DECAY) - step)
            done[1].append(a)
            done[2].append(s)
    return (losses.detach(), *done[0], *done[1], *done[2])


def main() -> None:
    step = one_step
    if options.variant == "compiled":
        step = torch.compile(one_step, mode="reduce-overhead" if options.device == "cuda" else "default")
    seconds = []
    for _ in range(2):
        parameters = tuple(initial())
        first, second = (tuple(torch.zeros_like(p) for p in parameters) for _ in range(2))
        start = time.perf_counter()
        for t in range(1, options.steps + 1):
            losses, *state = step(parameters, first, second, torch.tensor(float(t), device=device))
            if options.device == "cuda":  # what a CUDA graph returns is overwritten by its next replay
                state = [tensor.clone() for tensor in state]
            parameters, first, second = tuple(state[:3]), tuple(state[3:6]), tuple(state[6:])
        if options.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    versions = {"torch": torch.__version__}
    task.report("torch", versions, options, seconds=seconds[1], first_seconds=seconds[0], losses=losses.cpu().tolist())


main()
