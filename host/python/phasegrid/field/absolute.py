"""The absolute-value model: computing |x| with two hidden units a feature, or fewer in superposition."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from phasegrid.field.base import SAFE, Claim, Trained, Work, of_share, over_seeds, verdict
from phasegrid.field.drawing import band, legend_of, log_ticks, plain, sheet
from phasegrid.pictures.measures import Array
from phasegrid.pictures.style import bare

SWEEPS = ("absolute_n3_m6", "absolute_n20_m8")
PROBE, RIGHT = 0.8, 0.2  # a feature counts as computed when +-PROBE alone gives PROBE, within that share


def two_units_each(p: Array, importance: Array, m: int) -> Array:
    """The mean loss (S) of a model without superposition: the m / 2 most important features are exact, with a unit for
    each sign; of the others it gives the best constant, which leaves p/3 - p^2/4 of |x|, uniform in [0, 1) where
    there."""
    rest = np.sort(importance)[::-1][m // 2 :].sum()
    return np.asarray(rest * (p / 3 - p**2 / 4) / len(importance))


def computed(encoder: Array, decoder: Array, biases: Array) -> Array:
    """(.., n): whether |x_i| comes out when feature i alone is PROBE or -PROBE."""
    right = np.ones(encoder.shape[:-1], bool)
    for sign in (1, -1):
        hidden = np.maximum(sign * PROBE * encoder, 0)
        output = np.maximum((hidden * decoder).sum(axis=-1) + biases, 0)
        right &= np.abs(output - PROBE) <= RIGHT * PROBE
    return right


def loaded(trained: Trained, name: str) -> tuple[Array, Array, tuple[Array, Array, Array]]:
    """p (S), losses (S, seeds), and encoder, decoder (S, seeds, n, m) and biases (S, seeds, n)."""
    models = tuple(
        trained.grid(name, key, "sparsity")[:, :, 0] for key in ("expert_weights", "decoder_weights", "biases")
    )
    losses = trained.grid(name, "reconstruction_losses", "sparsity")
    return 1 - trained.axis(name, "sparsity"), losses, (models[0], models[1], models[2])


def importances(trained: Trained, name: str, n: int) -> Array:
    """As the sweep has them: 1, or ratio^i."""
    rule = trained.open(name).config.get("data", {}).get("importance", "uniform")
    if isinstance(rule, list):
        return np.asarray(rule, np.float64)
    return np.asarray(float(rule["geometric"]) ** np.arange(n) if isinstance(rule, dict) else np.ones(n))


def values(trained: Trained) -> list[Claim]:
    _, losses, _ = loaded(trained, SWEEPS[0])
    claims = [
        of_share(
            "n = 3, m = 6: two units a feature compute |x| exactly",
            "calculated",
            "loss 0",
            np.asarray(losses <= 1e-4),
            0.9,
            "seeds of all sparsities with a mean loss up to 1e-4, a thousandth of a constant's; 9 in 10 were asked for",
        )
    ]
    p, losses, (encoder, decoder, biases) = loaded(trained, SWEEPS[1])
    n, m = encoder.shape[-2:]
    bound = two_units_each(p, importances(trained, SWEEPS[1], n), m)
    known = computed(encoder, decoder, biases).sum(axis=-1)
    dense = int(np.argmax(p))
    found = over_seeds(losses[dense])
    claims.append(
        Claim(
            f"n = {n}, m = {m}, p = {p[dense]:g}: no superposition, the four most important features alone",
            "calculated",
            float(bound[dense]),
            found.value,
            found.text(),
            found.count,
            verdict(found.holds(float(bound[dense]), 0.02)),
            "loss of two units for each of m / 2 features and the best constant for the others; within 2 %",
        )
    )
    sparse = int(np.argmin(np.abs(p - 0.1)))
    found = over_seeds(losses[sparse] / bound[sparse])
    claims.append(
        Claim(
            f"n = {n}, m = {m}, p = {p[sparse]:.3g}: superposition computes better than any model without",
            "published",
            "below 1",
            found.value,
            found.text(),
            found.count,
            verdict(found.high < 1),
            "loss over the calculated one without superposition",
        )
    )
    found = over_seeds(known[sparse].astype(np.float64))
    claims.append(
        Claim(
            f"n = {n}, m = {m}, p = {p[sparse]:.3g}: features computed by {m} units",
            "published",
            f"more than {m // 2}",
            found.value,
            found.text(),
            found.count,
            verdict(found.low > m // 2),
            f"those whose value alone, {PROBE} or -{PROBE}, gives {PROBE} within {100 * RIGHT:.0f} %",
        )
    )
    return claims


def draw(trained: Trained) -> Figure:
    """Loss over p beside the calculated one, features computed over p, and the encoders of a dense and a sparse
    model."""
    p, losses, (encoder, decoder, biases) = loaded(trained, SWEEPS[1])
    n, m = encoder.shape[-2:]
    bound = two_units_each(p, importances(trained, SWEEPS[1], n), m)
    figure, grid = sheet(1, 4, 1.75, 2.1)
    left, middle, *units = grid[0]
    band(left, 1 / p, losses / bound[:, None], SAFE.series[0], "o", "trained")
    words = "without superposition: two units a feature, exact"
    left.axhline(1, color=SAFE.series[3], linestyle="--", linewidth=1.1, label=words)
    plain(left, xlabel="1 / p", title="relative loss", ylim=(0, None))
    known = computed(encoder, decoder, biases).sum(axis=-1).astype(np.float64)
    band(middle, 1 / p, known, SAFE.series[0], "o", "trained")
    middle.axhline(m // 2, color=SAFE.series[3], linestyle="--", linewidth=1.1)
    plain(middle, xlabel="1 / p", title="features computed", ylim=(0, None))
    for axes in (left, middle):
        log_ticks(axes, [1, 3, 10, 30])
    for axes, density in zip(units, (1.0, 0.1), strict=True):
        cell = int(np.argmin(np.abs(p - density)))
        best = int(np.argmin(losses[cell]))
        axes.imshow(encoder[cell, best], vmin=-1.5, vmax=1.5, cmap=SAFE.signed, aspect="auto", interpolation="nearest")
        axes.set(xlabel="hidden unit", xticks=[], title=f"W, p = {p[cell]:.2g}")
        axes.set_yticks([0, n - 1], ["1", str(n)])
        bare(axes)
    units[0].set_ylabel("feature")
    legend_of(figure, left)
    return figure


WORK = Work(
    "absolute",
    "Computing absolute values in superposition",
    "Elhage et al. 2022, Toy Models of Superposition, on computation",
    "A layer of ReLU units is to give |x| of every feature. One unit for each sign does it exactly. With too few units "
    "and sparse features, models compute more absolute values than they have pairs of units, with a little "
    "interference.",
    SWEEPS,
    values,
    draw,
)
