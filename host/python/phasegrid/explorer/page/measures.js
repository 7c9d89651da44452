// Measures of a model, as include/phasegrid/metrics.hpp defines them. W is one expert's [n][m], row-major, float32;
// sums are of float64. A feature of norm 0 scores 0.

const dot = (W, m, i, j) => {
  let sum = 0;
  for (let h = 0; h < m; ++h) sum += W[i * m + h] * W[j * m + h];
  return sum;
};

// ||W_i||
const featureNorm = (W, n, m, i) => Math.sqrt(dot(W, m, i, i));

// sum over j != i of (W_i / ||W_i|| . W_j)^2
const interference = (W, n, m, i) => {
  const square = dot(W, m, i, i);
  if (square === 0) return 0;
  let sum = 0;
  for (let j = 0; j < n; ++j) if (j !== i) sum += dot(W, m, i, j) ** 2;
  return sum / square;
};

// ||W_i||^2 / sum over all j of (W_i / ||W_i|| . W_j)^2: the share of a dimension that the feature has to itself.
const dimensionality = (W, n, m, i) => {
  const square = dot(W, m, i, i);
  return square === 0 ? 0 : square / (square + interference(W, n, m, i));
};

// Superposition score of the phase colours. paper: over j != i; authors: over all j, as their notebook has it.
const score = (W, n, m, i, kind) => interference(W, n, m, i) + (kind === "authors" ? dot(W, m, i, i) : 0);

// W W^T as rows.
const gram = (W, n, m) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => dot(W, m, i, j)));

// The k experts that an input x [n] is routed to by G [E][n], by falling score, ties to the lower expert.
const route = (G, E, n, k, x) => {
  const scores = Array.from({ length: E }, (_, e) => {
    let sum = 0;
    for (let f = 0; f < n; ++f) sum += G[e * n + f] * x[f];
    return sum;
  });
  const order = scores.map((_, e) => e).sort((a, b) => scores[b] - scores[a] || a - b).slice(0, k);
  const powers = order.map((e) => Math.exp(scores[e] - scores[order[0]]));
  const total = powers.reduce((a, b) => a + b, 0);
  return { experts: order, gates: powers.map((power) => power / total) };
};

// Numbers in [0, 1), the same on every visit (mulberry32).
const uniforms = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

// Over inputs drawn as in training (feature f present with probability 1 - sparsity_f, uniform in 0..1): the share of
// them that each expert is active for, and its mean gate. From `samples` draws, so good to about 1 / sqrt(samples).
const expertUsage = (G, E, n, k, sparsities, samples = 2000) => {
  const draw = uniforms(1), active = Array(E).fill(0), gate = Array(E).fill(0);
  const x = new Float64Array(n);
  for (let sample = 0; sample < samples; ++sample) {
    for (let f = 0; f < n; ++f) x[f] = draw() < sparsities[f] ? 0 : draw();
    const { experts, gates } = route(G, E, n, k, x);
    experts.forEach((e, rank) => {
      active[e] += 1 / samples;
      gate[e] += gates[rank] / samples;
    });
  }
  return { active, gate };
};

// What a diagram can show. of(results, cell, e, feature, snapshot) -> number. `perExpert` false: one panel for all.
const QUANTITIES = {
  phase: { title: "Phase: norm and superposition", perExpert: true },
  loss: { title: "Loss of the kept model", perExpert: false, of: (r, cell, e, i, t) => r.loss(cell, t) },
  norm: {
    title: "Norm ‖Wᵢ‖", perExpert: true,
    of: (r, cell, e, i, t) => featureNorm(r.expert(cell, e, t), r.n, r.m, i),
  },
  interference: {
    title: "Interference Σⱼ≠ᵢ(Ŵᵢ·Wⱼ)²", perExpert: true,
    of: (r, cell, e, i, t) => interference(r.expert(cell, e, t), r.n, r.m, i),
  },
  dimensionality: {
    title: "Feature dimensionality Dᵢ", perExpert: true,
    of: (r, cell, e, i, t) => dimensionality(r.expert(cell, e, t), r.n, r.m, i),
  },
};
