// Measures of one model against numbers by hand, exact geometry, and their definitions written out again.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "support/random_models.hpp"
#include "support/reference_model.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;
using testing::OwnedModel;
using testing::random_weights;
using testing::route_by_definition;

// Shapes of the paper's figures and some between.
constexpr Shape kShapes[] = {{2, 1, 1, 1}, {3, 2, 2, 1}, {3, 2, 3, 2}, {5, 1, 4, 4}, {20, 5, 4, 1}, {12, 2, 20, 5}};

std::vector<float> inputs_for(const Shape& shape, int samples, double sparsity = 0.6, std::uint64_t seed = 77) {
  return draw_inputs(std::vector<double>(static_cast<std::size_t>(shape.n_features), sparsity), samples, seed);
}

double sum_of(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// Expert e on features e n/E .. (e + 1) n/E - 1.
OwnedModel k_hot_model(const Shape& shape) {
  OwnedModel model(shape);
  for (int f = 0; f < shape.n_features; ++f) model.G(f * shape.n_experts / shape.n_features, f) = 1;
  return model;
}

TEST(ModelView, PartsOfAModel) {
  OwnedModel model({3, 2, 2, 1});
  std::iota(model.parameters.begin(), model.parameters.end(), 0.0f);
  const ModelView view = model.view();
  EXPECT_EQ(view.expert(0).front(), 0);
  EXPECT_EQ(view.expert(1).front(), 6);
  EXPECT_EQ(view.expert(1).size(), 6u);
  EXPECT_EQ(view.bias(0).front(), 12);
  EXPECT_EQ(view.bias(1).back(), 17);
  EXPECT_EQ(view.router(0).front(), 18);
  EXPECT_EQ(view.router(1).back(), 23);
  EXPECT_EQ(view.router(1).size(), 3u);
}

TEST(ModelView, OfAKeptModel) {
  Sweep sweep;
  sweep.shape = {3, 2, 2, 1};
  sweep.restarts = 1;
  sweep.axes = {{AxisName::sparsity, {0.1, 0.2, 0.3}}};
  Results results(sweep);
  const OwnedModel model(sweep.shape, 4);
  results.take(1, 0, {0.1f, 0.1f}, kTrained, model.parameters);
  const ModelView view = kept_model(results, 1);
  EXPECT_EQ(view.shape, sweep.shape);
  EXPECT_TRUE(std::ranges::equal(view.parameters, model.parameters));
  EXPECT_TRUE(std::isnan(kept_model(results, 2).parameters.front()));
  EXPECT_THROW(kept_model(results, 3), InputError);
}

TEST(Route, ByHand) {
  OwnedModel model({2, 1, 3, 2});
  const float G[3][2] = {{1, 0}, {0, 1}, {2, -1}};
  for (int e = 0; e < 3; ++e) {
    for (int f = 0; f < 2; ++f) model.G(e, f) = G[e][f];
  }
  // Scores 0.5, 0.25, 0.75.
  const Routing routing = route(model.view(), std::vector<float>{0.5f, 0.25f});
  EXPECT_EQ(routing.experts, (std::vector<int>{2, 0}));
  EXPECT_DOUBLE_EQ(routing.gates[0], 1 / (1 + std::exp(-0.25)));
  EXPECT_DOUBLE_EQ(routing.gates[1], 1 / (1 + std::exp(0.25)));
  // Scores 0.5, 0.5, 0.5, and 0, 0, 0: ties to the lower expert.
  for (float x : {0.5f, 0.0f}) {
    const Routing tied = route(model.view(), std::vector<float>{x, x});
    EXPECT_EQ(tied.experts, (std::vector<int>{0, 1}));
    EXPECT_EQ(tied.gates, (std::vector<double>{0.5, 0.5}));
  }
  model.shape.top_k = 1;
  EXPECT_EQ(route(model.view(), std::vector<float>{0.25f, 0.5f}).experts, std::vector<int>{1});
  EXPECT_EQ(route(model.view(), std::vector<float>{0.25f, 0.5f}).gates, std::vector<double>{1});
  EXPECT_THROW(route(model.view(), std::vector<float>{1}), InputError);
}

TEST(Route, ScoresFarApartAndHuge) {
  OwnedModel model({1, 1, 3, 3});
  model.G(0, 0) = -3e30f;
  model.G(1, 0) = 2e30f;
  model.G(2, 0) = 2e30f;
  const Routing routing = route(model.view(), std::vector<float>{1});
  EXPECT_EQ(routing.experts, (std::vector<int>{1, 2, 0}));
  EXPECT_EQ(routing.gates, (std::vector<double>{0.5, 0.5, 0}));
}

TEST(Route, ByDefinition) {
  for (const Shape& shape : kShapes) {
    for (const bool whole : {false, true}) {  // whole weights and inputs give many ties
      OwnedModel model(shape, 9);
      std::vector<float> inputs = inputs_for(shape, 300, 0.5);
      if (whole) {
        for (float& weight : model.parameters) weight = std::round(weight);
        for (float& x : inputs) x = std::round(2 * x);
      }
      const auto n = static_cast<std::size_t>(shape.n_features);
      for (std::size_t first = 0; first < inputs.size(); first += n) {
        const auto x = std::span(inputs).subspan(first, n);
        const Routing routing = route(model.view(), x);
        const auto expected = route_by_definition(model, x);
        ASSERT_EQ(routing.experts.size(), static_cast<std::size_t>(shape.top_k));
        for (std::size_t rank = 0; rank < routing.experts.size(); ++rank) {
          ASSERT_EQ(routing.experts[rank], expected.order[rank]);
          ASSERT_NEAR(routing.gates[rank], expected.gates[static_cast<std::size_t>(routing.experts[rank])], 1e-13);
        }
        ASSERT_NEAR(sum_of(routing.gates), 1, 1e-15 * shape.top_k);
      }
    }
  }
}

TEST(Reconstruct, ByHand) {
  OwnedModel model({2, 1, 2, 2});
  model.W(0, 0, 0) = 1, model.W(0, 1, 0) = -2, model.b(0, 1) = 0.5f;
  model.W(1, 0, 0) = 3, model.b(1, 0) = -1, model.b(1, 1) = 0.25f;
  model.G(1, 0) = 2;
  // h = 0.5 - 2 x 0.125 = 0.25: (0.25, -0.5 + 0.5); h = 1.5: (4.5 - 1, 0.25). Scores 0 and 1.
  const double gate = 1 / (1 + std::exp(-1.0));
  const std::vector<double> output = reconstruct(model.view(), std::vector<float>{0.5f, 0.125f});
  EXPECT_NEAR(output[0], (1 - gate) * 0.25 + gate * 3.5, 1e-15);
  EXPECT_NEAR(output[1], gate * 0.25, 1e-15);
  model.shape.top_k = 1;
  EXPECT_EQ(reconstruct(model.view(), std::vector<float>{0.5f, 0.125f}), (std::vector<double>{3.5, 0.25}));
  // A ReLU that closes: h = -2, (-2, 4 + 0.5), the tie of scores 0 goes to the first expert.
  EXPECT_EQ(reconstruct(model.view(), std::vector<float>{0, 1}), (std::vector<double>{0, 4.5}));
}

// The squared error of reconstructions is the loss that the kernels' tests hold them against.
TEST(Reconstruct, GivesTheReferenceLoss) {
  for (const Shape& shape : kShapes) {
    const OwnedModel model(shape, 21);
    const std::vector<float> inputs = inputs_for(shape, 200);
    const auto n = static_cast<std::size_t>(shape.n_features);
    testing::ReferenceSettings settings{shape, std::vector<double>(n, 1), 0, false};
    const std::vector<double> parameters(model.parameters.begin(), model.parameters.end());
    const double expected = testing::reference_loss(settings, parameters, inputs).loss;
    double error = 0;
    for (std::size_t first = 0; first < inputs.size(); first += n) {
      const auto x = std::span(inputs).subspan(first, n);
      const std::vector<double> output = reconstruct(model.view(), x);
      for (std::size_t f = 0; f < n; ++f) error += std::pow(output[f] - static_cast<double>(x[f]), 2);
    }
    EXPECT_NEAR(error / 200, expected, 1e-10 * expected);
  }
}

TEST(TotalCapacity, IsEMForOrthonormalAndLessForRandomExperts) {
  OwnedModel model({6, 2, 3, 1});
  for (int e = 0; e < 3; ++e) model.W(e, 2 * e, 0) = 0.3f, model.W(e, 2 * e + 1, 1) = 2;
  EXPECT_DOUBLE_EQ(total_capacity(model.view()), 6);
  model.W(2, 0, 0) = 0.3f;  // shares the dimension of feature 4: two halves instead of one whole
  EXPECT_DOUBLE_EQ(total_capacity(model.view()), 6);
  model.W(2, 0, 0) = -0.6f;  // D_0 = 4 / (4 + 1), D_4 = 1 / (1 + 4)
  EXPECT_DOUBLE_EQ(total_capacity(model.view()), 6);
  model.W(2, 0, 1) = 1;  // rows (-0.6, 1), (0.3, 0), (0, 2)
  const double D0 = 1.36 / (1.36 + (0.18 * 0.18 + 4) / 1.36), D4 = 0.09 / (0.09 + 0.36), D5 = 4 / (4 + 1.0);
  EXPECT_NEAR(total_capacity(model.view()), 4 + D0 + D4 + D5, 1e-6);
  for (const Shape& shape : kShapes) {
    const double capacity = total_capacity(OwnedModel(shape, 3).view());
    EXPECT_LE(capacity, shape.n_experts * shape.n_hidden + 1e-9);
    EXPECT_GT(capacity, 0.5 * shape.n_experts * shape.n_hidden);
  }
}

TEST(ExpertUsage, ByDefinition) {
  for (const Shape& shape : kShapes) {
    const OwnedModel model(shape, 5);
    const std::vector<float> inputs = inputs_for(shape, 500);
    const auto n = static_cast<std::size_t>(shape.n_features), E = static_cast<std::size_t>(shape.n_experts);
    std::vector<double> gate(E), active(E);
    for (std::size_t first = 0; first < inputs.size(); first += n) {
      const auto routing = route_by_definition(model, std::span(inputs).subspan(first, n));
      for (std::size_t e = 0; e < E; ++e) gate[e] += routing.gates[e] / 500, active[e] += routing.gates[e] > 0;
    }
    const ExpertUsage usage = expert_usage(model.view(), inputs, Inputs::all);
    ASSERT_EQ(usage.gate.size(), E);
    for (std::size_t e = 0; e < E; ++e) {
      EXPECT_NEAR(usage.gate[e], gate[e], 1e-12);
      EXPECT_EQ(usage.active[e], active[e] / 500);
    }
    EXPECT_NEAR(sum_of(usage.gate), 1, 1e-12);
    EXPECT_NEAR(sum_of(usage.active), shape.top_k, 1e-12);
  }
}

// Of the routers of Table 1: usage of an expert for 1 to 5 of its features at once, with one uniform draw, as an
// independent simulation found it (experiments.md; the paper has 23.94, 46.61, 62.00, 70.30, 74.79 %).
TEST(ExpertUsage, OfKHotRoutersInTable1) {
  constexpr int kSamples = 60000, kExpert = 3;
  const OwnedModel model = k_hot_model({100, 1, 10, 1});
  const std::vector<double> sparsity(100, 0.9);
  const auto usage_of = [&](int count, Presence presence) {
    std::vector<int> chosen(static_cast<std::size_t>(count));
    std::iota(chosen.begin(), chosen.end(), 10 * kExpert);
    return expert_usage(model.view(), draw_inputs(sparsity, kSamples, 2024, chosen, presence), Inputs::all)
        .active[kExpert];
  };
  EXPECT_NEAR(usage_of(1, Presence::as_drawn), 0.1, 0.006);
  const double expected[] = {0.2398, 0.4683, 0.6193, 0.7028, 0.7538};
  for (int count = 1; count <= 5; ++count) {
    EXPECT_NEAR(usage_of(count, Presence::together), expected[count - 1], 0.01) << count;
    EXPECT_EQ(usage_of(count, Presence::alone), 1) << count;
  }
}

// Ten features that are nearly always all zero, and a router that sends every other input to the second expert.
TEST(ExpertUsage, LeavesAllZeroInputsOutUnlessAskedForAll) {
  OwnedModel model({10, 1, 2, 1}, 1);
  for (int f = 0; f < 10; ++f) model.G(0, f) = 0, model.G(1, f) = 1;
  const std::vector<float> inputs = draw_inputs(std::vector<double>(10, 0.99), 20000, 3);
  const ExpertUsage seen = expert_usage(model.view(), inputs), all = expert_usage(model.view(), inputs, Inputs::all);
  EXPECT_EQ(seen.active, (std::vector<double>{0, 1}));
  EXPECT_EQ(seen.gate, (std::vector<double>{0, 1}));
  EXPECT_NEAR(all.active[0], std::pow(0.99, 10), 0.01);
  const std::vector<float> zeros(50);
  EXPECT_TRUE(std::isnan(expert_usage(model.view(), zeros).active[1]));  // no input counts
  EXPECT_EQ(expert_usage(model.view(), zeros, Inputs::all).active, (std::vector<double>{1, 0}));
}

TEST(TrainingHealth, CountsWhatDivergedAndWhatIsDead) {
  Sweep sweep;
  sweep.shape = {2, 1, 2, 1};
  sweep.restarts = 2;
  sweep.axes = {{AxisName::sparsity, {0.1, 0.3, 0.5, 0.7}}};
  Results results(sweep);
  const std::vector<float> dead(static_cast<std::size_t>(sweep.shape.parameter_count()), 0.05f);
  std::vector<float> alive = dead;
  alive[3] = -0.2f;  // feature 1 of the second expert
  results.take(0, 0, {0.1f, 0.1f}, kTrained, alive);
  results.take(0, 1, {NAN, NAN}, 17, dead);
  results.take(1, 0, {0.2f, 0.2f}, kTrained, dead);
  results.take(1, 1, {0.3f, 0.3f}, kTrained, alive);  // not kept
  results.take(2, 0, {NAN, NAN}, 5, dead);
  results.take(2, 1, {NAN, NAN}, 6, dead);
  results.take(3, 0, {NAN, NAN}, 6, dead);  // the other restart may still come
  const TrainingHealth health = training_health(results);
  EXPECT_EQ(health.diverged, 4);
  EXPECT_EQ(health.empty, 1);
  EXPECT_EQ(health.dead, 1);
  EXPECT_EQ(health.first_diverged, 0u);
  EXPECT_EQ(health.first_empty, 2u);
  EXPECT_EQ(health.first_dead, 1u);
}

TEST(ExpertUsage, OfNothing) {
  const OwnedModel model({3, 1, 2, 1}, 1);
  EXPECT_TRUE(std::isnan(expert_usage(model.view(), {}).gate[1]));
  EXPECT_THROW(expert_usage(model.view(), std::vector<float>(4)), InputError);
}

TEST(FeaturesPerDimension, ByHand) {
  OwnedModel model({2, 2, 2, 2});
  model.W(0, 0, 0) = 1, model.W(0, 1, 1) = -2;       // square 5
  model.W(1, 0, 1) = 0.5f, model.W(1, 1, 0) = 0.5f;  // square 0.5
  const std::vector<double> gate = {0.75, 0.25};
  EXPECT_DOUBLE_EQ(features_per_dimension(model.view(), gate, false), 0.75 * 2.5 + 0.25 * 0.25);
  EXPECT_DOUBLE_EQ(features_per_dimension(model.view(), gate), (0.75 * 2.5 + 0.25 * 0.25) / 2);
  EXPECT_THROW(features_per_dimension(model.view(), std::vector<double>{1}), InputError);
}

// m orthonormal features in every expert are one feature a dimension, however the experts are used.
TEST(FeaturesPerDimension, IsOneForOrthonormalExperts) {
  OwnedModel model({6, 2, 3, 1}, 8);
  for (int i = 0; i < model.shape.weight_count(); ++i) model.parameters[static_cast<std::size_t>(i)] = 0;
  for (int e = 0; e < 3; ++e) model.W(e, 2 * e, 0) = 1, model.W(e, 2 * e + 1, 1) = 1;
  const auto usage = expert_usage(model.view(), inputs_for(model.shape, 400));
  EXPECT_GT(*std::ranges::max_element(usage.gate), 0.34);
  EXPECT_NEAR(features_per_dimension(model.view(), usage.gate), 1, 1e-12);
}

TEST(GlobalFeatureDimensionality, ByHand) {
  // Expert 1 has features 0 and 1 antipodal, expert 2 has feature 1 alone; feature 1 decides.
  OwnedModel model({3, 1, 2, 1});
  model.W(0, 0, 0) = 1, model.W(0, 1, 0) = -1, model.W(1, 1, 0) = 0.5f;
  model.G(0, 0) = 1, model.G(1, 1) = 1;
  const std::vector<float> inputs = {0.5f, 0, 0, 0.5f, 0.75f, 0, 0.5f, 0.25f, 0, 0, 0.75f, 0};  // experts 1 2 1 2
  const std::vector<double> D = global_feature_dimensionality(model.view(), inputs);
  EXPECT_DOUBLE_EQ(D[0], 2.0 / 3 * 0.5);
  EXPECT_DOUBLE_EQ(D[1], 1.0 / 3 * 0.5 + 2.0 / 3);
  EXPECT_TRUE(std::isnan(D[2]));
}

TEST(GlobalFeatureDimensionality, ByDefinition) {
  for (const Shape& shape : kShapes) {
    const OwnedModel model(shape, 6);
    const std::vector<float> inputs = inputs_for(shape, 300, 0.8);
    const auto n = static_cast<std::size_t>(shape.n_features);
    const std::vector<double> D = global_feature_dimensionality(model.view(), inputs);
    for (int f = 0; f < shape.n_features; ++f) {
      double sum = 0, count = 0;
      for (std::size_t first = 0; first < inputs.size(); first += n) {
        if (inputs[first + static_cast<std::size_t>(f)] == 0) continue;
        ++count;
        const auto routing = route_by_definition(model, std::span(inputs).subspan(first, n));
        for (int e = 0; e < shape.n_experts; ++e) {
          if (routing.gates[static_cast<std::size_t>(e)] == 0) continue;
          sum += feature_dimensionality(model.view().expert(e), shape.n_features, shape.n_hidden, f);
        }
      }
      EXPECT_NEAR(D[static_cast<std::size_t>(f)], sum / count, 1e-12);
    }
  }
}

// With two features a cone is an angle of the quadrant: expert e takes (cos t, sin t) between the angles where it ties.
TEST(ConeShares, AreAnglesForTwoFeatures) {
  constexpr int kSamples = 200000;
  // Scores cos t, sin t, and 0.9 (cos t + sin t): ties at tan t = 1/9 and 9. The fourth never wins.
  OwnedModel model({2, 1, 4, 2});  // the first expert counts, whatever k
  model.G(0, 0) = 1, model.G(1, 1) = 1, model.G(2, 0) = 0.9f, model.G(2, 1) = 0.9f, model.G(3, 0) = -1;
  const std::vector<double> shares = cone_shares(model.view(), kSamples, 4);
  const double side = std::atan(1.0 / 9) / (std::numbers::pi / 2);
  const double expected[] = {side, side, 1 - 2 * side, 0};
  for (std::size_t e = 0; e < 4; ++e) {
    EXPECT_NEAR(shares[e], expected[e], 5 * std::sqrt(expected[e] * (1 - expected[e]) / kSamples)) << e;
  }
  EXPECT_NEAR(sum_of(shares), 1, 1e-12);
  EXPECT_NE(shares, cone_shares(model.view(), kSamples, 5));
  EXPECT_EQ(shares, cone_shares(model.view(), kSamples, 4));
}

// Three features, two experts parted by the plane x_0 = 2 x_1: its angle again, whatever the third feature. Uniform
// inputs of the cube instead of directions would give 1/4.
TEST(ConeShares, AreUniformOnTheSphere) {
  constexpr int kSamples = 200000;
  OwnedModel model({3, 1, 2, 1});
  model.G(1, 0) = 1, model.G(1, 1) = -2;
  const double expected = std::atan(0.5) / (std::numbers::pi / 2);  // 0.295
  EXPECT_NEAR(cone_shares(model.view(), kSamples, 1)[1], expected, 5 * std::sqrt(expected * (1 - expected) / kSamples));
  // A diagonal router parts the orthant equally, in any number of dimensions.
  for (int n : {1, 3, 7}) {
    OwnedModel diagonal({n, 1, n, 1});
    for (int e = 0; e < n; ++e) diagonal.G(e, e) = 1;
    for (double share : cone_shares(diagonal.view(), kSamples, 2)) {
      EXPECT_NEAR(share, 1.0 / n, 5 * std::sqrt(1.0 / n * (1 - 1.0 / n) / kSamples)) << n;
    }
  }
  expect_refusal("samples must be 1 or more", "not 0", [&] { cone_shares(model.view(), 0, 1); });
}

TEST(ModelMetrics, NoModelGivesNan) {
  OwnedModel model({3, 2, 2, 1});
  std::ranges::fill(model.parameters, std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> inputs = inputs_for(model.shape, 10);
  EXPECT_TRUE(std::isnan(total_capacity(model.view())));
  const ExpertUsage usage = expert_usage(model.view(), inputs);
  EXPECT_TRUE(std::isnan(features_per_dimension(model.view(), usage.gate)));
  for (const auto& values :
       {usage.gate, usage.active, cone_shares(model.view(), 10, 1), global_feature_dimensionality(model.view(), inputs),
        reconstruct(model.view(), std::vector<float>{1, 1, 1})}) {
    EXPECT_FALSE(values.empty());
    for (double value : values) EXPECT_TRUE(std::isnan(value));
  }
  std::ranges::fill(model.parameters, 1.0f);
  model.G(1, 2) = std::numeric_limits<float>::quiet_NaN();  // a router alone decides nothing either
  EXPECT_TRUE(std::isnan(global_feature_dimensionality(model.view(), inputs).front()));
}

}  // namespace
}  // namespace phasegrid
