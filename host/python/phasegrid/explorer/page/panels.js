// Several panels in one Plotly figure, and the typography that all figures share.

const FONT = { family: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif', size: 12 };

const ruler = document.createElement("canvas").getContext("2d");
const textWidth = (text, size = FONT.size) => {
  ruler.font = `${size}px ${FONT.family}`;
  return ruler.measureText(text).width;
};

const axisKey = (letter, i) => `${letter}axis${i ? i + 1 : ""}`;
const axisRef = (letter, i) => `${letter}${i ? i + 1 : ""}`;

// Places `count` panels of equal size in a width of pixels: as many in a row as can be `least` wide, none wider than
// `most`. aspect: height by width.
const panelGrid = (width, count, options) => {
  const { least = 150, most = 420, aspect = 1, tallest = Infinity, gapX = 26, gapY = 44, columns: wanted = 5 } = options;
  const margin = { l: 44, r: 12, t: 26, b: 42, ...options.margin };
  const inner = width - margin.l - margin.r;
  const fit = Math.max(1, Math.min(count, wanted, Math.floor((inner + gapX) / (least + gapX))));
  const rows = Math.ceil(count / fit), columns = Math.ceil(count / rows);
  const wide = Math.min(most, (inner - (columns - 1) * gapX) / columns), tall = Math.min(tallest, wide * aspect);
  const innerHeight = rows * tall + (rows - 1) * gapY;
  margin.r += inner - (columns * wide + (columns - 1) * gapX);
  const across = width - margin.l - margin.r;
  const domain = (i) => {
    const column = i % columns, row = Math.floor(i / columns);
    const left = column * (wide + gapX), top = row * (tall + gapY);
    return {
      x: [left / across, Math.min(1, (left + wide) / across)],
      y: [Math.max(0, 1 - (top + tall) / innerHeight), 1 - top / innerHeight],
      first: column === 0, last: i + columns >= count,
    };
  };
  return { margin, width, height: innerHeight + margin.t + margin.b, inner: innerHeight, tall, wide, domain };
};

const panelTitle = (grid, i, text) => {
  const { x, y } = grid.domain(i);
  return {
    text, xref: "paper", yref: "paper", x: x[0], y: y[1], xanchor: "left", yanchor: "bottom", yshift: 2, showarrow: false,
    font: { size: 12, color: INK },
  };
};

const baseLayout = (grid) => ({
  width: grid.width, height: grid.height, margin: grid.margin, font: { ...FONT, color: QUIET }, showlegend: false,
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: PAPER, dragmode: false, hovermode: "closest", annotations: [],
  hoverlabel: { bgcolor: PAPER, bordercolor: FRAME, font: { ...FONT, color: INK } },
});
const barIn = (height) => ({
  thickness: 11, outlinewidth: 0, lenmode: "pixels", len: Math.min(150, height), y: 1, yanchor: "top", ypad: 0,
  nticks: height < 90 ? 3 : 6, xpad: 8, tickfont: { size: 11, color: QUIET },
});
// A colour bar on a trace that draws nothing.
const colourBar = (height, low, high, ramp, title) => ({
  type: "scatter", mode: "markers", x: [null], y: [null], hoverinfo: "skip",
  marker: { color: [low], cmin: low, cmax: high, colorscale: stops(ramp), showscale: true,
    colorbar: { ...barIn(height), title: title ? { text: title, side: "top" } : undefined } },
});
const frame = { showline: true, mirror: true, linecolor: FRAME, zeroline: false, showgrid: false, fixedrange: true };

// Draws or changes a figure; what stood there before may have been words.
const plot = (div, traces, layout) => {
  div.querySelector(":scope > .none, :scope > .space")?.remove();
  const file = `${document.title} ${div.id}`.replace(/[^\w.-]+/g, "_");
  return Plotly.react(div, traces, layout, {
    displaylogo: false, modeBarButtons: [["toImage"]], toImageButtonOptions: { format: "svg", filename: file },
  });
};
const clear = (div) => {
  if (div.classList.contains("js-plotly-plot")) Plotly.purge(div);
  div.replaceChildren();
};
const say = (div, text) => {
  clear(div);
  const p = document.createElement("p");
  p.className = "none";
  p.textContent = text;
  div.replaceChildren(p);
};

// How many digits a value has before it is all zeros: 0.2, 20 and 0 have one.
const digits = (value) => Number((value ?? 0).toPrecision(4)).toExponential().split("e")[0].replace(/[^0-9]/g, "").length;

// A few indices of a list of values, evenly spaced, of values as round as can be, such that their labels do not touch:
// `pixels` lie between the middles of neighbouring values, and a label needs room(text) pixels along the axis.
const axisTicks = (values, most, pixels, room) => {
  const needs = values.map((value) => room(short(value)));
  const fits = (ticks) => ticks.every((i, at) => at === 0 ||
    (i - ticks[at - 1]) * pixels >= (needs[i] + needs[ticks[at - 1]]) / 2);
  const all = values.map((_, i) => i);
  if (values.length <= most && fits(all)) return all;
  let best = [0], cost = Infinity;
  for (let step = 1; step < values.length; ++step) {
    for (let first = 0; first < step && first < values.length; ++first) {
      const ticks = [];
      for (let i = first; i < values.length; i += step) ticks.push(i);
      if (ticks.length > most || !fits(ticks)) continue;
      const effort = ticks.reduce((sum, i) => sum + digits(values[i]) + 0.2 * short(values[i]).length, 0) / ticks.length;
      const few = Math.max(0, 3 - ticks.length);  // three at least tell how the values are spaced
      if (effort - 0.25 * ticks.length + 4 * few < cost) [best, cost] = [ticks, effort - 0.25 * ticks.length + 4 * few];
    }
  }
  return best;
};
// Round numbers of features (from 1) for an axis of their indices (from 0).
const featureAxis = (n, most) => {
  const step = [1, 2, 5, 10, 20, 25, 50, 100].find((candidate) => n / candidate <= most) ?? 100;
  const ticks = Array.from({ length: n }, (_, i) => i).filter((i) => n <= most || (i + 1) % step === 0);
  return { tickmode: "array", tickvals: ticks, ticktext: ticks.map((i) => `${i + 1}`) };
};
// Across, labels lie beside each other; down, below each other.
const across = (text) => textWidth(text) + 8, down = () => 15;
const widestLabel = (values) => Math.max(0, ...values.map((value) => textWidth(short(value))));
const indexAxis = (values, most, pixels, room) => {
  const ticks = axisTicks(values, most, pixels, room);
  return { ...frame, tickmode: "array", tickvals: ticks, ticktext: ticks.map((i) => short(values[i])), ticks: "outside",
    ticklen: 3, tickcolor: FRAME, tickangle: 0 };
};
