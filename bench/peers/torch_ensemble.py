"""PyTorch peers: models as a batch, all of them at the same step.

    written-hash, written-rand
               for tiny shapes: products over features and experts written out (written_out.py), the whole step
               compiled by torch.compile into a loop over the batch (on a GPU with CUDA graphs); inputs from the 32-bit
               integer hash of jax_sweep.py, or from torch.rand
    compiled-hash, compiled-rand
               batched matrix products (torch.bmm) over models, gradient by autograd, compiled by torch.compile (on a
               GPU with CUDA graphs)
    eager      the same, not compiled
    vmap       torch.func: vmap over models of the gradient of one model's loss, in the manner of the paper's authors

Where products are not written out an expert is chosen by masking, as in jax_sweep.py.
"""

from __future__ import annotations

from typing import Any

import task
import written_out

options = task.parse(__doc__ or "", ["compiled-rand", "compiled-hash", "written-rand", "written-hash", "eager", "vmap"])
try:
    import torch
except ImportError as error:
    task.fail(f"torch_ensemble: Python has no {error.name}: install PyTorch (on the CPU: make peers)")
if options.device == "cuda" and not torch.cuda.is_available():
    task.fail(f"torch_ensemble: --device cuda needs a GPU that PyTorch can use, and {torch.__version__} sees none")

torch.set_num_threads(options.threads)
shape = task.SHAPES[options.shape]
n, m, E, M, B = shape.n_features, shape.n_hidden, shape.n_experts, options.models, shape.batch
WRITTEN = options.variant.startswith("written")
if WRITTEN and not shape.tiny:
    task.fail(f"torch_ensemble: variant {options.variant} is for at most 4 features, and {options.shape} has {n}")
device = torch.device(options.device)
importance = torch.tensor(shape.importance(), device=device)
density = 1 - shape.sparsity
Tensor = Any
Tensors = tuple[Tensor, ...]


def initial() -> Tensors:
    """W, b, G, and D as W where weights are not tied: Xavier normal; (M, n, E m), (M, E, n), (M, E, n), or (E, n, m, M),
    (E, n, M), (E, n, M) written out."""
    W, D = (torch.randn(M, E, n, m, device=device) * (2 / (m * (n + E))) ** 0.5 for _ in range(2))
    b, G = (torch.randn(M, E, n, device=device) * (2 / (n + E)) ** 0.5 for _ in range(2))
    b = torch.zeros_like(b) if shape.zero_bias else b
    if WRITTEN:
        return tuple(parameter.movedim(0, -1).contiguous() for parameter in (W, b, G))
    W, D = (weights.transpose(1, 2).reshape(M, n, E * m).contiguous() for weights in (W, D))
    return (W, b, G) if shape.tied else (W, b, G, D)


def hashed(key: Tensor, size: tuple[int, ...]) -> Tensor:
    """float32 in [0, 1): the hash of jax_sweep.py in int32, whose right shifts must be masked."""
    bits = torch.arange(n * M * B, dtype=torch.int32, device=device).view(size) + key
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - (1 << 32))):
        bits = (bits ^ ((bits >> shift) & ((1 << (32 - shift)) - 1))) * factor
    return ((bits >> 8) & 0xFFFFFF).to(torch.float32) * 2.0**-24


def inputs_of(u: Tensor) -> Tensor:
    """Inputs of uniform numbers, features last where they are in groups: of a group the first number says whether it is
    present, and below the density is uniform again."""
    if shape.group_size == 1:
        return torch.where(u < density, u * (1 / density), 0.0)
    present = (u[..., :: shape.group_size] < density).repeat_interleave(shape.group_size, dim=-1)
    leads = torch.arange(n, device=device) % shape.group_size == 0
    return torch.where(present, torch.where(leads, u * (1 / density), u), 0.0)


def losses_of(parameters: Tensors, x: Tensor) -> Tensor:
    """(M,) or (), with a leading axis of models or without: loss `mean`, load balance included, of x (.., B, n)."""
    W, b, G = parameters[:3]
    D = W if shape.tied else parameters[3]
    h = x @ W
    h = torch.relu(h) if shape.hidden == "relu" else h
    bias = b[..., :1, :]
    balance = torch.zeros(x.shape[:-2], device=x.device)
    if E > 1:
        scores = x @ G.mT
        expert = scores.argmax(-1, keepdim=True)  # ties to the lower expert
        chosen = (expert == torch.arange(E, device=x.device)).to(x.dtype)  # vmap has no one_hot
        h = h * chosen.repeat_interleave(m, dim=-1)
        bias = chosen @ b
        if shape.load_balance:
            balance = shape.load_balance * E * (chosen.mean(-2) * scores.softmax(-1).mean(-2)).sum(-1)
    y = torch.relu(h @ D.mT + bias)
    return (importance * (x - y) ** 2).mean((-1, -2)) + balance


def slopes(parameters: Tensors, key: Tensor) -> tuple[Tensor, Tensors]:
    """Losses (M,) and gradient on a fresh batch."""
    size = (n, M, B) if WRITTEN else (M, B, n)
    u = hashed(key, size) if options.variant.endswith("-hash") else torch.rand(size, device=device)
    x = inputs_of(u)
    if WRITTEN:
        W, b, G = (parameter.unsqueeze(-1) for parameter in parameters)
        terms = written_out.terms(torch, shape, W, b, G, list(x.unbind()))
        losses, *gradient = written_out.gradient(torch, shape, [term.sum(-1) for term in terms])
        return losses, tuple(gradient)
    if options.variant == "vmap":
        slopes_of: Any = torch.func.vmap(torch.func.grad_and_value(losses_of))
        slope, losses = slopes_of(parameters, x)
        return losses, slope
    variables = tuple(p.detach().requires_grad_() for p in parameters)
    losses = losses_of(variables, x)
    found = torch.autograd.grad(losses.sum(), variables, allow_unused=True)
    return losses.detach(), tuple(
        torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)
    )


def one_step(parameters: Tensors, first: Tensors, second: Tensors, scalars: Tensors) -> Tensor:
    """AdamW in place; losses. scalars: the batch's key and the two bias corrections."""
    key, c1, c2 = scalars
    losses, gradient = slopes(parameters, key)
    with torch.no_grad():
        for p, a, s, g in zip(parameters, first, second, gradient, strict=True):
            a.mul_(task.BETA1).add_(g, alpha=1 - task.BETA1)
            s.mul_(task.BETA2).addcmul_(g, g, value=1 - task.BETA2)
            p.mul_(1 - task.LEARNING_RATE * task.WEIGHT_DECAY)
            p.sub_(task.LEARNING_RATE * (a / c1) / ((s / c2).sqrt() + task.EPSILON))
    return losses


def main() -> None:
    step = one_step
    if options.variant.startswith(("written", "compiled")):
        step = torch.compile(one_step, mode="reduce-overhead" if options.device == "cuda" else "default")
    parameters = initial()
    first, second = (tuple(torch.zeros_like(p) for p in parameters) for _ in range(2))
    times = torch.arange(1, options.steps + 1, dtype=torch.float64)
    c1, c2 = ((1 - beta**times).float().to(device) for beta in (task.BETA1, task.BETA2))

    def train(seed: int) -> list[float]:
        torch.manual_seed(seed)
        keys = torch.randint(-(2**31), 2**31, (options.steps,), dtype=torch.int64).to(torch.int32).to(device)
        for p, fresh in zip(parameters, initial(), strict=True):  # in place: CUDA graphs replay on the same memory
            p.copy_(fresh)
        for moment in (*first, *second):
            moment.zero_()
        for t in range(options.steps):
            losses = step(parameters, first, second, (keys[t], c1[t], c2[t]))
        answer: list[float] = losses.tolist()
        return answer

    name = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    task.serve({"torch": str(torch.__version__), "device": name}, train)


main()
