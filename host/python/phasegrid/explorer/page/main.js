// Starts the page, listens, and redraws what a change touches.

const byId = (id) => document.getElementById(id);
const tooltip = byId("tooltip");
let controls = { move: () => {} };

// Two boxes in each section, one where one results is shown.
const boxes = { directions: [], gram: [] };
// Of a model: its feature directions, and W W^T beside them.
const modelParts = (side) => Object.entries({ directions: "", gram: "W Wᵀ and biases b" }).map(([kind, title]) => {
  boxes[kind][side] = element("div", { id: `${kind}-${sideNames[side]}`, className: "plot" });
  return element("div", {}, element("h3", { textContent: title }), boxes[kind][side]);
});
const drawBoxes = () => {
  const list = shown(), single = list[1] === null;
  const share = (results) => `${1 + Math.min(results?.E ?? 0, 3)}fr`;
  for (const pair of document.querySelectorAll(".pair")) {
    pair.classList.toggle("single", single);
    pair.style.setProperty("--left", single ? "1fr" : share(list[0]));
    pair.style.setProperty("--right", single ? "0" : share(list[1]));
    const kind = pair.id;
    boxes[kind] ??= [];
    list.forEach((results, side) => {
      if (boxes[kind][side] || results === null) {
        if (boxes[kind][side]) boxes[kind][side].hidden = results === null;
        return;
      }
      const box = element("div", { id: `${kind}-${sideNames[side]}`,
        className: { heads: "head", cell: "facts-box", model: "model" }[kind] ?? "plot" });
      boxes[kind][side] = box;
      pair.append(box);
      if (kind === "model") box.append(...modelParts(side));
      if (kind === "diagram") listenToKeys(box, side);
    });
  }
};

const changeSide = async (side, at, passing = false) => {
  state.sides[side] = at;
  if (at !== null) await state.all[at].load();
  const names = varying(both());
  for (const results of both()) {  // settings that no side had before
    for (const name of varying([results])) state.at[name] ??= results.dimension(name).values[Math.floor(results.length(name) / 2)];
  }
  if (!names.includes(state.x) || (state.y !== null && !names.includes(state.y)) || (state.y === null && names.length > 1)) {
    [state.x, state.y] = firstAxes(both().find((results) => varying([results]).length === names.length) ?? both()[0]);
  }
  redraw({ controls: true, heads: true, passing });
};

const drawHeads = () => {
  shown().forEach((results, side) => {
    const head = boxes.heads[side];
    if (!results) return;
    for (const kind of ["diagram", "cell", "model", "router", "training"]) boxes[kind][side].dataset.name = results.title;
    const options = state.all.map((candidate) => option(candidate.at, candidate.title));
    if (side === 1) options.push(option("none", "nothing beside"));
    const name = state.all.length === 1 ? (document.title === results.title ? "" : element("b", { textContent: results.title })) :
      select(options, results.at, (value) => changeSide(side, value === "none" ? null : Number(value)));
    if (state.all.length > 1) name.setAttribute("aria-label", `results on the ${sideNames[side]}`);
    const { restarts, cells, config } = results, device = config.device ? `; trained on ${config.device}` : "";
    const missing = results.arrays.final_losses.reduce((sum, loss) => sum + !Number.isFinite(loss), 0);
    const facts = `${results.name}: ${cells.toLocaleString("en")} cell${cells > 1 ? "s" : ""}` +
      (restarts ? `, ${restarts} restart${restarts > 1 ? "s" : ""} each` : "") +
      (missing ? `, ${missing.toLocaleString("en")} of them without a model` : "") + device;
    const beside = side === 0 && state.sides[1] === null && state.all.length > 1 ?
      element("button", { type: "button", textContent: "lay another beside" }) : "";
    if (beside) beside.addEventListener("click", () => changeSide(1, state.all.find((other) => other !== results).at));
    head.replaceChildren(name, " ", beside, element("p", { textContent: facts }));
  });
};

const drawDiagrams = () => {
  const list = both(), panels = list.map(panelsOf), scaleOf = scalesOf(panels.flat());
  return Promise.all(shown().map((results, side) => {
    if (!results) return null;
    const div = boxes.diagram[side], drawn = drawDiagram(div, results, panels[list.indexOf(results)], scaleOf);
    div.setAttribute("aria-label", `phase diagram of ${results.title}; arrow keys choose a cell`);
    if (div.on && !div.listening) listenToPointer(div, side);
    return drawn;
  }));
};

const drawCells = () => shown().forEach((results, side) => {
  if (results) boxes.cell[side].replaceChildren(...describeCell(results, chosenCell(results), true));
});

// Each model on a scale common to both sides.
const drawModels = () => {
  const list = shown(), cells = list.map((results) => results && chosenCell(results));
  const have = list.map((results, side) => results !== null && results.trained(cells[side], snapshotOf(results)));
  const there = list.filter((_, side) => have[side]), thereCells = cells.filter((_, side) => have[side]);
  const reach = largestWeight(there, thereCells), gramLargest = gramReach(there, thereCells);
  const drawn = list.flatMap((results, side) => {
    if (!results) return [];
    const shape = results.shapeOf(cells[side]);
    boxes.model[side].classList.toggle("many", shape.E > 4);
    boxes.directions[side].previousSibling.textContent = showsNorms(shape) ?
      "Norms ‖Wᵢ‖, coloured by dimensionality Dᵢ" : "Directions: rows Wᵢ";
    const draw = { directions: () => drawDirections(boxes.directions[side], results, cells[side], reach),
      gram: () => drawGram(boxes.gram[side], results, cells[side], gramLargest),
      router: () => drawRouter(boxes.router[side], results, cells[side]) };
    return [...Object.entries(draw).map(([kind, make]) => have[side] ? make() : say(boxes[kind][side],
      results.exists(cells[side]) ? "No model in this cell." : `No model: ${results.reason(cells[side])}.`)),
      drawTraining(boxes.training[side], results, cells[side])];
  });
  byId("router").parentElement.hidden = both().every((results) => results.E === 1);
  byId("note-router").textContent = routerNote(both());
  byId("note-training").textContent = trainingNote(both());
  return Promise.all(drawn).then(() => performance.mark("models"));
};

const announce = () => {
  byId("live").textContent = both().map((results) => {
    const cell = chosenCell(results);
    return `${results.title}: ${settingWords(results, cell)}, ${stepWords(results)}, ` +
      `${results.lossWords} ${lossWords(results.loss(cell, snapshotOf(results)))}`;
  }).join("; ");
};

// What takes longer than a diagram is drawn once a held key or slider rests for a moment.
const waiting = new Set();
let pending = null, working = 0;
const later = (...drawings) => {
  drawings.forEach((draw) => waiting.add(draw));
  clearTimeout(pending);
  pending = setTimeout(async () => {
    const now = [...waiting];
    waiting.clear();
    pending = null;
    ++working;
    for (const draw of now) await draw();
    --working;
  }, 30);
};
const gallery = () => drawGallery(byId("gallery"), changeSide);
const redraw = (what) => {
  applyTheme(state);
  if (what.heads) {
    drawBoxes();
    drawHeads();
  }
  if (what.controls) controls = drawControls(byId("controls"), redraw);
  tooltip.hidden = true;  // it speaks of what was drawn before
  byId("title-diagram").textContent = state.quantity === "phase" ? "Phase diagram" : QUANTITIES[state.quantity].title;
  byId("legend").replaceChildren(...legendParts());
  drawDiagrams().then(() => performance.mark("diagrams"));
  drawCells();
  announce();
  later(drawModels, gallery);
  rememberState(Boolean(what.passing));
};

// Another cell was chosen: of the diagrams only the frame around it moves.
const moveCursor = () => {
  tooltip.hidden = true;
  shown().forEach((results, side) => {
    if (!results) return;
    const count = QUANTITIES[state.quantity].perExpert ? results.E : 1;
    if (boxes.diagram[side].data) Plotly.relayout(boxes.diagram[side], { shapes: cursorShapes(results, count) });
  });
  drawCells();
  announce();
  later(drawModels);
  rememberState(false);
};

const cellUnder = (results, event) => {
  const { x, y, customdata } = event.points[0];
  if (customdata !== undefined) return customdata;  // a point of a line
  return gridOf(results)[Math.round(y)]?.[Math.round(x)];
};
const listenToPointer = (div, side) => {
  div.listening = true;
  let clicked = null;  // is described below; its tooltip stays away until the pointer has left it
  div.addEventListener("pointerleave", () => { clicked = null; });
  div.on("plotly_hover", (event) => {
    const results = shown()[side], cell = cellUnder(results, event);
    if (cell === undefined || cell === clicked) return;
    clicked = null;
    const near = { x: event.event.clientX, y: event.event.clientY };
    showTooltip(tooltip, results, cell, panelBox(div, event.points[0]), near);
  });
  div.on("plotly_unhover", () => { tooltip.hidden = true; });
  div.on("plotly_click", (event) => {
    const results = shown()[side], cell = cellUnder(results, event);
    if (cell === undefined) return;
    clicked = cell;
    tooltip.hidden = true;
    choose(results, cell);
    moveCursor();
  });
};
const listenToKeys = (div, side) => {
  div.tabIndex = 0;
  div.setAttribute("role", "application");
  div.addEventListener("keydown", (event) => {
    const results = shown()[side], moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
      Home: [-Infinity, 0], End: [Infinity, 0] };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "[" || event.key === "]") controls.move(event.key === "[" ? -1 : 1);
    else if (event.key in moves) {
      const grid = gridOf(results), { column, row } = placeOf(results), [across, downwards] = moves[event.key];
      // Along a line, whichever of the two axes it is over, the keys go left and right.
      const [right, down] = lineOf(results)?.name === state.y ? [0, across] : [across, downwards];
      const within = (value, length) => Math.min(Math.max(value, 0), length - 1);
      choose(results, grid[within(row + down, grid.length)][within(column + right, grid[0].length)]);
      moveCursor();
    } else return;
    event.preventDefault();
  });
};

// On a phone the controls fold into one line, and stay open elsewhere.
const foldOnPhones = () => {
  const narrow = matchMedia("(max-width: 800px)"), fold = () => { byId("steer").open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
};

// The first two to lie side by side: a dense model and a mixture of the same n and m, where there are such.
const firstSides = (all) => {
  if (all.length === 1) return [0, null];
  for (const dense of all.filter((results) => results.E === 1)) {
    const like = all.filter((other) => other.E > 1 && other.n === dense.n && other.m === dense.m);
    if (like.length) return [dense.at, like[0].at];
  }
  return [0, 1];
};

const start = async () => {
  state.all = JSON.parse(byId("headers").textContent).map((header, at) => new Results(header, at));
  const sides = firstSides(state.all);
  state.sides = sides;
  await Promise.all(both().map((results) => results.load()));
  [state.x, state.y] = firstAxes(shown()[0]);
  for (const results of [...both()].reverse()) {
    // The middle, or the first cell after it that holds a model.
    const middle = results.extents.reduce((cell, extent) => cell * extent + Math.floor(extent / 2), 0);
    const order = Array.from({ length: results.cells }, (_, i) => (middle + i) % results.cells);
    choose(results, order.find((cell) => results.trained(cell)) ?? middle);
  }
  addresses.start = stateNow();
  const take = async (address) => {
    await readAddress(address);
    await changeSide(0, state.sides[0], true);  // an address that tells less is completed in place
  };
  await take(location.hash);
  addEventListener("popstate", async () => {
    Object.assign(state, structuredClone(addresses.start));
    await take(location.hash);
  });
  prefersDark.addEventListener("change", () => redraw({}));
  foldOnPhones();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;  // a phone's address bar changes the height alone
    width = innerWidth;
    redraw({});
  });
  document.documentElement.dataset.ready = "yes";
};

// For the browser's console: the results, what is shown, the measures, and a cell to choose.
window.phasegrid = { state, featureNorm, interference, dimensionality, score, gram, routerRegions, panelsOf,
  scalesOf, coloursOf, placeOf, usageOf, turned,
  chooseCell: (at, cell) => {
    choose(state.all[at], cell);
    redraw({});
  },
  busy: () => pending !== null || working > 0 || addresses.timer !== null };
start();
