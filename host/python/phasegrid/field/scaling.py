"""Liu et al.: the loss against the number of hidden units, for weak and strong superposition."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from phasegrid.field.base import SAFE, Claim, Trained, Work, over_seeds, verdict
from phasegrid.field.drawing import legend_of, plain, sheet
from phasegrid.pictures.measures import Array
from phasegrid.pictures.style import MARKERS

POWERS = (0.8, 1.2)
SWEEPS = tuple(f"scaling_{kind}_{int(10 * power):02d}" for power in POWERS for kind in ("weak", "strong"))
STRONG = 0.25  # of the exponent 1 under strong superposition, that is allowed
WEAK = 0.15  # of the calculated exponent under weak superposition


def densities(power: float, n: int) -> Array:
    """p_i = min(1, c i^-power), so that they sum to 1: from a power of a few on p_1 reaches 1 for none of ours."""
    p = np.arange(1, n + 1) ** -power
    return np.asarray(p / p.sum())


def left_out(p: Array, m: Array) -> Array:
    """(M): the summed loss of a model that has the m most frequent features exactly and of the others their best
    constant. Values are uniform in [0, 2): E x^2 = 4 p / 3 and E x = p."""
    each = 4 * p / 3 - p**2
    return np.array([each[int(count) :].sum() for count in m])


def exponents(m: Array, losses: Array) -> Array:
    """(seeds): minus the slope of log loss (M, seeds) over log m."""
    return np.asarray(-np.polyfit(np.log(m), np.log(losses), 1)[0])


def loaded(trained: Trained, name: str) -> tuple[Array, Array, Array]:
    """m (M), losses (M, seeds), and the share of features whose norm is at least 1/2 (M, seeds)."""
    weights = np.nan_to_num(trained.grid(name, "expert_weights", "n_hidden")[:, :, 0])
    there = (np.linalg.norm(weights, axis=-1) >= 0.5).mean(axis=-1)
    return trained.axis(name, "n_hidden"), trained.grid(name, "reconstruction_losses", "n_hidden"), there


def features(trained: Trained) -> int:
    return int(np.shape(trained.open(SWEEPS[0]).arrays["expert_weights"])[-2])


def values(trained: Trained) -> list[Claim]:
    claims = []
    for power in POWERS:
        stem = f"{int(10 * power):02d}"
        m, losses, there = loaded(trained, f"scaling_strong_{stem}")
        steps = -np.diff(np.log(losses).mean(axis=1)) / np.diff(np.log(m))
        found = over_seeds(exponents(m, losses))
        claims.append(
            Claim(
                f"strong superposition, frequencies i^-{power:g}: the loss falls as m^-a, a =",
                "published",
                1.0,
                found.value,
                found.text(),
                found.count,
                verdict(found.holds(1.0, STRONG)),
                f"slope of log loss over log m = {m[0]:.0f} .. {m[-1]:.0f} of {features(trained)} features, in each "
                f"seed; within {STRONG:g}. The share of features represented rises from {100 * there[0].mean():.0f} to "
                f"{100 * there[-1].mean():.0f} % over these m. "
                f"Between neighbouring m the slope goes from {steps[0]:.2f} to {steps[-1]:.2f}: no single power law",
            )
        )
        m, losses, there = loaded(trained, f"scaling_weak_{stem}")
        expected = float(exponents(m, left_out(densities(power, features(trained)), m)[:, None])[0])
        found = over_seeds(exponents(m, losses))
        claims.append(
            Claim(
                f"weak superposition, frequencies i^-{power:g}: the loss falls as that of the features left out, a =",
                "calculated",
                expected,
                found.value,
                found.text(),
                found.count,
                verdict(abs(found.value - expected) <= WEAK),
                f"the same slope of the loss of a model that has the m most frequent features exactly; within {WEAK:g}",
            )
        )
    pairs = [
        [loaded(trained, f"scaling_{kind}_{int(10 * power):02d}") for kind in ("weak", "strong")] for power in POWERS
    ]
    steeper = np.concatenate([exponents(s[0], s[1]) - exponents(w[0], w[1]) for w, s in pairs])
    found = over_seeds(steeper)
    claims.append(
        Claim(
            "strong superposition scales better than weak: difference of the exponents",
            "published",
            "above 0",
            found.value,
            found.text(),
            found.count,
            verdict(found.low > 0),
            "seed by seed, of both frequency laws",
        )
    )
    return claims


def draw(trained: Trained) -> Figure:
    """Log-log: the losses of every seed, fits of their means, and the calculated loss of the features left out."""
    figure, grid = sheet(1, len(POWERS), 3.1, 2.6)
    for axes, power in zip(grid[0], POWERS, strict=True):
        for at, kind in enumerate(("weak", "strong")):
            m, losses, _ = loaded(trained, f"scaling_{kind}_{int(10 * power):02d}")
            colour, marker = SAFE.series[(3, 0)[at]], MARKERS[at]
            axes.plot(m, losses, marker, color=colour, markersize=2.6, alpha=0.45, linestyle="none", markeredgewidth=0)
            mean = np.log(losses).mean(axis=1)
            slope, level = np.polyfit(np.log(m), mean, 1)
            axes.plot(m, np.exp(slope * np.log(m) + level), color=colour, linewidth=1.3, label=f"{kind}, fit")
            axes.text(m[-1], np.exp(mean[-1]), f" $m^{{{slope:.2f}}}$", color=colour, fontsize=7, va="center")
        tail = left_out(densities(power, features(trained)), m)
        axes.plot(m, tail, color=SAFE.series[7], linestyle=":", linewidth=1.2, label="features left out (calc)")
        plain(axes, xscale="log", yscale="log", xlabel="hidden units m", title=f"frequencies $i^{{-{power:g}}}$")
        axes.set_xlim(m[0] * 0.85, m[-1] * 1.6)
        axes.set_xticks(m, [f"{value:.0f}" for value in m])
        axes.minorticks_off()
    grid[0, 0].set_ylabel("loss of a sample")
    legend_of(figure, grid[0, 0])
    return figure


WORK = Work(
    "scaling",
    "Superposition and neural scaling",
    "Liu et al. 2025, Superposition Yields Robust Neural Scaling",
    "Where features come with power-law frequencies, how does the loss fall with the number of hidden units? Weight "
    "decay decides: where it leaves out rare features, the loss is that of what is left out; where it pulls all "
    "features up, the loss falls about as 1 / m, whatever the frequencies.",
    SWEEPS,
    values,
    draw,
)
