// Models of three hidden units: their features as arrows in space, seen from afar; dragging or the arrow keys turn all of
// them together. Needs no WebGL.

const SVG = "http://www.w3.org/2000/svg";
const svgElement = (name, attributes, ...children) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

// A point of space -> [right, up, towards the eye], for a turn [around the third axis, up].
const turned = ([x, y, z], [around, up]) => {
  const ahead = x * Math.cos(around) + y * Math.sin(around);
  return [y * Math.cos(around) - x * Math.sin(around), z * Math.cos(up) - ahead * Math.sin(up),
    ahead * Math.cos(up) + z * Math.sin(up)];
};

// One expert's W [n][3] in a square of pixels.
const drawArrows = (svg, results, W, size, reach) => {
  const { n } = results, unit = (size / 2 - 16) / reach, middle = size / 2;
  const place = (point) => {
    const [right, up, near] = turned(point, state.turn);
    return [middle + unit * right, middle - unit * up, near];
  };
  const line = (from, to, attributes) => {
    const [[x1, y1], [x2, y2]] = [place(from), place(to)];
    return svgElement("line", { x1, y1, x2, y2, ...attributes });
  };
  const parts = [svgElement("circle", { cx: middle, cy: middle, r: unit, fill: "none", stroke: FAINT, "stroke-width": 1.2,
    "stroke-dasharray": "2 3" })];
  const equator = Array.from({ length: 73 }, (_, i) => place([Math.cos(i * Math.PI / 36), Math.sin(i * Math.PI / 36), 0]));
  parts.push(svgElement("polyline", { points: equator.map(([x, y]) => `${x},${y}`).join(" "), fill: "none", stroke: FAINT,
    "stroke-width": 1.2, "stroke-dasharray": "2 3" }));
  ["h₁", "h₂", "h₃"].forEach((name, h) => {
    const end = [0, 0, 0].map((_, at) => at === h ? reach * 0.9 : 0);
    parts.push(line(end.map((value) => -value), end, { stroke: FRAME, "stroke-width": 1 }));
    const [x, y, near] = place(end), foreshortened = Math.abs(near) > 0.85 * reach;
    if (!foreshortened) {
      parts.push(svgElement("text", { x: x + (x < middle ? -10 : 10), y: y + 4, fill: QUIET, "font-size": 11, "text-anchor": "middle" }, name));
    }
  });
  const features = Array.from({ length: n }, (_, i) => ({ i, tip: Array.from(W.subarray(3 * i, 3 * i + 3)) }));
  features.sort((a, b) => turned(a.tip, state.turn)[2] - turned(b.tip, state.turn)[2]);  // what is nearer, over what is behind
  for (const { i, tip } of features) {
    const color = featureColour(state, i, n), heavy = i === featureOf(results), [x, y, near] = place(tip);
    const opacity = 0.7 + 0.3 * Math.max(-1, Math.min(1, near / reach));
    const title = svgElement("title", {}, `feature ${i + 1}\nnorm ${fixed(featureNorm(W, n, 3, i))}\n` +
      `interference ${fixed(interference(W, n, 3, i))}\ndimensionality ${fixed(dimensionality(W, n, 3, i))}`);
    const arrow = svgElement("g", { class: "arrow", "data-feature": i, opacity }, title,
      line(tip, [tip[0], tip[1], 0], { stroke: color, "stroke-width": 1, "stroke-dasharray": "1 3" }),
      line([0, 0, 0], tip, { class: "shaft", stroke: color, "stroke-width": heavy ? 4.5 : 2.5, "stroke-linecap": "round" }),
      svgElement("circle", { cx: x, cy: y, r: heavy ? 5 : 3.8, fill: color }));
    if (n <= 12) {
      const away = Math.hypot(x - middle, y - middle) || 1;
      arrow.append(svgElement("text", { x: x + 11 * (x - middle) / away, y: y + 11 * (y - middle) / away + 4, fill: INK,
        "font-size": 13, "text-anchor": "middle" }, `${i + 1}`));
    }
    parts.push(arrow);
  }
  svg.replaceChildren(...parts);
};

const drawSpace = (div, results, cell) => {
  const shape = results.shapeOf(cell), { n, E } = shape, snapshot = snapshotOf(results);
  const grid = panelGrid(div.clientWidth, E, { least: 130, most: 340, gapX: 12, margin: { l: 4, r: 4 } });
  const size = Math.floor(grid.wide), experts = Array.from({ length: E }, (_, e) => results.expert(cell, e, snapshot));
  const reach = 1.15 * Math.max(1, ...experts.flatMap((W) => Array.from({ length: n }, (_, i) => featureNorm(W, n, 3, i))));
  const panels = experts.map((W, e) => {
    const svg = svgElement("svg", { width: size, height: size, viewBox: `0 0 ${size} ${size}`, "data-expert": e });
    return { svg, figure: element("figure", {}, element("figcaption", { textContent: expertTitle(shape, e) }), svg),
      redraw: () => drawArrows(svg, results, W, size, reach) };
  });
  const space = element("div", { className: "space", tabIndex: 0, role: "application",
    ariaLabel: `feature directions of ${results.title} in space; drag or arrow keys turn them` }, ...panels.map(({ figure }) => figure));
  space.redraw = () => panels.forEach(({ redraw }) => redraw());
  space.redraw();
  listenToTurns(space);
  clear(div);
  div.append(space);
};

const turnBy = (around, up) => {
  const full = 2 * Math.PI;
  state.turn = [((state.turn[0] + around) % full + full) % full, Math.max(-1.5, Math.min(1.5, state.turn[1] + up))];
  document.querySelectorAll(".space").forEach((space) => space.redraw());
  rememberState(true);
};
const listenToTurns = (space) => {
  let from = null;
  space.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY];
    space.setPointerCapture(event.pointerId);
  });
  space.addEventListener("pointermove", (event) => {
    if (!from) return;
    turnBy(-(event.clientX - from[0]) / 100, (event.clientY - from[1]) / 100);
    from = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) space.addEventListener(end, () => { from = null; });
  space.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    turnBy(...by);
  });
};
