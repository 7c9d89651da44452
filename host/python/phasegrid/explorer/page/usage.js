// Which inputs the experts get: usage over inputs drawn as in training, those of them that are not all zero. The all-zero
// input ties in every router and goes to the first expert; at high sparsity, where most inputs are all zero, counting it
// would tell which expert is the first one.

const STARVED = 0.01;  // share of the non-zero inputs below which an expert says little about how features are represented
const MOST_INPUTS = 2000, FEWEST_INPUTS = 250;  // for a usage: good to about 1 / sqrt of it
const MOST_WORK = 2e8;  // products of a weight and a value, for the usage of every cell of a diagram

// Numbers in [0, 1), the same on every visit (mulberry32).
const uniforms = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

// Inputs that are not all zero, of features present with probability 1 - sparsity and then uniform in 0..1: for each, where
// its present features start, which they are and their values. Drawn exactly: the first present feature by its chance of
// being that, then those behind it. null where no input can be non-zero.
const nonzeroInputs = (sparsities, count) => {
  const draw = uniforms(1), starts = [0], features = [], values = [];
  const first = [];  // chance that no feature up to f is present
  sparsities.reduce((none, sparsity) => (first.push(none * sparsity), none * sparsity), 1);
  const some = 1 - first.at(-1);
  if (!(some > 0)) return null;
  const last = sparsities.findLastIndex((sparsity) => sparsity < 1);
  for (let sample = 0; sample < count; ++sample) {
    const at = draw() * some;
    let f = first.findIndex((none) => 1 - none > at);
    if (f < 0) f = last;
    for (; f < sparsities.length; ++f) {
      if (features.length > starts.at(-1) && draw() < sparsities[f]) continue;
      features.push(f);
      values.push(draw());
    }
    starts.push(features.length);
  }
  return { count, starts: Int32Array.from(starts), features: Int32Array.from(features), values: Float64Array.from(values) };
};

// Of each expert, for routers G [E][n] that choose k: the share of the inputs that is routed to it, and its mean gate.
// Ties go to the lower expert.
const expertUsage = (G, E, n, k, inputs) => {
  const { count, starts, features, values } = inputs;
  const active = Array(E).fill(0), gate = Array(E).fill(0);
  const scores = new Float64Array(E), chosen = new Int32Array(k), powers = new Float64Array(k);
  for (let sample = 0; sample < count; ++sample) {
    for (let e = 0; e < E; ++e) {
      let sum = 0;
      for (let at = starts[sample]; at < starts[sample + 1]; ++at) sum += G[e * n + features[at]] * values[at];
      scores[e] = sum;
    }
    let highest = 0, total = 0;
    for (let rank = 0; rank < k; ++rank) {
      let best = 0;
      for (let e = 1; e < E; ++e) if (scores[e] > scores[best]) best = e;
      if (rank === 0) highest = scores[best];
      chosen[rank] = best;
      total += powers[rank] = Math.exp(scores[best] - highest);
      scores[best] = -Infinity;
    }
    for (let rank = 0; rank < k; ++rank) {
      active[chosen[rank]] += 1 / count;
      gate[chosen[rank]] += powers[rank] / total / count;
    }
  }
  return { active, gate };
};

// How many inputs a results' usages are measured over: fewer where all its cells would take long.
const inputCount = (results) => {
  const present = results.n - (results.sparsities(0) ?? []).reduce((sum, sparsity) => sum + sparsity, 0);
  const each = results.cells * results.E * Math.max(1, present);
  return Math.round(Math.min(Math.max(MOST_WORK / each, FEWEST_INPUTS), MOST_INPUTS));
};

const inputsBySparsity = new Map(), usages = new Map();
const remembered = (map, key, make) => {
  if (!map.has(key)) map.set(key, make());
  return map.get(key);
};

// Usage in a cell; null where the file tells no router weights or no sparsity, or where there is no model.
const usageOf = (results, cell, snapshot) => {
  const { E, n, topK } = results.shapeOf(cell);
  if (topK > E) return null;
  if (E === 1) return { active: [1], gate: [1] };
  const G = results.router(cell, snapshot), sparsities = results.sparsities(cell);
  if (!G || !sparsities || !Number.isFinite(G[0])) return null;
  return remembered(usages, `${results.at} ${snapshot} ${cell}`, () => {
    const count = inputCount(results);
    const inputs = remembered(inputsBySparsity, `${count} ${sparsities}`, () => nonzeroInputs(sparsities, count));
    return inputs && expertUsage(G, E, n, topK, inputs);
  });
};

const starved = (results, cell, e, snapshot) => (usageOf(results, cell, snapshot)?.active[e] ?? 1) < STARVED;
