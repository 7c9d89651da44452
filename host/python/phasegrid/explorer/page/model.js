// The chosen model: directions of its features in every expert, and W W^T.

const MOST_LETTERS = 5;  // features whose numbers stand inside the panels of W W^T

const largestWeight = (results, cells) => {
  let largest = 1;
  results.forEach((r, side) => {
    for (const weight of r.weights(cells[side], snapshotOf(r))) if (Math.abs(weight) > largest) largest = Math.abs(weight);
  });
  return largest;
};

// Directions that cannot be drawn, or too many to: norms as bars instead.
const showsNorms = ({ n, m }) => m > 3 || m === 1 && n > 24;

// Of a shape, or of results by their largest.
const expertTitle = ({ E }, e) => E === 1 ? "dense" : `expert ${e + 1}`;

// What a feature's numbers are when the pointer is on it.
const featureWords = ({ n, m }, W, i) => `feature ${i + 1}<br>norm ${fixed(featureNorm(W, n, m, i))}<br>` +
  `interference ${fixed(interference(W, n, m, i))}<br>` +
  `dimensionality ${fixed(dimensionality(W, n, m, i))}<extra></extra>`;

// m = 1: an arrow a feature along the one direction, below each other.
const lines = (shape, W, e, reach) => {
  const { n } = shape, traces = Array.from({ length: n }, (_, i) => ({
    type: "scatter", mode: "lines+markers", x: [0, W[i]], y: [i, i], hovertemplate: featureWords(shape, W, i),
    line: { color: featureColour(state, i, n), width: i === featureOf(shape) ? 5 : 3 },
    marker: { size: [0, i === featureOf(shape) ? 11 : 9], color: featureColour(state, i, n),
      symbol: W[i] < 0 ? "triangle-left" : "triangle-right" },
  }));
  return { traces,
    x: { range: [-reach, reach], nticks: 5, zeroline: true, zerolinecolor: FRAME, showgrid: true, gridcolor: FAINT },
    y: { range: [n - 0.4, -0.6], ...featureAxis(n, 8) } };
};

// m = 2: arrows in the plane, with the unit circle.
const arrows = (shape, W, e, reach) => {
  const angles = Array.from({ length: 73 }, (_, i) => i * Math.PI / 36);
  const circle = { type: "scatter", mode: "lines", x: angles.map(Math.cos), y: angles.map(Math.sin), hoverinfo: "skip",
    line: { color: FAINT, width: 1.2, dash: "dot" } };
  const { n } = shape, traces = Array.from({ length: n }, (_, i) => {
    const color = featureColour(state, i, n), heavy = i === featureOf(shape);
    return {
      type: "scatter", mode: n <= 8 ? "lines+markers+text" : "lines+markers", x: [0, W[2 * i]], y: [0, W[2 * i + 1]],
      line: { color, width: heavy ? 4 : 2.5 }, marker: { color, size: [0, heavy ? 9 : 7] },
      text: ["", `${i + 1}`], textfont: { color: INK, size: 13 }, hovertemplate: featureWords(shape, W, i),
      textposition: W[2 * i + 1] < 0 ? "bottom center" : "top center", cliponaxis: false,
    };
  });
  const axis = { range: [-reach, reach], nticks: 5, zeroline: true, zerolinecolor: FAINT };
  return { traces: [circle, ...traces], x: axis, y: axis };
};

// Norms as bars, their colour the feature dimensionality.
const bars = ({ E, n, m }, W, e, reach) => {
  const features = Array.from({ length: n }, (_, i) => i);
  const measure = (of) => features.map((i) => of(W, n, m, i));
  const shared = measure(interference), alone = measure(dimensionality), ramp = [...palette(state).ramp].reverse();
  return {
    traces: [{
      type: "bar", x: features.map((i) => i + 1), y: measure(featureNorm), customdata: features.map((i) => [shared[i], alone[i]]),
      marker: { color: alone.map((share) => `rgb(${onRamp(ramp, share).join(",")})`) },
      hovertemplate: "feature %{x}<br>norm %{y:.3f}<br>interference %{customdata[0]:.3f}<br>" +
        "dimensionality %{customdata[1]:.3f}<extra></extra>",
    }, ...(e === E - 1 ? [colourBar(120, 0, 1, ramp, "D<sub>i</sub>")] : [])],
    x: { range: [0.3, n + 0.7], nticks: 6 }, y: { range: [0, reach], nticks: 5 },
  };
};

const drawFlat = (div, results, cell, make, look) => {
  const shape = results.shapeOf(cell), grid = panelGrid(div.clientWidth, shape.E, look);
  const layout = { ...baseLayout(grid), bargap: 0.15 };
  const traces = [];
  for (let e = 0; e < shape.E; ++e) {
    const made = make(shape, results.expert(cell, e, snapshotOf(results)), e, look.reach), domain = grid.domain(e);
    const ticks = { ticks: "outside", ticklen: 3, tickcolor: FRAME };
    layout[axisKey("x", e)] = { ...frame, ...ticks, tickangle: 0, ...made.x, domain: domain.x, anchor: axisRef("y", e),
      title: domain.last && look.xTitle ? { text: look.xTitle, standoff: 4 } : undefined };
    layout[axisKey("y", e)] = { ...frame, ...ticks, ...made.y, domain: domain.y, anchor: axisRef("x", e),
      showticklabels: domain.first,
      title: domain.first && look.yTitle ? { text: look.yTitle, standoff: 5 } : undefined };
    layout.annotations.push(panelTitle(grid, e, expertTitle(shape, e)));
    traces.push(...made.traces.map((trace) => ({ ...trace, xaxis: axisRef("x", e), yaxis: axisRef("y", e) })));
  }
  return plot(div, traces, layout);
};

const drawDirections = (div, results, cell, reach) => {
  const shape = results.shapeOf(cell), { n, m, E } = shape;
  if (m === 3) return drawSpace(div, results, cell, reach);
  if (m === 1 && !showsNorms(shape)) {
    return drawFlat(div, results, cell, lines, { reach: reach * 1.12, aspect: 0.62, most: 380, tallest: 60 + 26 * n,
      columns: 5, gapX: 14, margin: { l: 58 }, yTitle: "feature" });
  }
  if (m === 2) {
    return drawFlat(div, results, cell, arrows, { reach: reach * 1.3, least: 118, most: 300, gapX: 14, columns: 5, margin: { b: 30 } });
  }
  let highest = 1;
  for (let e = 0; e < E; ++e) {
    const W = results.expert(cell, e, snapshotOf(results));
    for (let i = 0; i < n; ++i) highest = Math.max(highest, featureNorm(W, n, m, i));
  }
  return drawFlat(div, results, cell, bars, { reach: highest * 1.05, least: 100, most: 760, aspect: E > 1 ? 0.62 : 0.5,
    tallest: 260, columns: 4, gapX: 14, margin: { r: 64, l: 52 }, xTitle: "feature", yTitle: "norm" });
};

// W W^T of every expert, and its biases as a column beside.
const drawGram = (div, results, cell, reach) => {
  const shape = results.shapeOf(cell), { n, m, E } = shape, biases = results.biases(cell, snapshotOf(results));
  const grid = panelGrid(div.clientWidth, E, {
    least: 96, most: 300, gapX: 16, gapY: 48, columns: 5, margin: { l: 40, b: 30, r: 66 }, aspect: n / (n + (biases ? 1.5 : 0)),
  });
  const layout = baseLayout(grid), traces = [], wide = grid.wide / (n + 1.5);
  const features = Array.from({ length: n }, (_, i) => i);
  const grams = Array.from({ length: E }, (_, e) => gram(results.expert(cell, e, snapshotOf(results)), n, m));
  const ticks = featureAxis(biases && n > 10 ? Math.floor(n * 0.93) : n, grid.wide < 140 ? 3 : 5);  // room for the "b"
  for (let e = 0; e < E; ++e) {
    const domain = grid.domain(e);
    const common = { type: "heatmap", zmin: -reach, zmax: reach, colorscale: stops(palette(state).signed),
      xaxis: axisRef("x", e), yaxis: axisRef("y", e), showscale: false,
      ...(n <= MOST_LETTERS && wide > 36 ? { texttemplate: "%{z:.2f}", textfont: { size: 11 } } : {}) };
    traces.push({ ...common, z: grams[e], showscale: e === E - 1, xgap: n <= 24 ? 1 : 0, ygap: n <= 24 ? 1 : 0,
      colorbar: barIn(grid.inner),
      x: features, y: features, customdata: grams[e].map((row, i) => row.map((_, j) => [i + 1, j + 1])),
      hovertemplate: "W<sub>%{customdata[0]}</sub> · W<sub>%{customdata[1]}</sub> = %{z:.3f}<extra></extra>" });
    if (biases) {
      traces.push({ ...common, x: [n, n + 1], y: features, xgap: n <= 24 ? 1 : 0, ygap: n <= 24 ? 1 : 0,
        z: features.map((i) => [biases[e * n + i]]), customdata: features.map((i) => [i + 1]),
        hovertemplate: "bias of feature %{customdata} = %{z:.3f}<extra></extra>" });
    }
    layout[axisKey("x", e)] = { ...frame, showline: false, tickangle: 0, domain: domain.x, anchor: axisRef("y", e),
      range: [-0.5, n + (biases ? 1 : -0.5)], tickmode: "array", tickvals: biases ? [...ticks.tickvals, n + 0.5] : ticks.tickvals,
      ticktext: [...ticks.ticktext, "b"] };
    layout[axisKey("y", e)] = { ...frame, showline: false, domain: domain.y, anchor: axisRef("x", e), range: [n - 0.5, -0.5],
      ...ticks, showticklabels: domain.first };
    layout.annotations.push(panelTitle(grid, e, expertTitle(shape, e)));
  }
  return plot(div, traces, layout);
};

// The largest |number| that the panels of W W^T show, over both sides.
const gramReach = (list, cells) => {
  let reach = 0.5;
  list.forEach((results, side) => {
    const { n, m, E } = results.shapeOf(cells[side]), snapshot = snapshotOf(results);
    for (let e = 0; e < E; ++e) {
      for (const row of gram(results.expert(cells[side], e, snapshot), n, m)) for (const v of row) reach = Math.max(reach, Math.abs(v));
    }
  });
  return reach;
};
