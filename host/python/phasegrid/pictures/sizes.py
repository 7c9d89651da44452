"""How wide pictures are: each has a width of its own, and can be made to fit a page."""

from __future__ import annotations

import math

from phasegrid.pictures.errors import InputError

COLUMN, TEXT = 3.25, 6.75  # inches: a page of ICML, as of most two-column proceedings
NARROW = 5.0  # inches: below, what stands beside each other stands below each other
LONGEST = 54.0  # inches: at 1200 dots an inch Matplotlib draws no longer side
Width = float | str | None


def inches(width: Width) -> float | None:
    """A width as asked for; None is a picture's own."""
    if width is None:
        return None
    if isinstance(width, str):
        named = {"column": COLUMN, "text": TEXT}
        if width in named:
            return named[width]
    elif not isinstance(width, bool) and isinstance(width, int | float) and math.isfinite(width) and width > 0:
        return float(width)
    raise InputError(f"width {width!r}: allowed are column, text and a number of inches above 0")


def fitted(width: float | None, own: float, least: float) -> float:
    """The width that a picture gets. Raises InputError where it cannot be as narrow as `least`, all in inches."""
    if width is not None and width < least - 1e-9:
        raise InputError(f"width {width:g} inches: this picture needs at least {math.ceil(100 * least) / 100:g}")
    return own if width is None else width


def check_size(width: float, height: float) -> None:
    if max(width, height) > LONGEST:
        raise InputError(f"the picture would be {width:.0f} x {height:.0f} inches; at most {LONGEST:g} fit")
