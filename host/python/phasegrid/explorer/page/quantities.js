// What a diagram can show. of(results, cell, e, feature, snapshot) -> number, not finite where there is none.
//   perExpert: a panel for each expert, else one for all; ofFeature: one feature is chosen
//   range(low, high): ends of the colours, where not the numbers' own
//   lacking(results): why results have none of it

const lacksUsage = (r) => r.E > 1 && !r.has("router_weights") ? "this file has no router weights" :
  r.E > 1 && !r.sparsities(0) ? "this file does not tell the sparsity" : null;

const QUANTITIES = {
  phase: { title: "Phase: norm and superposition", perExpert: true, ofFeature: true },
  reconstruction_loss: {
    title: "Reconstruction loss", of: (r, cell, e, i, t) => r.loss(cell, t, "reconstruction"),
    lacking: (r) => r.lossKinds.includes("reconstruction") ? null : "this file holds training losses alone",
  },
  training_loss: { title: "Training loss", of: (r, cell, e, i, t) => r.loss(cell, t, "training") },
  norm: {
    title: "Norm ‖Wᵢ‖", perExpert: true, ofFeature: true, range: (low, high) => [0, high],
    of: (r, cell, e, i, t) => featureNorm(r.expert(cell, e, t), r.n, r.shapeOf(cell).m, i),
  },
  interference: {
    title: "Interference Σⱼ≠ᵢ(Ŵᵢ·Wⱼ)²", perExpert: true, ofFeature: true, range: (low, high) => [0, high],
    of: (r, cell, e, i, t) => interference(r.expert(cell, e, t), r.n, r.shapeOf(cell).m, i),
  },
  dimensionality: {
    title: "Feature dimensionality Dᵢ", perExpert: true, ofFeature: true, range: () => [0, 1],
    of: (r, cell, e, i, t) => dimensionality(r.expert(cell, e, t), r.n, r.shapeOf(cell).m, i),
  },
  usage: {
    title: "Usage: share of non-zero inputs", perExpert: true, range: () => [0, 1], lacking: lacksUsage,
    of: (r, cell, e, i, t) => usageOf(r, cell, t)?.active[e] ?? NaN,
  },
  features_per_dimension: {
    title: "Features per dimension", range: (low, high) => [0, high], lacking: lacksUsage,
    of: (r, cell, e, i, t) => {
      const gate = usageOf(r, cell, t)?.gate, { n, m, topK } = r.shapeOf(cell);
      return gate ? featuresPerDimension(r.weights(cell, t), gate, n, m, topK) : NaN;
    },
  },
  capacity: {
    title: "Capacity Σₑ Σᵢ Dᵢ", range: (low, high) => [0, high],
    of: (r, cell, e, i, t) => {
      const { E, n, m } = r.shapeOf(cell);
      return capacity(r.weights(cell, t), E, n, m);
    },
  },
};

// Whether a panel of the quantity speaks of an expert's weights, which mean little where it is starved.
const tellsStarved = (results) => {
  const { perExpert, ofFeature } = QUANTITIES[state.quantity];
  return perExpert && ofFeature && results.E > 1 && lacksUsage(results) === null;
};
