// A sweep over one axis: a quantity as a line with points over the axis' own scale, a panel an expert.

// {name, values, cells, positions, log} where one axis of the diagram varies in these results, else null. Positions are
// the values, or their logarithms where these are spaced more evenly.
const lineOf = (results) => {
  const cells = gridOf(results).flat();
  const long = [state.x, state.y].filter((name) => name && results.length(name) > 1);
  if (long.length !== 1) return null;
  const { values } = results.dimension(long[0]);
  const unevenness = (at) => {
    const gaps = at.slice(1).map((value, i) => value - at[i]);
    return Math.max(...gaps) / Math.min(...gaps);
  };
  const logs = values.map(Math.log10);
  const log = values[0] > 0 && (values.length > 2 ? unevenness(logs) < 0.999 * unevenness(values) : logs[1] - logs[0] >= 1);
  return { name: long[0], values, cells, positions: log ? logs : values, log };
};

// Of the first label on, those that do not touch the one before.
const lineTicks = ({ values, positions }, wide) => {
  const pixels = wide / (1.1 * (positions.at(-1) - positions[0])), ticks = [];
  const half = (i) => roomAcross(short(values[i])) / 2;
  values.forEach((_, i) => {
    const before = ticks.at(-1);
    if (before === undefined || (positions[i] - positions[before]) * pixels >= half(i) + half(before)) ticks.push(i);
  });
  return ticks;
};

// [lowest, highest] of the restarts of each cell, for the losses; null where the file has the kept ones alone.
const spreadOf = (results, cells) => {
  const kind = state.quantity.split("_loss")[0];
  if (!(kind in LOSSES) || !results.has(LOSSES[kind].every) || results.restarts < 2) return null;
  return cells.map((cell) => {
    const losses = results.losses(cell, snapshotOf(results), kind).filter(Number.isFinite);
    return losses.length ? [Math.min(...losses), Math.max(...losses)] : null;
  });
};

// The ends of the upright axis: those of the numbers, of their spread, and a little room.
const lineRange = (results, scale) => {
  const [low, high] = state.quantity === "phase" ? [0, Math.max(scale.norm, scale.score)] : scale;
  const lists = (state.shared ? both() : [results]).map((one) => spreadOf(one, gridOf(one).flat())?.filter(Boolean) ?? []);
  const ends = [low, high, ...lists.flat(2)], least = Math.min(...ends), most = Math.max(...ends);
  const room = 0.08 * (most > least ? most - least : Math.abs(most) || 1);
  return [least - room, most + room];
};

const lineCursor = (results, line, count) => {
  const at = line.positions[results.nearest(line.name, state.at[line.name])];
  return Array.from({ length: count }, (_, i) => ({
    type: "line", xref: axisRef("x", i), yref: `${axisRef("y", i)} domain`, x0: at, x1: at, y0: 0, y1: 1,
    line: { color: INK, width: 1.5, dash: "dot" }, layer: "below",
  }));
};

const drawLine = (div, results, line, panels, scaleOf) => {
  const { positions, values, cells, name, log } = line, count = positions.length;
  const phase = state.quantity === "phase";
  const grid = panelGrid(div.clientWidth, panels.length, {
    least: 190, most: 640, columns: 3, aspect: 0.6, tallest: 250, gapX: 66, gapY: 64, margin: { l: 66, b: 46, t: 26, r: 16 },
  });
  const layout = { ...baseLayout(grid), hovermode: "x", hoverdistance: -1, shapes: lineCursor(results, line, panels.length) };
  const ticks = lineTicks(line, grid.wide), edge = 0.05 * (positions[count - 1] - positions[0]);
  const spread = spreadOf(results, cells);
  const traces = panels.flatMap((panel, i) => {
    const domain = grid.domain(i), scale = scaleOf(panel), range = lineRange(results, scale);
    const axes = { xaxis: axisRef("x", i), yaxis: axisRef("y", i), hoverinfo: "none", customdata: cells, x: positions };
    layout[axisKey("x", i)] = {
      ...frame, domain: domain.x, anchor: axisRef("y", i), range: [positions[0] - edge, positions[count - 1] + edge],
      tickmode: "array", tickvals: ticks.map((at) => positions[at]), ticktext: ticks.map((at) => short(values[at])),
      ticks: "outside", ticklen: 3, tickcolor: FRAME, tickangle: 0,
      title: domain.last ? { text: words(name) + (log ? " (logarithmic)" : ""), standoff: 4 } : undefined,
    };
    layout[axisKey("y", i)] = {
      ...frame, domain: domain.y, anchor: axisRef("x", i), range, nticks: grid.tall > 120 ? 6 : 4, ticks: "outside",
      ticklen: 3, tickcolor: FRAME, showgrid: true, gridcolor: FAINT,
    };
    if (QUANTITIES[state.quantity].perExpert) {
      layout.annotations.push(panelTitle(grid, i, expertTitle(results, panel.e)));
    }
    const y = (phase ? panel.norm : panel.values).flat(), fill = coloursOf(panel, scale).flat();
    const hungry = panel.starved?.flat() ?? [];
    const points = {
      type: "scatter", mode: "lines+markers", ...axes, y, connectgaps: false, line: { color: QUIET, width: 1.5 },
      marker: { size: 9, color: fill.map((rgb) => `rgb(${rgb.map(Math.round)})`), line: { color: INK, width: 1 },
        symbol: cells.map((_, at) => hungry[at] ? "circle-open-dot" : "circle") },
      ...(spread ? { error_y: { type: "data", symmetric: false, color: QUIET, thickness: 1, width: 3,
        array: spread.map((ends, at) => ends && y[at] !== null ? ends[1] - y[at] : 0),
        arrayminus: spread.map((ends, at) => ends && y[at] !== null ? y[at] - ends[0] : 0) } } : {}),
    };
    const missing = y.some((value) => value === null) ? [{  // cells without a model, where the line has a gap
      type: "scatter", mode: "markers", ...axes, y: y.map((value) => value === null ? range[0] + 0.03 * (range[1] - range[0]) : null),
      marker: { symbol: "x-thin", size: 7, line: { color: QUIET, width: 1.5 } },
    }] : [];
    const score = phase ? [{ type: "scatter", mode: "lines", ...axes, y: panel.score.flat(), line: { color: QUIET, width: 1.5, dash: "dot" } }] : [];
    return [...score, points, ...missing];
  });
  return plot(div, traces, layout);
};
