// Measures of features against numbers by hand and against their definitions.
#include "phasegrid/metrics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "support/random_models.hpp"

namespace phasegrid {
namespace {

using testing::random_weights;

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
  const double dimensionalities[] = {25 / 25.36, 1 / 26.0, 0, 25 / 25.64};
  for (int f = 0; f < 4; ++f) {
    EXPECT_DOUBLE_EQ(feature_dimensionality(expert, 4, 2, f), dimensionalities[f]) << f;
  }
}

// Geometries of Elhage et al.: features alone in a dimension, antipodal pairs, and a regular polygon.
TEST(Metrics, DimensionalityOfKnownGeometries) {
  const std::vector<float> orthonormal = {0.6f, 0.8f, 0, -0.8f, 0.6f, 0, 0, 0, 1, 0, 0, 0};
  for (int f = 0; f < 3; ++f) EXPECT_NEAR(feature_dimensionality(orthonormal, 4, 3, f), 1, 1e-6) << f;
  EXPECT_EQ(feature_dimensionality(orthonormal, 4, 3, 3), 0);

  const std::vector<float> antipodal = {1, 0, -1, 0, 0, 0.5f, 0, -0.5f};
  for (int f = 0; f < 4; ++f) EXPECT_DOUBLE_EQ(feature_dimensionality(antipodal, 4, 2, f), 0.5) << f;

  for (int n : {3, 5, 8}) {
    std::vector<float> polygon;
    for (int f = 0; f < n; ++f) {
      polygon.push_back(static_cast<float>(0.7 * std::cos(2 * std::numbers::pi * f / n)));
      polygon.push_back(static_cast<float>(0.7 * std::sin(2 * std::numbers::pi * f / n)));
    }
    for (int f = 0; f < n; ++f) EXPECT_NEAR(feature_dimensionality(polygon, n, 2, f), 2.0 / n, 1e-6) << n << " " << f;
  }
}

TEST(Metrics, DimensionalitiesShareTheHiddenUnits) {
  for (const auto& [n, m] : {std::pair{4, 1}, {3, 2}, {20, 5}, {5, 8}}) {
    const auto expert = random_weights(static_cast<std::size_t>(n * m), static_cast<unsigned>(n + m));
    double sum = 0, smallest = 1, largest = 0;
    for (int f = 0; f < n; ++f) {
      const double D = feature_dimensionality(expert, n, m, f);
      const double square = std::pow(feature_norm(expert, n, m, f), 2);
      EXPECT_NEAR(D, square / (square + interference_by_definition(expert, n, m, f)), 1e-12);
      sum += D;
      smallest = std::min(smallest, D);
      largest = std::max(largest, D);
    }
    EXPECT_LE(sum, std::min(n, m) + 1e-12) << n << " " << m;
    EXPECT_GT(smallest, 0);
    EXPECT_LT(largest, 1);
  }
}

TEST(Metrics, MonosemanticFeaturesByHand) {
  // Feature 0 meets 0.19 of feature 1, which meets 1 x 0.19 / 1.018; 2 has no norm, 3 and 4 are antipodal.
  const std::vector<float> expert = {1, 0, 0, 0.19f, 1, 0, 0, 0, 0, 0, 0, 0.3f, 0, 0, -0.3f};
  EXPECT_EQ(monosemantic_features(expert, 5, 3), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(monosemantic_features(expert, 5, 3, 0.188), (std::vector<int>{1, 2}));
  EXPECT_EQ(monosemantic_features(expert, 5, 3, 0.186), (std::vector<int>{2}));
  EXPECT_EQ(monosemantic_features(expert, 5, 3, 0.2, 0.5), (std::vector<int>{0, 1}));
  EXPECT_EQ(monosemantic_features(expert, 5, 3, 0.4, 0.25), (std::vector<int>{0, 1, 3, 4}));
  EXPECT_EQ(monosemantic_features(expert, 5, 3, 0), std::vector<int>{});
}

// The 1e-5 added to a norm is of weight where the norm is of its size: 0.5 for 1e-5, against 1 without it.
TEST(Metrics, MonosemanticFeaturesOfSmallNorm) {
  const std::vector<float> expert = {1e-5f, 0.3f};
  EXPECT_EQ(monosemantic_features(expert, 2, 1), (std::vector<int>{0, 1}));
  EXPECT_NEAR(polysemanticity(expert, 2, 1, 0), 0.3, 1e-7);
}

TEST(Metrics, MonosemanticFeaturesByDefinition) {
  constexpr int n = 30, m = 10;
  int counted = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    auto expert = random_weights(n * m, seed);
    for (float& weight : expert) weight *= 0.1f;
    const std::vector<int> features = monosemantic_features(expert, n, m, 0.5);
    for (int f = 0; f < n; ++f) {
      const double score = std::sqrt(interference_by_definition(expert, n, m, f));  // norms here are far above 1e-5
      EXPECT_EQ(std::ranges::count(features, f), score < 0.5) << seed << " " << f;
    }
    counted += static_cast<int>(features.size());
  }
  EXPECT_GT(counted, 100);
  EXPECT_LT(counted, 500);
}

TEST(Metrics, OneFeatureHasNoInterference) {
  const std::vector<float> expert = {-0.5f, 0.0f};
  EXPECT_EQ(feature_dimensionality(expert, 1, 2, 0), 1);
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
  EXPECT_TRUE(std::isnan(feature_dimensionality(expert, 3, 2, 0)));
  EXPECT_EQ(monosemantic_features(expert, 3, 2), std::vector<int>{});
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
    if (cell != kWithout) results.take(cell, 0, {0.1f, 0.1f}, kTrained, model);
  }
  const FeatureMetrics metrics = feature_metrics(results);
  ASSERT_EQ(metrics.norm.size(), kCells * E * n);
  ASSERT_EQ(metrics.interference.size(), kCells * E * n);
  ASSERT_EQ(metrics.polysemanticity.size(), kCells * E * n);
  ASSERT_EQ(metrics.dimensionality.size(), kCells * E * n);
  for (std::size_t i = 0; i < metrics.norm.size(); ++i) {
    const std::size_t cell = i / (E * n), e = i / n % E;
    const int feature = static_cast<int>(i % n);
    if (cell == kWithout) {
      EXPECT_TRUE(std::isnan(metrics.norm[i]) && std::isnan(metrics.interference[i]) &&
                  std::isnan(metrics.polysemanticity[i]) && std::isnan(metrics.dimensionality[i]));
      continue;
    }
    const auto expert = results.expert_weights(cell).subspan(e * n * m, n * m);
    EXPECT_EQ(metrics.norm[i], static_cast<float>(feature_norm(expert, n, m, feature))) << i;
    EXPECT_EQ(metrics.interference[i], static_cast<float>(interference(expert, n, m, feature))) << i;
    EXPECT_EQ(metrics.polysemanticity[i], static_cast<float>(polysemanticity(expert, n, m, feature))) << i;
    EXPECT_EQ(metrics.dimensionality[i], static_cast<float>(feature_dimensionality(expert, n, m, feature))) << i;
  }
}

TEST(Metrics, UntrainedResultsAreAllNan) {
  const FeatureMetrics metrics = feature_metrics(results_of({2, 1, 1, 1}, 3));
  EXPECT_EQ(metrics.norm.size(), 6u);
  for (float value : metrics.polysemanticity) EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace phasegrid
