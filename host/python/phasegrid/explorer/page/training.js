// How the chosen cell was trained: losses of its restarts, over the snapshots where there are any.

const drawTraining = (div, results, cell) => {
  const kept = results.kept(cell), width = div.clientWidth;
  const layout = baseLayout({ width, height: 250, margin: { l: 84, r: 14, t: 12, b: 42 } });
  const axis = { ...frame, ticks: "outside", ticklen: 3, tickcolor: FRAME, exponentformat: "e" };
  const tone = seriesColour(state, 0), losses = results.losses(cell);
  const axisOf = (values) => {
    const positive = values.filter((value) => Number.isFinite(value) && value > 0);
    const low = Math.min(...positive), high = Math.max(...positive);
    if (!(high / low > 4)) return { nticks: 6 };  // a plain scale reads better
    const decades = Array.from({ length: 40 }, (_, i) => 10 ** (i - 30));
    const ticks = decades.flatMap((ten) => high / low > 1000 ? [ten] : [ten, 2 * ten, 5 * ten]);
    return { type: "log", tickmode: "array", tickvals: ticks, ticktext: ticks.map(short) };
  };
  if (!results.exists(cell)) return say(div, `No model: ${results.reason(cell)}.`);
  if (!results.has("all_losses")) return say(div, `Kept model: ${results.lossWords} ${lossWords(results.loss(cell))}; the file has no others.`);
  if (!losses.some(Number.isFinite)) return say(div, "No loss to draw: this cell is not trained.");
  if (!results.hasSnapshots && losses.length === 1) return say(div, `One restart, of ${results.lossWords} ${lossWords(losses[0])}.`);
  if (!results.hasSnapshots) {
    const restarts = losses.map((_, k) => k + 1);
    layout.xaxis = { ...axis, title: { text: "restart", standoff: 4 }, range: [0.4, losses.length + 0.6], dtick: losses.length <= 12 ? 1 : undefined };
    layout.yaxis = { ...axis, ...axisOf(losses), title: { text: results.lossWords, standoff: 6 }, showgrid: true, gridcolor: FAINT };
    return plot(div, [{
      type: "scatter", mode: "markers", x: restarts, y: losses, hovertemplate: "restart %{x}: %{y:.6f}<extra></extra>",
      marker: { size: 10, color: restarts.map((_, k) => k === kept ? tone : PAPER), line: { color: tone, width: 1.6 } },
    }], layout);
  }
  const steps = Array.from(results.arrays.snapshot_steps), last = results.steps(cell);
  const order = losses.map((_, k) => k).filter((k) => k !== kept).concat(kept < 0 ? [] : [kept]);  // the kept one on top
  const every = [];
  const traces = order.map((restart) => {
    const x = [...steps], y = Array.from(results.history(cell, restart));
    if (last !== null && last > steps.at(-1)) {
      x.push(last);
      y.push(losses[restart]);
    }
    every.push(...y);
    const chosen = restart === kept;
    return { type: "scatter", mode: chosen ? "lines+markers" : "lines", x, y, opacity: chosen ? 1 : 0.6,
      line: { color: chosen ? tone : FRAME, width: chosen ? 2.6 : 1.1 }, marker: { size: 5 },
      hovertemplate: `restart ${restart + 1}${chosen ? ", kept" : ""}<br>step %{x}: %{y:.5f}<extra></extra>` };
  });
  layout.xaxis = { ...axis, title: { text: "step", standoff: 4 }, nticks: 7, rangemode: "tozero" };
  layout.yaxis = { ...axis, ...axisOf(every), title: { text: results.lossWords, standoff: 6 }, showgrid: true, gridcolor: FAINT };
  const snapshot = snapshotOf(results);
  if (snapshot !== null) {
    layout.shapes = [{ type: "line", x0: steps[snapshot], x1: steps[snapshot], yref: "paper", y0: 0, y1: 1,
      line: { color: seriesColour(state, 3), width: 1.5, dash: "dot" } }];
  }
  return plot(div, traces, layout);
};

const trainingNote = (list) => list.some((results) => results.hasSnapshots) ?
  "each restart at its snapshots and at the end; the kept one bold" : "each restart at the end; the kept one filled";
