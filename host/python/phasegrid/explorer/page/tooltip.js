// The tooltip of a diagram: beside the panel that it speaks of, never on it, and gone once a cell is chosen.

const TOOLTIP_GAP = 10;

// Where a box of width x height may lie without covering `panel`, in a window: beside it, else below or above it; null
// where there is no room. near: the pointer.
const tooltipPlace = (panel, near, { width, height }, [wide, tall]) => {
  const along = (at, size, whole) => Math.max(4, Math.min(at, whole - size - 6));
  const top = along(near.y - height / 2, height, tall), left = along(near.x - width / 2, width, wide);
  const places = [
    { left: panel.right + TOOLTIP_GAP, top, fits: panel.right + TOOLTIP_GAP + width <= wide - 4 },
    { left: panel.left - TOOLTIP_GAP - width, top, fits: panel.left - TOOLTIP_GAP - width >= 4 },
    { left, top: panel.bottom + TOOLTIP_GAP, fits: panel.bottom + TOOLTIP_GAP + height <= tall - 4 },
    { left, top: panel.top - TOOLTIP_GAP - height, fits: panel.top - TOOLTIP_GAP - height >= 4 },
  ];
  return places.find((place) => place.fits) ?? null;
};

// The panel under the pointer, in the window.
const panelBox = (div, { xaxis, yaxis }) => {
  const { left, top } = div.querySelector("svg.main-svg").getBoundingClientRect();
  const x = left + xaxis._offset, y = top + yaxis._offset;
  return { left: x, right: x + xaxis._length, top: y, bottom: y + yaxis._length };
};

// Without room for all of a cell, the tooltip says its settings and losses; without room for those, nothing: the cell is
// described below once it is chosen.
const showTooltip = (tooltip, results, cell, panel, near) => {
  const window = [document.documentElement.clientWidth, innerHeight];
  for (const parts of [describeCell(results, cell, false), [facts(cellPairs(results, cell))]]) {
    tooltip.replaceChildren(...parts);
    Object.assign(tooltip.style, { left: "0", top: "0" });
    tooltip.hidden = false;
    const place = tooltipPlace(panel, near, tooltip.getBoundingClientRect(), window);
    if (place) {
      Object.assign(tooltip.style, { left: `${place.left}px`, top: `${place.top}px` });
      return;
    }
  }
  tooltip.hidden = true;
};
