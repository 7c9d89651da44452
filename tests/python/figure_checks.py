"""What every figure is held to."""

from __future__ import annotations

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from phasegrid.pictures import diagrams


def checked(figure: Figure) -> Figure:
    """Nothing that is drawn lies outside, and no two titles, names of panels or legend texts cover each other."""
    canvas = FigureCanvasAgg(figure)
    with diagrams.style():
        canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    assert box is not None
    over = (-box.x0, -box.y0, box.x1 - figure.get_figwidth(), box.y1 - figure.get_figheight())
    assert max(over) < 0.02, over
    parts = [text for text in figure.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in parts]
    for i, j in itertools.combinations(range(len(boxes)), 2):
        assert not boxes[i].overlaps(boxes[j]), (parts[i].get_text(), parts[j].get_text())
    return figure
