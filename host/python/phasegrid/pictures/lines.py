"""Figures 3 and 7, features per dimension and loss over the density of features; and curves over any axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, LogLocator, NullLocator

from phasegrid.pictures.diagrams import FRAME, QUIET
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array
from phasegrid.pictures.reports import Entry, Report
from phasegrid.pictures.scales import Scale
from phasegrid.pictures.sizes import NARROW, fitted
from phasegrid.pictures.style import (
    MARKERS,
    Palette,
    bare,
    constrained,
    grid_lines,
    key_line,
    legend_above,
    note_preset,
    open_marker,
    sd_label,
)

SCORE_LABELS = {
    "paper": r"score $\Sigma_{j\neq n}(\hat{W}_n\!\cdot\! W_j)^2$",
    "authors": r"score $\Sigma_j(\hat{W}_n\!\cdot\! W_j)^2$",
}
BAND = 0.25  # opacity
LEAST_WIDTH = 3.0  # inches
LOG_FROM = 30  # times the first value, that the last one is on a logarithmic axis
MOST_COUNTS = 12  # values that an axis of counts names
LINE = 1.4
Handle = Artist | tuple[Artist, ...]


@dataclass(frozen=True)
class Curve:
    """One architecture over the inverse densities; NaN where there is no value."""

    label: str
    ours: Array
    sd: Array
    published_at: Array
    published: Array

    @property
    def has_published(self) -> bool:
        return bool(np.isfinite(self.published).any())


def read_density(picture: Entry) -> Array:
    density = picture["inverse_density"].numbers(None)
    if (density <= 0).any() or (np.diff(density) <= 0).any():
        raise InputError(f"{picture.place}.inverse_density must rise, and lie above 0")
    return density


def read_series(picture: Entry, most: int) -> list[Entry]:
    series = picture["series"].entries()
    if len(series) > most:
        raise InputError(f"{picture.place}.series holds {len(series)} series; at most {most} can be told apart")
    return series


def check_drawable(curves: Sequence[Curve], place: str) -> None:
    if not any(np.isfinite(curve.ours).any() for curve in curves):
        raise InputError(f"{place} holds no number of ours but nulls: there is nothing to draw")


def density_axis(axes: Axes, density: Array) -> None:
    axes.set_xscale("log")
    room = max((density[-1] / density[0]) ** 0.025, 1.01)
    axes.set_xlim(density[0] / room, density[-1] * room)
    few = density[-1] / density[0] > 30
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if few else (1, 1.5, 2, 3, 5, 7), numticks=20))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("inverse feature density $1/(1-S)$")
    grid_lines(axes)
    bare(axes)


def without_neighbours(values: Array) -> list[int]:
    """Where a value stands between missing ones, so that no line would show it."""
    known = np.pad(np.isfinite(values), 1)
    return np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:]).tolist()


def draw_curves(axes: Axes, density: Array, curves: Sequence[Curve], palette: Palette, size: float) -> None:
    """All lines, then all published values, so that none hides another's."""
    for curve, colour in zip(curves, palette.series, strict=False):
        axes.fill_between(density, curve.ours - curve.sd, curve.ours + curve.sd, color=colour, alpha=BAND, linewidth=0)
        alone = without_neighbours(curve.ours)
        axes.plot(density, curve.ours, color=colour, linewidth=LINE, marker=".", markersize=6, markevery=alone)
    for curve, colour, marker in zip(curves, palette.series, MARKERS, strict=False):
        if not curve.has_published:
            continue  # Matplotlib would reserve room for an empty line at the corner of the page
        axes.plot(curve.published_at, curve.published, zorder=3, clip_on=False, **open_marker(marker, colour, size))


def legend_entries(
    report: Report, curves: Sequence[Curve], palette: Palette, published: str
) -> tuple[list[tuple[Handle, str]], list[tuple[Handle, str]]]:
    """(the architectures, what lines, bands and dots are)."""
    names: list[tuple[Handle, str]] = []
    for curve, colour, marker in zip(curves, palette.series, MARKERS, strict=False):
        line = Line2D([], [], color=colour, linewidth=LINE)
        dots = Line2D([], [], **open_marker(marker, colour))
        names.append(((line, dots) if curve.has_published else line, curve.label))
    known = any(curve.has_published for curve in curves)
    band = Patch(color=QUIET, alpha=BAND, linewidth=0)
    keys: list[tuple[Handle, str]] = [
        ((band, key_line(linewidth=LINE)), ("ours: " if known else "") + sd_label(report))
    ]
    if known:
        keys.append((Line2D([], [], **open_marker("o", QUIET)), published))
    return names, keys


def one_panel(page: float | None) -> tuple[Figure, Axes]:
    figure = constrained(fitted(page, own=5.6, least=LEAST_WIDTH), 3.9, w_pad=0.06, h_pad=0.05)
    return figure, figure.subplots()


def draw_fig3(report: Report, palette: Palette, page: float | None) -> Figure:
    """Features per dimension with the authors' factor 1/k, and beside it without where that differs."""
    picture = report.picture
    density = read_density(picture)
    n = len(density)
    curves: list[Curve] = []
    without: list[Array] = []
    differs = False
    for entry in read_series(picture, len(palette.series)):
        mean, sd = entry["mean"].numbers(n, nulls=True), entry["sd"].numbers(n, nulls=True, least=0)
        theirs = entry["published"].numbers(n, nulls=True) if entry.has("published") else np.empty(0)
        curves.append(Curve(entry["label"].text(), mean, sd, density if len(theirs) else theirs, theirs))
        without.append(entry["mean_without_1_k"].numbers(n, nulls=True))
        differs = entry["without_1_k_differs"].flag() or differs
    check_drawable(curves, f"{picture.place}.series")

    width = fitted(page, own=7.2 if differs else 4.8, least=LEAST_WIDTH)
    stacked = page is not None and differs and width < NARROW
    figure = constrained(width, 6.2 if stacked else 3.9, w_pad=0.06, h_pad=0.05, wspace=0.03)
    panels = (
        [figure.subplots()]
        if not differs
        else (figure.subplots(2, 1) if stacked else figure.subplots(1, 2, width_ratios=(1.75, 1)))
    )
    for axes in panels:
        density_axis(axes, density)
        axes.axhline(1, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    draw_curves(panels[0], density, curves, palette, size=3.5)
    panels[0].set_ylabel("features per dimension")
    panels[0].set_ylim(bottom=min(0.5, panels[0].get_ylim()[0]))
    if differs:
        panels[0].set_title(r"as published: $\frac{1}{k}\,\Sigma_e\, p_e \|W^e\|_F^2 / m$", fontsize=8)
        panels[1].set_title("without the factor $1/k$", fontsize=8)
        for values, colour, marker in zip(without, palette.series, MARKERS, strict=False):
            some = list(range(n - 1, -1, -max(1, n // 8)))
            panels[1].plot(density, values, color=colour, linewidth=LINE, marker=marker, markersize=3.2, markevery=some)
        panels[1].set_ylim(bottom=min(0.5, panels[1].get_ylim()[0]))
    names, keys = legend_entries(report, curves, palette, "published: one run")
    keys.append((key_line(linewidth=0.9, linestyle=(0, (4, 3))), "1: monosemantic"))
    legend_above(figure, names, keys)
    note_preset(figure, report)
    return figure


def draw_fig7(report: Report, palette: Palette, page: float | None) -> Figure:
    """Natural logarithm of the loss."""
    picture = report.picture
    density = read_density(picture)
    n = len(density)
    curves: list[Curve] = []
    for entry in read_series(picture, len(palette.series)):
        at = theirs = np.empty(0)
        if entry.has("published"):
            at = entry["published"]["inverse_density"].numbers(None)
            theirs = entry["published"]["log_loss"].numbers(len(at), nulls=True)
            if (at <= 0).any():
                raise InputError(f"{entry.place}.published.inverse_density must lie above 0")
        loss, sd = entry["log_loss"].numbers(n, nulls=True), entry["sd"].numbers(n, nulls=True, least=0)
        inside = (at >= density[0] * (1 - 1e-6)) & (at <= density[-1] * (1 + 1e-6))
        curves.append(Curve(entry["label"].text(), loss, sd, at[inside], theirs[inside]))
    check_drawable(curves, f"{picture.place}.series")

    figure, axes = one_panel(page)
    density_axis(axes, density)
    draw_curves(axes, density, curves, palette, size=4.5)
    axes.set_ylabel("natural log of the mean reconstruction loss")
    legend_above(figure, *legend_entries(report, curves, palette, "published: read off, ± 0.02"))
    note_preset(figure, report)
    return figure


def scale_of(axes: Axes, at: Array, picture: Entry) -> None:
    """Logarithmic where the values are evenly spaced there, or far apart; an axis of counts names these."""
    if Scale("x", at).kind == "log" or (at[0] > 0 and at[-1] / at[0] >= LOG_FROM):
        axes.set_xscale("log")
    if picture.has("counts") and picture["counts"].flag():
        named = at[:: -(-len(at) // MOST_COUNTS)]
        axes.xaxis.set_major_locator(FixedLocator(named.tolist()))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{value:g}" for value in named]))
        axes.xaxis.set_minor_locator(NullLocator())


def draw_phase_lines(report: Report, palette: Palette, page: float | None) -> Figure:
    """The last feature's norm, and below it its score, over an axis: a curve an expert, hollow where it is starved."""
    picture = report.picture
    at = picture["at"].numbers(None)
    fields = picture["fields"].entries()
    score = picture["score"].text()
    figure = constrained(fitted(page, own=5.6, least=LEAST_WIDTH), 4.6, w_pad=0.06, h_pad=0.05)
    panels = figure.subplots(len(fields), 1, sharex=True, squeeze=False)[:, 0]
    hungry = False
    for axes, field in zip(panels, fields, strict=True):
        curves: list[Curve] = []
        for entry in read_series(field, len(palette.series)):
            mean, sd = (entry[key].numbers(len(at), nulls=True) for key in ("mean", "sd"))
            few = entry["starved"].numbers(len(at)) > 0
            # A starved stretch is drawn as published values are: hollow, here in the curve's own place.
            curves.append(Curve(entry["label"].text(), mean, sd, at, np.where(few, mean, np.nan)))
            hungry = hungry or bool((few & np.isfinite(mean)).any())
        check_drawable(curves, f"{field.place}.series")
        draw_curves(axes, at, curves, palette, size=4.5)
        axes.set_ylabel(r"norm $\|W_n\|$" if field["measure"].text() == "norm" else SCORE_LABELS[score])
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        grid_lines(axes)
        bare(axes)
    scale_of(panels[-1], at, picture)
    panels[-1].set_xlabel(picture["x"].text())
    panels[0].set_title("the last feature $n$: " + picture["title"].text(), fontsize=8)
    plain = [Curve(curve.label, curve.ours, curve.sd, np.empty(0), np.empty(0)) for curve in curves]
    names, keys = legend_entries(report, plain, palette, "")
    keys = keys if report.seeds else []
    if hungry:
        hollow = Line2D([], [], **open_marker("o", QUIET))
        keys.append((hollow, "hollow: the expert gets under 1 % of non-zero inputs"))
    legend_above(figure, names, *([keys] if keys else []))
    return figure


def draw_lines(report: Report, palette: Palette, page: float | None) -> Figure:
    """A measure over any axis."""
    picture = report.picture
    at = picture["at"].numbers(None)
    n = len(at)
    curves = [
        Curve(
            entry["label"].text(),
            entry["mean"].numbers(n, nulls=True),
            entry["sd"].numbers(n, nulls=True, least=0),
            np.empty(0),
            np.empty(0),
        )
        for entry in read_series(picture, len(palette.series))
    ]
    check_drawable(curves, f"{picture.place}.series")
    figure, axes = one_panel(page)
    scale_of(axes, at, picture)
    axes.set_xlabel(picture["x"].text())
    axes.set_ylabel(picture["y"].text())
    grid_lines(axes)
    bare(axes)
    draw_curves(axes, at, curves, palette, size=4.5)
    names, keys = legend_entries(report, curves, palette, "")
    legend_above(figure, names, *([keys] if report.seeds else []))
    return figure


def draw_training(report: Report, palette: Palette, page: float | None) -> Figure:
    """The losses of every restart of a cell over the steps, the kept one in front."""
    picture = report.picture
    steps = picture["steps"].numbers(None)
    losses = picture["losses"].numbers(None, len(steps), nulls=True)
    kept = picture["kept"].whole(-1, len(losses) - 1)
    if not (losses > 0).any():
        raise InputError("no snapshot holds a loss above 0: there is nothing to draw")
    figure, axes = one_panel(page)
    handles: list[tuple[Handle, str]] = []
    others = losses[np.arange(len(losses)) != kept]
    if len(others):
        axes.plot(steps, others.T, color=FRAME, linewidth=0.8, alpha=0.7)
        handles.append((Line2D([], [], color=FRAME, linewidth=0.8), "other restarts"))
    if kept >= 0:
        axes.plot(steps, losses[kept], color=palette.series[0], linewidth=LINE, marker=".", markersize=5)
        handles.insert(0, (Line2D([], [], color=palette.series[0], linewidth=LINE), f"kept: restart {kept + 1}"))
    axes.set_yscale("log")
    axes.set(xlabel="steps", ylabel="reconstruction loss of the next batch", title=picture["title"].text())
    axes.title.set_fontsize(8)
    grid_lines(axes)
    bare(axes)
    legend_above(figure, *([handle] for handle in handles))
    return figure
