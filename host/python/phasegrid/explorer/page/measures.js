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

// sum over experts and features of D_i: at most E m.
const capacity = (weights, E, n, m) => {
  let sum = 0;
  for (let e = 0; e < E; ++e) {
    const W = weights.subarray(e * n * m, (e + 1) * n * m);
    for (let i = 0; i < n; ++i) sum += dimensionality(W, n, m, i);
  }
  return sum;
};

// sum over experts of p_e ||W_e||_F^2 / (m k), for their mean gates p.
const featuresPerDimension = (weights, gate, n, m, k) => {
  let sum = 0;
  weights.forEach((weight, at) => { sum += gate[Math.floor(at / (n * m))] * weight * weight; });
  return sum / (m * k);
};
