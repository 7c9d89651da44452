// How the chosen model's router divides the inputs among its experts.

const setWords = (experts) => experts.map((e) => e + 1).join(" + ");
// A region's colour: that of its expert; sets of experts have one each, in order.
const regionColour = (experts, at) => rgb(seriesColour(state, experts.length === 1 ? experts[0] : at));

// n = 2: regions of the square of inputs; n = 3: of the triangle of directions.
const drawRegions = (div, { n, E, topK }, G) => {
  const regions = routerRegions(G, E, n, topK);
  const width = div.clientWidth, size = Math.min(250, width - 190);
  const margin = { l: 52, t: n === 3 ? 30 : 12, b: n === 3 ? 34 : 42, r: Math.max(20, width - size - 52) };
  const tall = n === 3 ? size * Math.sqrt(3) / 2 : size;
  const layout = { ...baseLayout({ width, height: tall + margin.t + margin.b, margin }), showlegend: true,
    legend: { x: 1.03, y: 1, xanchor: "left", font: { size: 12, color: INK }, itemclick: false, itemdoubleclick: false } };
  const traces = regions.map(({ experts, points, share }, at) => {
    const closed = [...points, points[0]], colour = regionColour(experts, at).join(",");
    return { type: "scatter", mode: "lines", fill: "toself", hoveron: "fills", x: closed.map(([x]) => x), y: closed.map(([, y]) => y),
      fillcolor: `rgba(${colour},0.55)`, line: { color: `rgb(${colour})`, width: 1.5 },
      name: `expert${experts.length > 1 ? "s" : ""} ${setWords(experts)}: ${(100 * share).toFixed(1)} %`, hoverinfo: "name",
      hoverlabel: { namelength: -1 } };
  });
  const side = { ...frame, ticks: "outside", ticklen: 3, tickcolor: FRAME, range: [0, 1], dtick: 0.5 };
  if (n === 2) {
    layout.xaxis = { ...side, title: { text: "x<sub>1</sub>", standoff: 4 } };
    layout.yaxis = { ...side, title: { text: "x<sub>2</sub>", standoff: 4 } };
  } else {
    layout.xaxis = { range: [0, 1], visible: false, fixedrange: true };
    layout.yaxis = { range: [0, Math.sqrt(3) / 2], visible: false, fixedrange: true };
    const corner = (x, y, text, yanchor, yshift) => ({ x, y, text, yanchor, yshift, showarrow: false, font: { size: 12, color: INK } });
    layout.annotations = [corner(0, 0, "only x<sub>1</sub>", "top", -4), corner(1, 0, "only x<sub>2</sub>", "top", -4),
      corner(0.5, Math.sqrt(3) / 2, "only x<sub>3</sub>", "bottom", 4)];
  }
  return plot(div, traces, layout);
};

// Any n: router weights, and how much of the inputs each expert gets.
const drawWeights = (div, results, cell, G) => {
  const { n, E } = results.shapeOf(cell), width = div.clientWidth, usage = usageOf(results, cell, snapshotOf(results));
  const rows = Array.from({ length: E }, (_, e) => Array.from(G.subarray(e * n, (e + 1) * n)));
  const reach = Math.max(0.1, ...rows.flat().map(Math.abs));
  const experts = rows.map((_, e) => e + 1), height = Math.max(150, 18 * E + 40) + 40;
  const layout = baseLayout({ width, height, margin: { l: 52, r: 70, t: 26, b: 42 } });
  const share = usage ? 0.64 : 1, beside = share + (width < 520 ? 0.1 : 0.05);
  layout.xaxis = { ...frame, domain: [0, share], title: { text: "feature", standoff: 4 }, nticks: width < 520 ? 4 : 8, tickangle: 0, range: [0.5, n + 0.5] };
  layout.yaxis = { ...frame, range: [E + 0.5, 0.5], title: { text: "expert", standoff: 4 }, nticks: Math.min(E, 10), dtick: E <= 10 ? 1 : 5, tick0: E <= 10 ? 1 : 5 };
  const title = (text, x) => ({ text, x, y: 1, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", yshift: 3,
    showarrow: false, font: { size: 12, color: INK } });
  layout.annotations = [title("router weights", 0)];
  const traces = [{
    type: "heatmap", z: rows, x: rows[0].map((_, f) => f + 1), y: experts, zmin: -reach, zmax: reach,
    colorscale: stops(palette(state).signed), hovertemplate: "expert %{y}, feature %{x}: %{z:.3f}<extra></extra>",
    colorbar: barIn(height - 68),
  }];
  if (usage) {
    const most = Math.max(...usage.active);
    layout.xaxis2 = { ...frame, domain: [beside, 1], anchor: "y2", title: { text: "share of inputs", standoff: 4 },
      range: [0, 1.05 * most], tickangle: 0, tickformat: ".0%",
      ...(width < 520 ? { tickvals: [0, [0.5, 0.2, 0.1, 0.05].find((share) => share <= most) ?? 0] } : { nticks: 4 }) };
    layout.yaxis2 = { ...layout.yaxis, anchor: "x2", showticklabels: false, title: undefined };
    layout.annotations.push(title("active for", beside));
    traces.push({ type: "bar", orientation: "h", x: usage.active, y: experts, xaxis: "x2", yaxis: "y2",
      customdata: usage.gate, hovertemplate: "expert %{y}: active for %{x:.1%} of the non-zero inputs<br>mean gate %{customdata:.3f}<extra></extra>",
      marker: { color: experts.map((_, e) => E <= 8 ? seriesColour(state, e) : seriesColour(state, 0)) } });
  }
  return plot(div, traces, layout);
};

const drawRouter = (div, results, cell) => {
  const shape = results.shapeOf(cell);
  if (shape.E === 1) return say(div, "One expert takes every input: no router.");
  const G = results.router(cell, snapshotOf(results));
  if (!G) return say(div, "This file has no router weights.");
  return results.n in DOMAINS ? drawRegions(div, shape, G) : drawWeights(div, results, cell, G);
};

// What the drawings above are, for the section's heading.
const routerNote = (list) => {
  const routed = list.filter((results) => results.E > 1), notes = [];
  if (routed.some((results) => results.n === 2)) notes.push("inputs in the unit square, and the share of it that each expert takes");
  if (routed.some((results) => results.n === 3)) notes.push("directions of positive inputs as a triangle, and the share of it that each expert takes");
  if (routed.some((results) => !(results.n in DOMAINS))) notes.push("usage estimated from inputs drawn as in training, without those that are all zero");
  return notes.join("; ");
};
