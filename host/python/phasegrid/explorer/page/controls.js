// The controls above the diagrams, and the legend of the colours.

const option = (value, text) => element("option", { value, textContent: text });
const labelled = (text, id, ...controls) => {
  controls[0].id = id;
  return element("label", { htmlFor: id }, text, ...controls);
};
const select = (options, value, onChange) => {
  const made = element("select", {}, ...options);
  made.value = value;
  made.addEventListener("change", () => onChange(made.value));
  return made;
};
const tick = (text, id, checked, onChange) => {
  const box = element("input", { type: "checkbox", id, checked });
  box.addEventListener("change", () => onChange(box.checked));
  return element("label", { className: "tick", htmlFor: id }, box, text);
};
// A slider over a list of values, with the word for the current one.
const slider = (text, id, values, at, word, onInput) => {
  const range = element("input", { type: "range", id, min: 0, max: values.length - 1, step: 1, value: at });
  const output = element("output", { textContent: word(at) });
  const show = (index) => {
    range.value = index;
    range.setAttribute("aria-valuetext", word(index));
    output.textContent = word(index);
  };
  show(at);
  range.addEventListener("input", () => {
    show(Number(range.value));
    onInput(Number(range.value));
  });
  const group = element("div", { className: "group" }, element("label", { htmlFor: id, textContent: text }),
    element("div", { className: "row" }, range, output));
  return { group, range, show };
};

const snapshotSteps = () => [...new Set(both().filter((results) => results.hasSnapshots)
  .flatMap((results) => Array.from(results.arrays.snapshot_steps)))].sort((a, b) => a - b);

const legendParts = () => {
  const colours = palette(state);
  const gap = element("span", {}, element("span", { className: "swatch", style: `background: rgb(${GAP.join(",")})` }), "no model");
  const swatch = (colour, text) => element("span", {},
    element("span", { className: "swatch", style: `background: rgb(${colour.join(",")})` }), text);
  const hatched = both().some(tellsStarved) ? [element("span", {}, element("span", { className: "swatch hatched" }),
    "expert gets under 1 % of the non-zero inputs")] : [];
  if (state.quantity !== "phase") return [element("div", { className: "words" }, gap, ...hatched)];
  const canvas = element("canvas", { width: 84, height: 46, "aria-hidden": "true" });
  const context = canvas.getContext("2d"), image = context.createImageData(84, 46);
  for (let y = 0; y < 46; ++y) {
    for (let x = 0; x < 84; ++x) image.data.set([...phaseColour(1 - y / 45, x / 83, colours.phases), 255], 4 * (84 * y + x));
  }
  context.putImageData(image, 0, 0);
  return [element("div", { title: "up: norm; right: superposition score" }, canvas), element("div", { className: "words" },
    swatch([255, 255, 255], "ignored"), swatch(colours.phases[0], "monosemantic"), gap, swatch(colours.phases[1], "superposed"), ...hatched)];
};

// Builds all controls anew; `change(what)` redraws. Returns what moves the snapshot slider.
const drawControls = (root, change) => {
  const list = both(), names = varying(list), parts = [];
  const set = (key, value, controls = true) => {
    state[key] = value;
    change({ controls });
  };
  parts.push(labelled("Colour", "quantity", select(
    Object.entries(QUANTITIES).map(([key, { title }]) => option(key, title)), state.quantity, (value) => {
      state.shared = sharedAtFirst(value);
      set("quantity", value);
    })));
  if (QUANTITIES[state.quantity].ofFeature) {
    const most = Math.max(...list.map((results) => results.n));
    parts.push(labelled("Feature", "feature", select([option("last", "last"),
      ...Array.from({ length: most }, (_, i) => option(i, i + 1))], state.feature === null ? "last" : state.feature,
      (value) => set("feature", value === "last" ? null : Number(value), false))));
  }
  if (state.quantity === "phase") {
    parts.push(labelled("Superposition score", "score", select([option("paper", "over j ≠ i (paper)"),
      option("authors", "over all j (authors’ code)")], state.score, (value) => set("score", value, false))));
  }
  if (names.length > 1) {
    for (const [key, text, other] of [["x", "Across", "y"], ["y", "Down", "x"]]) {
      parts.push(labelled(text, `axis-${key}`, select(names.map((name) => option(name, words(name))), state[key], (value) => {
        if (state[other] === value) state[other] = state[key];
        set(key, value);
      })));
    }
  }
  for (const name of names) {
    if (name === state.x || name === state.y) continue;
    const values = [...new Set(list.flatMap((results) => results.dimension(name)?.values ?? []))].sort((a, b) => a - b);
    const at = values.reduce((best, value, i) => Math.abs(value - state.at[name]) < Math.abs(values[best] - state.at[name]) ? i : best, 0);
    parts.push(slider(words(name), `at-${name}`, values, at, (index) => short(values[index]), (index) => {
      state.at[name] = values[index];
      change({});
    }).group);
  }
  const steps = snapshotSteps();
  let move = () => {};
  if (steps.length) {
    const last = steps.length, word = (index) => index === last ? "end" : `step ${steps[index]}`;
    const index = () => state.step === null ? last : Math.max(0, steps.indexOf(state.step));
    const go = (to, passing) => {
      state.step = to === last ? null : steps[to];
      change({ passing });
    };
    const made = slider("Snapshot", "snapshot", [...steps, null], index(), word, go);
    move = (by, passing = false) => {
      const to = Math.min(Math.max(index() + by, 0), last);
      if (to === index()) return false;
      made.show(to);
      go(to, passing);
      return true;
    };
    made.group.lastChild.append(playButton(move, () => index() === last, () => {
      made.show(0);
      go(0, true);
    }));
    parts.push(made.group);
  }
  parts.push(tick("one scale for all panels", "shared", state.shared, (value) => set("shared", value, false)));
  parts.push(tick("colour-blind-safe", "safe", state.safe, (value) => set("safe", value)));
  parts.push(labelled("Page", "theme", select([option("auto", "as the system"), option("light", "light"), option("dark", "dark")],
    state.theme, (value) => set("theme", value, false))));
  root.replaceChildren(...parts);
  document.getElementById("steer-now").textContent = QUANTITIES[state.quantity].title;
  return { move };
};

// Plays the snapshots, from the first where the last is shown.
const playButton = (move, atEnd, rewind) => {
  const button = element("button", { type: "button", id: "play", textContent: "▶", "aria-label": "play the snapshots" });
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "▶";
    button.setAttribute("aria-label", "play the snapshots");
  };
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (atEnd()) rewind();
    button.textContent = "❚❚";
    button.setAttribute("aria-label", "pause");
    timer = setInterval(() => { if (!button.isConnected || !move(1, true)) stop(); }, 500);
  });
  return button;
};
