// The whole state in the page's address, behind the #: a link shows a colleague the same cell in the same way, and the
// browser's back and forward buttons undo and redo choices. What an address does not say, or says of things that these
// results do not have, stays as the page starts.

const KEEP = ["sides", "x", "y", "at", "step", "quantity", "score", "feature", "shared", "safe", "theme", "turn"];
const stateNow = () => structuredClone(Object.fromEntries(KEEP.map((key) => [key, state[key]])));

const addressOf = (start) => {
  const parts = new URLSearchParams();
  shown().forEach((results, side) => parts.set(sideNames[side], results ? results.name : "none"));
  parts.set("across", state.x);
  if (state.y !== null) parts.set("down", state.y);
  Object.entries(state.at).forEach(([name, value]) => parts.set(`at.${name}`, value));
  parts.set("colour", state.quantity);
  parts.set("feature", state.feature === null ? "last" : state.feature + 1);
  if (state.step !== null) parts.set("step", state.step);
  const differs = (key) => String(state[key]) !== String(start[key]);
  if (differs("score")) parts.set("score", state.score);
  if (state.shared !== sharedAtFirst(state.quantity)) parts.set("scale", state.shared ? "one" : "own");
  if (differs("safe")) parts.set("palette", state.safe ? "safe" : "paper");
  if (differs("theme")) parts.set("theme", state.theme);
  if (differs("turn")) parts.set("turn", state.turn.map((angle) => angle.toFixed(3)).join(","));
  return `#${parts}`;
};

// Takes over what an address says; loads the results that it names.
const readAddress = async (address) => {
  const parts = new URLSearchParams(address.replace(/^#/, ""));
  const choice = (key, allowed) => allowed.includes(parts.get(key)) ? parts.get(key) : null;
  const named = (name) => state.all.find((results) => results.name === name)?.at;
  state.sides = [named(parts.get("left")) ?? state.sides[0],
    parts.get("right") === "none" ? null : named(parts.get("right")) ?? state.sides[1]];
  await Promise.all(both().map((results) => results.load()));
  const names = state.all.flatMap((results) => results.dimensions.map((dimension) => dimension.name));
  state.x = choice("across", names) ?? state.x;
  state.y = choice("down", names) ?? state.y;
  if (state.x === state.y) state.y = null;
  for (const name of new Set(names)) {
    const value = parseFloat(parts.get(`at.${name}`));
    if (Number.isFinite(value)) state.at[name] = value;
  }
  state.quantity = choice("colour", Object.keys(QUANTITIES)) ?? state.quantity;
  const feature = parseInt(parts.get("feature"), 10), step = parseInt(parts.get("step"), 10);
  state.feature = feature >= 1 ? feature - 1 : null;
  state.step = snapshotSteps().includes(step) ? step : null;
  state.score = choice("score", ["paper", "authors"]) ?? state.score;
  state.shared = { one: true, own: false }[parts.get("scale")] ?? sharedAtFirst(state.quantity);
  state.safe = choice("palette", ["paper", "safe"]) ? parts.get("palette") === "safe" : state.safe;
  state.theme = choice("theme", ["auto", "light", "dark"]) ?? state.theme;
  const turn = (parts.get("turn") ?? "").split(",").map(Number);
  if (turn.length === 2 && turn.every(Number.isFinite)) state.turn = turn;
};

// Writes the address once changes rest; `passing`: without a place of its own in the browser's history.
const addresses = { start: null, timer: null, push: false };
const rememberState = (passing) => {
  addresses.push ||= !passing;
  clearTimeout(addresses.timer);
  addresses.timer = setTimeout(() => {
    const address = addressOf(addresses.start), how = addresses.push ? "pushState" : "replaceState";
    Object.assign(addresses, { timer: null, push: false });
    if (address === location.hash) return;
    try {
      history[how](null, "", address);
    } catch {  // a page inside another, or too many at once: works on without
    }
  }, 150);
};
