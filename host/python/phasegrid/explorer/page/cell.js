// One cell in words and numbers, for the tooltip of a diagram and for the chosen cell.

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};
const fixed = (value) => Number.isFinite(value) ? value.toFixed(3) : "–";
const lossWords = (value) => Number.isFinite(value) ? value.toPrecision(4) : "–";

const facts = (pairs) => element("dl", { className: "facts" }, ...pairs.map(([term, text]) =>
  element("div", {}, element("dt", { textContent: term }), element("dd", { textContent: text }))));

// Losses of all restarts as marks on a line; the kept one filled.
const restartMarks = (losses, kept) => {
  const finite = losses.filter(Number.isFinite), low = Math.min(...finite), high = Math.max(...finite);
  const place = (loss) => 8 + 284 * (high > low ? (loss - low) / (high - low) : 0.5);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 300 30");
  svg.setAttribute("class", "restarts");
  svg.setAttribute("aria-hidden", "true");
  const add = (name, attributes) => {
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    svg.append(made);
    return made;
  };
  add("line", { x1: 0, x2: 300, y1: 9, y2: 9, stroke: FAINT });
  losses.forEach((loss, restart) => {
    if (!Number.isFinite(loss) || restart === kept) return;
    add("circle", { cx: place(loss), cy: 9, r: 4.5, fill: PAPER, stroke: QUIET, "stroke-width": 1.3 });
  });
  if (kept >= 0 && Number.isFinite(losses[kept])) add("circle", { cx: place(losses[kept]), cy: 9, r: 5.5, fill: INK });
  if (high > low) {
    const label = { y: 28, fill: QUIET, "font-size": 11 };
    add("text", { ...label, x: 0 }).textContent = lossWords(low);
    add("text", { ...label, x: 300, "text-anchor": "end" }).textContent = lossWords(high);
  }
  return svg;
};

const restartList = (losses, kept, kind) => {
  const list = element("p", { className: "losses" }, `${kind} of all restarts: `);
  losses.forEach((loss, restart) => {
    const text = Number.isFinite(loss) ? loss.toPrecision(5) : "–";
    list.append(restart ? ", " : "", restart === kept ? element("b", { textContent: text }) : text);
  });
  return list;
};

// Measures of some features in every expert: a row each.
const measureTable = (results, cell, snapshot, features) => {
  const { E, n, m } = results.shapeOf(cell);
  const numbers = (e, i) => {
    const W = results.expert(cell, e, snapshot);
    return [featureNorm, interference, dimensionality].map((measure) =>
      element("td", { textContent: fixed(measure(W, n, m, i)) }));
  };
  const rows = Array.from({ length: E }, (_, e) => features.map((i) => element("tr",
    { className: i === featureOf(results) && features.length > 1 ? "chosen" : "" },
    element("th", { scope: "row", textContent: E > 1 ? `expert ${e + 1}, feature ${i + 1}` : `feature ${i + 1}` }),
    ...numbers(e, i)))).flat();
  const heads = ["", "norm", "interference", "dimensionality"].map((text) =>
    element("th", { scope: "col", textContent: text }));
  return element("div", { className: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)));
};

// The share of the non-zero inputs that each of a few experts gets.
const usagePairs = (results, cell, snapshot) => {
  const { E } = results.shapeOf(cell), usage = E > 1 && E <= 8 ? usageOf(results, cell, snapshot) : null;
  if (!usage) return [];
  const shares = usage.active.map((share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
  return [["experts get, of the non-zero inputs", shares.join(" · ")]];
};

// Settings and losses of a cell.
const cellPairs = (results, cell) => {
  const snapshot = snapshotOf(results), kept = results.kept(cell);
  const settings = Object.entries(results.settingsOf(cell)).filter(([, value]) => value !== null);
  const pairs = settings.map(([name, value]) => [words(name), short(value)]);
  if (snapshot !== null) pairs.push(["snapshot", stepWords(results)]);
  for (const kind of results.lossKinds) pairs.push([`${kind} loss`, lossWords(results.loss(cell, snapshot, kind))]);
  if (kept >= 0) pairs.push(["kept restart", `${kept + 1} of ${results.restarts}`]);
  return pairs;
};

// Everything about a cell. `full`: all features of small models; else the diagram's feature alone.
const describeCell = (results, cell, full) => {
  const snapshot = snapshotOf(results), kept = results.kept(cell), parts = [facts(cellPairs(results, cell))];
  const losses = results.losses(cell, snapshot);
  if (losses.filter(Number.isFinite).length > 1) parts.push(restartMarks(losses, kept));
  if (losses.length > 1) parts.push(restartList(losses, kept, results.lossWords));
  if (!results.trained(cell, snapshot)) {
    const ended = results.trained(cell) ? "this training had ended by then" : results.reason(cell);
    parts.push(element("p", { className: "none", textContent: `No model: ${ended}.` }));
    return parts;
  }
  const { E, n } = results.shapeOf(cell), every = Array.from({ length: n }, (_, i) => i);
  parts.push(facts([["features per dimension", fixed(QUANTITIES.features_per_dimension.of(results, cell, 0, 0, snapshot))],
    ["capacity", fixed(QUANTITIES.capacity.of(results, cell, 0, 0, snapshot))],
    ...usagePairs(results, cell, snapshot)]));
  const features = full || n * E <= 9 ? every : [featureOf(results)];
  const table = measureTable(results, cell, snapshot, features);
  if (full && n * E > 12) {
    const summary = element("summary", { textContent: `Measures of all ${n} features` });
    parts.push(element("details", {}, summary, table));
  } else if (full || E <= 8) {
    parts.push(table);
  }
  return parts;
};
