// Appendix A.3: which regions of a router are closed under scaling and addition.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "phasegrid/constructions.hpp"
#include "support/random_models.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;
using testing::OwnedModel;
using testing::route_by_definition;

constexpr int kSamples = 5000;

TEST(Cones, RegionsOfOneExpertAreClosedForK1) {
  for (const Shape& shape : {Shape{2, 1, 3, 1}, {5, 1, 2, 1}, {20, 1, 4, 1}, {100, 1, 10, 1}}) {
    for (unsigned seed = 0; seed < 5; ++seed) {
      const auto counts = cone_violations(OwnedModel(shape, seed).view(), kSamples, seed);
      EXPECT_EQ(counts.scaled, kSamples);
      EXPECT_EQ(counts.scaling, 0);
      EXPECT_EQ(counts.set_addition, 0);
      EXPECT_EQ(counts.expert_addition, 0);
      EXPECT_EQ(counts.set_pairs, counts.expert_pairs);
      EXPECT_GE(counts.set_pairs, kSamples - shape.n_experts);  // each input but the first of each expert
    }
  }
}

TEST(Cones, RegionsOfOneExpertAreNotClosedUnderAdditionForK2) {
  for (const Shape& shape : {Shape{3, 1, 3, 2}, {10, 1, 6, 2}, {100, 1, 10, 2}, {10, 1, 8, 5}}) {
    std::int64_t violations = 0;
    for (unsigned seed = 0; seed < 10; ++seed) {
      const auto counts = cone_violations(OwnedModel(shape, seed).view(), kSamples, seed);
      EXPECT_EQ(counts.scaling, 0);
      EXPECT_EQ(counts.set_addition, 0);
      EXPECT_GT(counts.set_pairs, kSamples / 2);
      EXPECT_GT(counts.expert_pairs, kSamples);
      violations += counts.expert_addition;
    }
    EXPECT_GT(violations, 10) << shape.n_features << " " << shape.n_experts;
  }
}

TEST(Cones, EveryExpertIsEverywhereForKEqualToE) {
  const auto counts = cone_violations(OwnedModel({4, 1, 3, 3}, 1).view(), kSamples, 1);
  EXPECT_EQ(counts.expert_pairs, 3 * (kSamples - 1));
  EXPECT_EQ(counts.expert_addition, 0);
  EXPECT_EQ(counts.scaling, 0);
}

// Routers whose rows are permutations of one another tie often, and ties are where rounding could decide.
TEST(Cones, TiesAreNoViolations) {
  for (int k : {1, 2}) {
    OwnedModel k_hot({20, 1, 5, k}), same({3, 1, 4, k}), zero({3, 1, 4, k});
    for (int f = 0; f < 20; ++f) k_hot.G(f / 4, f) = 0.1f;
    for (int e = 0; e < 4; ++e) {
      for (int f = 0; f < 3; ++f) same.G(e, f) = 0.1f * static_cast<float>((e + f) % 3);
    }
    for (const OwnedModel* model : {&k_hot, &same, &zero}) {
      const auto counts = cone_violations(model->view(), kSamples, 3);
      EXPECT_EQ(counts.scaling + counts.set_addition, 0);
      EXPECT_EQ(k == 1 ? counts.expert_addition : 0, 0);
    }
  }
}

// Two experts told apart by what a score of float64 barely holds: which of them is taken is left to rounding.
TEST(Cones, RoundingIsNoViolation) {
  OwnedModel model({3, 1, 2, 1});
  model.G(0, 0) = 1e15f, model.G(0, 1) = 1;
  model.G(1, 0) = 1e15f, model.G(1, 2) = 1;
  const auto counts = cone_violations(model.view(), 50000, 3);
  EXPECT_GT(counts.expert_pairs, 40000);
  EXPECT_EQ(counts.scaling + counts.set_addition, 0);
  EXPECT_EQ(counts.expert_addition, 0);
}

TEST(Cones, TheCounterExample) {
  const ConstructedModel model = addition_counter_example();
  const auto experts = [&](float x, float y) { return route(model.view(), std::vector<float>{x, y}).experts; };
  EXPECT_EQ(experts(1, 0), (std::vector<int>{0, 1}));
  EXPECT_EQ(experts(0, 1), (std::vector<int>{2, 1}));
  EXPECT_EQ(experts(1, 1), (std::vector<int>{0, 2}));
  const auto counts = cone_violations(model.view(), kSamples, 1);
  EXPECT_GT(counts.expert_addition, 100);
  EXPECT_EQ(counts.scaling + counts.set_addition, 0);
}

// The same counts by the definition, on the same inputs: all pairs that it says it looks at.
TEST(Cones, CountsByDefinition) {
  const OwnedModel model({6, 1, 5, 2}, 12);
  constexpr int n = 6, samples = 400;
  const auto inputs = draw_inputs(std::vector<double>(n, 0.5), samples, 9);
  const auto active = [&](const std::vector<float>& x) { return route_by_definition(model, x).gates; };
  const auto input = [&](int i) { return std::vector<float>(inputs.begin() + i * n, inputs.begin() + (i + 1) * n); };
  std::int64_t pairs = 0, violations = 0;
  for (int e = 0; e < 5; ++e) {
    int last = -1;
    for (int i = 0; i < samples; ++i) {
      if (active(input(i))[static_cast<std::size_t>(e)] == 0) continue;
      if (last >= 0) {
        std::vector<float> sum = input(i);
        for (std::size_t f = 0; f < n; ++f) sum[f] += input(last)[f];
        ++pairs;
        violations += active(sum)[static_cast<std::size_t>(e)] == 0;
      }
      last = i;
    }
  }
  const auto counts = cone_violations(model.view(), samples, 9);
  EXPECT_EQ(counts.expert_pairs, pairs);
  EXPECT_EQ(counts.expert_addition, violations);
  EXPECT_GT(violations, 0);
}

TEST(Cones, Refusals) {
  OwnedModel model({2, 1, 2, 1});
  EXPECT_EQ(cone_violations(model.view(), 0, 1).scaled, 0);
  expect_refusal("samples", "must be 0 or more, not -1", [&] { cone_violations(model.view(), -1, 1); });
  model.G(1, 1) = std::numeric_limits<float>::quiet_NaN();
  expect_refusal("router weights", "are all finite", [&] { cone_violations(model.view(), 10, 1); });
}

}  // namespace
}  // namespace phasegrid
