// The phase diagram of one results: a panel an expert, a cell a setting.

// Numbers of every panel: {e, values [row][column]}, or for phases {e, norm, score}; null where there is no model.
const panelsOf = (results) => {
  const quantity = QUANTITIES[state.quantity], cells = gridOf(results);
  const snapshot = snapshotOf(results), feature = featureOf(results);
  const table = (of) => cells.map((row) => row.map((cell) => results.trained(cell, snapshot) ? of(cell) : null));
  const experts = Array.from({ length: quantity.perExpert ? results.E : 1 }, (_, e) => e);
  if (state.quantity !== "phase") {
    return experts.map((e) => ({ e, values: table((cell) => quantity.of(results, cell, e, feature, snapshot)) }));
  }
  return experts.map((e) => ({
    e,
    norm: table((cell) => featureNorm(results.expert(cell, e, snapshot), results.n, results.m, feature)),
    score: table((cell) => score(results.expert(cell, e, snapshot), results.n, results.m, feature, state.score)),
  }));
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
    return state.quantity === "loss" ? [low, high] : [0, state.quantity === "dimensionality" ? 1 : high];
  };
  const common = state.shared ? range(panels) : null;
  return (panel) => common ?? range([panel]);
};

// Colours [row][column] of a panel, [r, g, b].
const coloursOf = (panel, scale) => {
  const colours = palette(state);
  if (state.quantity === "phase") {
    const relative = (value, largest) => largest > 0 ? value / largest : 0;
    return panel.norm.map((row, r) => row.map((norm, c) => norm === null ? GAP :
      phaseColour(relative(norm, scale.norm), relative(panel.score[r][c], scale.score), colours.phases)));
  }
  const [low, high] = scale;
  return panel.values.map((row) => row.map((value) => value === null ? GAP :
    onRamp(colours.ramp, high > low ? (value - low) / (high - low) : 0)));
};

const cursorShapes = (results, count) => {
  const { column, row } = placeOf(results);
  const box = (i, width, color) => ({
    type: "rect", xref: axisRef("x", i), yref: axisRef("y", i), x0: column - 0.5, x1: column + 0.5, y0: row - 0.5,
    y1: row + 0.5, line: { width, color }, layer: "above",
  });
  return Array.from({ length: count }, (_, i) => [box(i, 4.5, "#fff"), box(i, 2, "#000")]).flat();
};

const drawDiagram = (div, results, panels, scaleOf) => {
  const columns = results.length(state.x), rows = state.y ? results.length(state.y) : 1;
  const scalar = state.quantity !== "phase";
  const grid = panelGrid(div.clientWidth, panels.length, {
    least: 96, most: 640, columns: 5, aspect: 1.2, tallest: Math.min(290, 34 * rows), gapX: 14, gapY: 52,
    margin: { l: state.y ? 58 : 14, b: 46, r: scalar ? 72 : 8 },
  });
  const layout = { ...baseLayout(grid), shapes: cursorShapes(results, panels.length) };
  const traces = panels.map((panel, i) => {
    const domain = grid.domain(i);
    layout[axisKey("x", i)] = {
      ...indexAxis(results.dimension(state.x)?.values ?? [null], grid.wide > 170 ? 5 : 3), domain: domain.x,
      anchor: axisRef("y", i), range: [-0.5, columns - 0.5], constrain: "domain",
      title: domain.last ? { text: words(state.x), standoff: 4 } : undefined,
    };
    layout[axisKey("y", i)] = {
      ...indexAxis(state.y ? results.dimension(state.y)?.values ?? [null] : [null], grid.tall > 120 ? 6 : 4),
      domain: domain.y, anchor: axisRef("x", i), range: [rows - 0.5, -0.5], scaleanchor: false,
      showticklabels: Boolean(state.y) && domain.first, ticks: state.y ? "outside" : "",
      title: state.y && domain.first ? { text: words(state.y), standoff: 6 } : undefined,
    };
    if (QUANTITIES[state.quantity].perExpert) {
      layout.annotations.push(panelTitle(grid, i, results.E === 1 ? "dense" : `expert ${panel.e + 1}`));
    }
    return { type: "image", z: coloursOf(panel, scaleOf(panel)), colormodel: "rgb", hoverinfo: "none",
      xaxis: axisRef("x", i), yaxis: axisRef("y", i) };
  });
  if (scalar) {
    const [low, high] = scaleOf(panels.at(-1));
    if (state.shared || panels.length === 1) {
      traces.push(colourBar(grid.inner, low, high > low ? high : low + 1, palette(state).ramp));
    } else {  // every panel has a scale of its own: said above it
      panels.forEach((panel, i) => {
        const [least, most] = scaleOf(panel);
        layout.annotations[i].text += `  <span style="color:${QUIET}">${short(least)} to ${short(most)}</span>`;
      });
    }
  }
  return plot(div, traces, layout);
};
