// Measures of features against numbers by hand and against their definitions.
#include "phasegrid/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace phasegrid {
namespace {

// Sum over j != i of (W_i / |W_i| . W_j)^2, written as the paper does: normalise first.
double interference_by_definition(const std::vector<float>& expert, int n, int m, int feature) {
  auto W = [&](int i, int h) { return static_cast<double>(expert[static_cast<std::size_t>(i * m + h)]); };
  double square = 0;
  for (int h = 0; h < m; ++h) square += W(feature, h) * W(feature, h);
  double sum = 0;
  for (int j = 0; j < n; ++j) {
    double product = 0;
    for (int h = 0; h < m; ++h) product += W(feature, h) / std::sqrt(square) * W(j, h);
    if (j != feature) sum += product * product;
  }
  return sum;
}

std::vector<float> random_weights(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> weights(count);
  for (float& weight : weights) weight = normal(random);
  return weights;
}

Results results_of(const Shape& shape, int cells) {
  Sweep sweep;
  sweep.shape = shape;
  sweep.restarts = 1;
  sweep.axes = {{AxisName::sparsity, range(0, 0.1 * (cells - 1), 0.1)}};
  return Results(sweep);
}

TEST(Metrics, ByHand) {
  // Rows (3, 4), (1, 0), (0, 0), (-4, 3).
  const std::vector<float> expert = {3, 4, 1, 0, 0, 0, -4, 3};
  const double norms[] = {5, 1, 0, 5};
  // Feature 0: (0.6)^2 + 0 + 0; feature 1: 3^2 + 0 + 4^2; feature 3: 0 + 0.8^2 + 0.
  const double interferences[] = {0.36, 25, 0, 0.64};
  for (int f = 0; f < 4; ++f) {
    EXPECT_DOUBLE_EQ(feature_norm(expert, 4, 2, f), norms[f]) << f;
    EXPECT_DOUBLE_EQ(interference(expert, 4, 2, f), interferences[f]) << f;
    EXPECT_DOUBLE_EQ(polysemanticity(expert, 4, 2, f), std::sqrt(interferences[f])) << f;
  }
}

TEST(Metrics, OneFeatureHasNoInterference) {
  const std::vector<float> expert = {-0.5f, 0.0f};
  EXPECT_EQ(feature_norm(expert, 1, 2, 0), 0.5);
  EXPECT_EQ(interference(expert, 1, 2, 0), 0);
  EXPECT_EQ(polysemanticity(expert, 1, 2, 0), 0);
}

TEST(Metrics, SmallestWeightsStillHaveADirection) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> expert = {tiny, 0, 0.5f, 0.25f};
  EXPECT_EQ(feature_norm(expert, 2, 2, 0), static_cast<double>(tiny));
  EXPECT_DOUBLE_EQ(interference(expert, 2, 2, 0), 0.25);
}

TEST(Metrics, DefinitionOnRandomWeights) {
  for (const auto& [n, m] : {std::pair{2, 1}, {3, 2}, {8, 3}, {20, 5}}) {
    const auto expert = random_weights(static_cast<std::size_t>(n * m), static_cast<unsigned>(n));
    for (int f = 0; f < n; ++f) {
      const double expected = interference_by_definition(expert, n, m, f);
      EXPECT_NEAR(interference(expert, n, m, f), expected, 1e-12 * expected) << n << " " << m << " " << f;
      EXPECT_NEAR(polysemanticity(expert, n, m, f), std::sqrt(expected), 1e-12 * expected);
    }
  }
}

TEST(Metrics, NanRowsStayNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> expert = {nan, 1, 0, 2, 0, 0};
  EXPECT_TRUE(std::isnan(feature_norm(expert, 3, 2, 0)));
  EXPECT_TRUE(std::isnan(interference(expert, 3, 2, 0)));
  EXPECT_TRUE(std::isnan(polysemanticity(expert, 3, 2, 0)));
  EXPECT_EQ(feature_norm(expert, 3, 2, 1), 2);
  EXPECT_TRUE(std::isnan(interference(expert, 3, 2, 1)));  // it cannot be known
  EXPECT_EQ(interference(expert, 3, 2, 2), 0);             // a row of zeros has none
}

TEST(Metrics, EveryCellExpertAndFeature) {
  const Shape shape{4, 2, 3, 2};
  constexpr std::size_t kCells = 5, kWithout = 2, E = 3, n = 4, m = 2;
  Results results = results_of(shape, kCells);
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    const auto model = random_weights(static_cast<std::size_t>(shape.parameter_count()), static_cast<unsigned>(cell));
    if (cell != kWithout) results.take(cell, 0, 0.1f, kTrained, model);
  }
  const FeatureMetrics metrics = feature_metrics(results);
  ASSERT_EQ(metrics.norm.size(), kCells * E * n);
  ASSERT_EQ(metrics.interference.size(), kCells * E * n);
  ASSERT_EQ(metrics.polysemanticity.size(), kCells * E * n);
  for (std::size_t i = 0; i < metrics.norm.size(); ++i) {
    const std::size_t cell = i / (E * n), e = i / n % E;
    const int feature = static_cast<int>(i % n);
    if (cell == kWithout) {
      EXPECT_TRUE(std::isnan(metrics.norm[i]) && std::isnan(metrics.interference[i]) &&
                  std::isnan(metrics.polysemanticity[i]));
      continue;
    }
    const auto expert = results.expert_weights(cell).subspan(e * n * m, n * m);
    EXPECT_EQ(metrics.norm[i], static_cast<float>(feature_norm(expert, n, m, feature))) << i;
    EXPECT_EQ(metrics.interference[i], static_cast<float>(interference(expert, n, m, feature))) << i;
    EXPECT_EQ(metrics.polysemanticity[i], static_cast<float>(polysemanticity(expert, n, m, feature))) << i;
  }
}

TEST(Metrics, UntrainedResultsAreAllNan) {
  const FeatureMetrics metrics = feature_metrics(results_of({2, 1, 1, 1}, 3));
  EXPECT_EQ(metrics.norm.size(), 6u);
  for (float value : metrics.polysemanticity) EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace phasegrid
