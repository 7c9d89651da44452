// How a model represents its features: the measures of paper sections 3.2 and 4.
#pragma once

#include <span>
#include <vector>

#include "phasegrid/results.hpp"

namespace phasegrid {

// Measures of feature i in one expert, W [n][m] row-major, W_i its i-th row and Ŵ_i = W_i / ||W_i||. All are 0 for
// W_i = 0.
// ||W_i||: near 1 when the feature is fully represented. Paper 3.2.
double feature_norm(std::span<const float> expert, int n_features, int n_hidden, int feature);
// sum over j != i of (Ŵ_i . W_j)^2. Paper 3.2.
double interference(std::span<const float> expert, int n_features, int n_hidden, int feature);
// The square root of the interference, as Figures 1 and 2 colour it (authors' notebook demo-superposition).
double polysemanticity(std::span<const float> expert, int n_features, int n_hidden, int feature);

// Measures of every feature in every expert of every kept model: arrays [cell][E][n]; NaN where no model was kept.
struct FeatureMetrics {
  std::vector<float> norm;
  std::vector<float> interference;
  std::vector<float> polysemanticity;
};
FeatureMetrics feature_metrics(const Results& results);

}  // namespace phasegrid
