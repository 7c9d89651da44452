// What the page shows now, and the few questions about it that every drawing asks.

const state = {
  all: [],  // every Results
  sides: [0, null],  // which lie left and right; right may be none
  x: null, y: null,  // axes of the diagrams; y is null where only one varies
  at: {},  // the chosen settings, by name of the axis
  step: null,  // snapshot shown: that last taken by this step; null for the end of training
  quantity: "phase", score: "paper",
  feature: null,  // null: the last of each model
  shared: false,  // one colour scale for all panels of both sides
  safe: false,
  theme: "auto",  // or light, dark
  turn: [0.6, 0.45],  // how models of three hidden units are turned: around the upright axis, and up; radians
};

// Phases are each on a scale of their own, as published; numbers on one for all panels.
const sharedAtFirst = (quantity) => quantity !== "phase";

const sideNames = ["left", "right"];
const shown = () => state.sides.map((at) => at === null ? null : state.all[at]);
const both = () => shown().filter(Boolean);
const featureOf = (results) => state.feature === null ? results.n - 1 : Math.min(state.feature, results.n - 1);
const chosenCell = (results) => results.cellOf(state.at);
const snapshotOf = (results) => results.snapshotAt(state.step);

// Axes that vary in any results, and those of one results' diagram: its cells [row][column].
const varying = (list) => [...new Set(list.flatMap((results) =>
  results.dimensions.filter((dimension) => dimension.values.length > 1).map((dimension) => dimension.name)))];
const gridOf = (results) => {
  const columns = results.length(state.x), rows = state.y ? results.length(state.y) : 1;
  return Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) =>
    results.cellOf(state.at, { [state.x]: column, ...(state.y ? { [state.y]: row } : {}) })));
};
const placeOf = (results) => ({
  column: results.nearest(state.x, state.at[state.x]),
  row: state.y ? results.nearest(state.y, state.at[state.y]) : 0,
});
const choose = (results, cell) => Object.entries(results.settingsOf(cell)).forEach(([name, value]) => {
  if (value !== null && results.length(name) > 1) state.at[name] = value;
});

// "sparsity 0.7 · last importance 1.2"
const settingWords = (results, cell) => {
  const settings = Object.entries(results.settingsOf(cell));
  const telling = settings.filter(([name, value]) => value !== null && (results.length(name) > 1 || settings.length < 3));
  return telling.map(([name, value]) => `${words(name)} ${short(value)}`).join(" · ");
};

const stepWords = (results) => {
  const snapshot = snapshotOf(results);
  return snapshot === null ? "end of training" : `after step ${results.arrays.snapshot_steps[snapshot]}`;
};

// The two axes that a diagram starts with: sparsity down and importance across where both vary, as in the paper; else
// the longest that do.
const firstAxes = (results) => {
  const names = varying([results]);
  if (names.includes("sparsity") && names.includes("last_importance")) return ["last_importance", "sparsity"];
  const longest = names.sort((a, b) => results.length(b) - results.length(a));
  if (!longest.length) return ["last_importance", null];
  if (longest.includes("sparsity") && longest.length > 1) {
    return [longest.find((name) => name !== "sparsity"), "sparsity"];
  }
  return [longest[0], longest[1] ?? null];
};
