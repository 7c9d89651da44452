// The phase diagram of one results: a panel an expert, a cell a setting.

// Numbers of every panel: {e, values [row][column]}, or for phases {e, norm, score}; null where there is none, as where the
// cell's model has no such expert. Where the expert may be starved, {.., starved [row][column]}.
const panelsOf = (results) => {
  const { perExpert, of } = QUANTITIES[state.quantity], cells = gridOf(results);
  const snapshot = snapshotOf(results), feature = featureOf(results), { n } = results;
  return Array.from({ length: perExpert ? results.E : 1 }, (_, e) => {
    const table = (value) => cells.map((row) => row.map((cell) => {
      const { E, m } = results.shapeOf(cell), number = e < E && results.trained(cell, snapshot) ? value(cell, m) : null;
      return typeof number === "number" && !Number.isFinite(number) ? null : number;
    }));
    return {
      e,
      ...(tellsStarved(results) ? { starved: table((cell) => starved(results, cell, e, snapshot)) } : {}),
      ...(state.quantity === "phase" ? {
        norm: table((cell, m) => featureNorm(results.expert(cell, e, snapshot), n, m, feature)),
        score: table((cell, m) => score(results.expert(cell, e, snapshot), n, m, feature, state.score)),
      } : { values: table((cell) => of(results, cell, e, feature, snapshot)) }),
    };
  });
};

const extremes = (tables) => {
  let low = Infinity, high = -Infinity;
  for (const row of tables.flat()) {
    for (const value of row) {
      if (value === null || Number.isNaN(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low > high ? [0, 1] : [low, high];
};

// Scales of the panels of all shown results: {norm, score} largest, or [low, high]; one for all where shared.
const scalesOf = (panels) => {
  if (state.quantity === "phase") {
    const largest = (list) => ({
      norm: extremes(list.map((panel) => panel.norm))[1], score: extremes(list.map((panel) => panel.score))[1],
    });
    const common = state.shared ? largest(panels) : null;
    return (panel) => common ?? largest([panel]);
  }
  const range = (list) => {
    const [low, high] = extremes(list.map((panel) => panel.values));
    return QUANTITIES[state.quantity].range?.(low, high) ?? [low, high];
  };
  const common = state.shared ? range(panels) : null;
  return (panel) => common ?? range([panel]);
};

// Colours [row][column] of a panel, [r, g, b].
const coloursOf = (panel, scale) => {
  const colours = palette(state);
  const shade = (colour, r, c) => panel.starved?.[r][c] ? faded(colour) : colour;
  if (state.quantity === "phase") {
    const relative = (value, largest) => largest > 0 ? value / largest : 0;
    return panel.norm.map((row, r) => row.map((norm, c) => norm === null ? GAP :
      shade(phaseColour(relative(norm, scale.norm), relative(panel.score[r][c], scale.score), colours.phases), r, c)));
  }
  const [low, high] = scale;
  return panel.values.map((row, r) => row.map((value, c) => value === null ? GAP :
    shade(onRamp(colours.ramp, high > low ? (value - low) / (high - low) : 0), r, c)));
};

// Lines across the starved cells, as one trace: those of x + y = a multiple of a few pixels, so that they run on from cell
// to cell. wide, tall: of the panel, pixels.
const HATCH = 7;
const hatching = (starvedCells, wide, tall) => {
  const w = wide / starvedCells[0].length, h = tall / starvedCells.length, x = [], y = [];
  starvedCells.forEach((row, r) => row.forEach((is, c) => {
    if (!is) return;
    const left = c * w, top = r * h;
    for (let at = Math.ceil((left + top) / HATCH) * HATCH; at < left + w + top + h; at += HATCH) {
      const from = Math.max(left, at - top - h), to = Math.min(left + w, at - top);
      x.push(from / w - 0.5, to / w - 0.5, null);
      y.push((at - from) / h - 0.5, (at - to) / h - 0.5, null);
    }
  }));
  return x.length ? { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", line: { color: "#5c6470", width: 1 } } : null;
};

const cursorShapes = (results, count) => {
  const line = lineOf(results);
  if (line) return lineCursor(results, line, count);
  const { column, row } = placeOf(results);
  const box = (i, width, color) => ({
    type: "rect", xref: axisRef("x", i), yref: axisRef("y", i), x0: column - 0.5, x1: column + 0.5, y0: row - 0.5,
    y1: row + 0.5, line: { width, color }, layer: "above",
  });
  return Array.from({ length: count }, (_, i) => [box(i, 4.5, "#fff"), box(i, 2, "#000")]).flat();
};

const drawDiagram = (div, results, panels, scaleOf) => {
  const lacking = QUANTITIES[state.quantity].lacking?.(results);
  if (lacking) return say(div, `Nothing to draw: ${lacking}.`);
  const line = lineOf(results);
  if (line) return drawLine(div, results, line, panels, scaleOf);
  // An axis that these results do not have is one cell long, and nothing is said of it.
  const [xAxis, yAxis] = [results.dimension(state.x), state.y && results.dimension(state.y)];
  const xValues = xAxis?.values ?? [null], yValues = yAxis?.values ?? [null];
  const columns = xValues.length, rows = yValues.length, single = columns * rows === 1;
  const scalar = state.quantity !== "phase", ownScales = scalar && !state.shared && panels.length > 1;
  const label = widestLabel(yValues), last = textWidth(short(xValues.at(-1)));
  const grid = panelGrid(div.clientWidth, panels.length, {
    least: 96, most: single ? 200 : 640, columns: 5, aspect: 1.2, tallest: Math.max(56, Math.min(290, 34 * rows)),
    gapX: Math.max(14, last + 8), gapY: ownScales ? 68 : 52,
    margin: { l: rows > 1 ? Math.ceil(label) + 36 : 14, b: columns > 1 ? 46 : 10, t: ownScales ? 42 : 26,
      r: scalar && !ownScales ? 72 : Math.max(8, last / 2) },
  });
  const layout = { ...baseLayout(grid), shapes: cursorShapes(results, panels.length) }, hatches = [];
  const traces = panels.map((panel, i) => {
    const domain = grid.domain(i), told = rows > 1 && domain.first, axes = { xaxis: axisRef("x", i), yaxis: axisRef("y", i) };
    layout[axisKey("x", i)] = {
      ...indexAxis(xValues, grid.wide > 170 ? 8 : 4, grid.wide / columns, roomAcross), domain: domain.x,
      anchor: axisRef("y", i), range: [-0.5, columns - 0.5], constrain: "domain",
      ...(columns > 1 ? {} : { showticklabels: false, ticks: "" }),
      title: columns > 1 && domain.last ? { text: words(state.x), standoff: 4 } : undefined,
    };
    layout[axisKey("y", i)] = {
      ...indexAxis(yValues, grid.tall > 120 ? 6 : 4, grid.tall / rows, roomDown),
      domain: domain.y, anchor: axisRef("x", i), range: [rows - 0.5, -0.5], scaleanchor: false,
      showticklabels: told, ticks: rows > 1 ? "outside" : "",
      title: told ? { text: words(state.y), standoff: 6 } : undefined,
    };
    if (QUANTITIES[state.quantity].perExpert) {
      layout.annotations.push(panelTitle(grid, i, expertTitle(results, panel.e)));
    }
    const hatch = panel.starved && hatching(panel.starved, grid.wide, grid.tall);
    if (hatch) hatches.push({ ...hatch, ...axes });
    return { type: "image", z: coloursOf(panel, scaleOf(panel)), colormodel: "rgb", hoverinfo: "none", ...axes };
  });
  traces.push(...hatches);
  if (ownScales) {  // every panel has a scale of its own: said above it
    panels.forEach((panel, i) => {
      const [least, most] = scaleOf(panel);
      layout.annotations[i].text += `<br><span style="color:${QUIET}">${short(least)} to ${short(most)}</span>`;
      layout.annotations[i].align = "left";
    });
  } else if (scalar) {
    const [low, high] = scaleOf(panels.at(-1));
    traces.push(colourBar(grid.inner, low, high > low ? high : low + 1, palette(state).ramp));
  }
  return plot(div, traces, layout);
};
