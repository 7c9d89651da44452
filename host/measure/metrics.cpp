#include "phasegrid/metrics.hpp"

#include <cmath>
#include <limits>

namespace phasegrid {
namespace {

double dot(std::span<const float> expert, int n_hidden, int i, int j) {
  double sum = 0;
  for (int h = 0; h < n_hidden; ++h) {
    sum += static_cast<double>(expert[static_cast<std::size_t>(i * n_hidden + h)]) *
           static_cast<double>(expert[static_cast<std::size_t>(j * n_hidden + h)]);
  }
  return sum;
}

// D_i, from ||W_i||^2 and the interference: the sum over all j is that over j != i and ||W_i||^2.
double dimensionality_from(double square, double shared) { return square == 0 ? 0 : square / (square + shared); }

}  // namespace

double feature_norm(std::span<const float> expert, int, int n_hidden, int feature) {
  return std::sqrt(dot(expert, n_hidden, feature, feature));
}

double interference(std::span<const float> expert, int n_features, int n_hidden, int feature) {
  const double square = dot(expert, n_hidden, feature, feature);
  if (square == 0) return 0;
  double sum = 0;
  for (int j = 0; j < n_features; ++j) {
    if (j == feature) continue;
    const double product = dot(expert, n_hidden, feature, j);
    sum += product * product / square;
  }
  return sum;
}

double polysemanticity(std::span<const float> expert, int n_features, int n_hidden, int feature) {
  return std::sqrt(interference(expert, n_features, n_hidden, feature));
}

double feature_dimensionality(std::span<const float> expert, int n_features, int n_hidden, int feature) {
  return dimensionality_from(dot(expert, n_hidden, feature, feature),
                             interference(expert, n_features, n_hidden, feature));
}

std::vector<int> monosemantic_features(std::span<const float> expert, int n_features, int n_hidden, double threshold,
                                       double least_norm) {
  std::vector<int> features;
  for (int i = 0; i < n_features; ++i) {
    const double norm = feature_norm(expert, n_features, n_hidden, i);
    double sum = 0;
    for (int j = 0; j < n_features; ++j) {
      const double product = j == i ? 0 : dot(expert, n_hidden, i, j) / (1e-5 + norm);
      sum += product * product;
    }
    if (std::sqrt(sum) < threshold && norm >= least_norm) features.push_back(i);
  }
  return features;
}

FeatureMetrics feature_metrics(const Results& results) {
  const Shape& shape = results.sweep.shape;
  const std::size_t count = results.cells() * static_cast<std::size_t>(shape.n_experts * shape.n_features);
  FeatureMetrics metrics;
  for (auto* array : {&metrics.norm, &metrics.interference, &metrics.polysemanticity, &metrics.dimensionality}) {
    array->assign(count, std::numeric_limits<float>::quiet_NaN());  // as it stays where there is no such expert
  }
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const ModelView model = kept_model(results, cell);
    const int m = model.shape.n_hidden;
    auto at = cell * static_cast<std::size_t>(shape.n_experts * shape.n_features);
    for (int e = 0; e < model.shape.n_experts; ++e) {
      const auto expert = model.expert(e);
      for (int f = 0; f < shape.n_features; ++f, ++at) {
        const double shared = interference(expert, shape.n_features, m, f);  // NaN where none was kept
        metrics.norm[at] = static_cast<float>(feature_norm(expert, shape.n_features, m, f));
        metrics.interference[at] = static_cast<float>(shared);
        metrics.polysemanticity[at] = static_cast<float>(std::sqrt(shared));
        metrics.dimensionality[at] = static_cast<float>(dimensionality_from(dot(expert, m, f, f), shared));
      }
    }
  }
  return metrics;
}

}  // namespace phasegrid
