// Results in memory: which model of a cell is kept.
#include "phasegrid/results.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

#include "support/test_results.hpp"

namespace phasegrid {
namespace {

using testing::every_restart;
using testing::expect_same;
using testing::full_sweep;
using testing::Model;
using testing::models_of;
using testing::small_sweep;
using testing::taken;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(ResultsTest, BeginEmpty) {
  const Results results(full_sweep());
  EXPECT_EQ(results.cells(), 12u);
  EXPECT_EQ(results.all_losses.size(), 36u);
  EXPECT_EQ(results.snapshot_losses.size(), 36u * 3);
  EXPECT_EQ(results.snapshot_parameters.size(), 12u * 3 * 48);
  EXPECT_TRUE(Results(small_sweep()).snapshot_losses.empty() && Results(small_sweep()).snapshot_parameters.empty());
  EXPECT_FALSE(results.complete());
  EXPECT_TRUE(std::ranges::all_of(results.status, [](auto status) { return status == kNotTrained; }));
  EXPECT_TRUE(std::ranges::all_of(results.kept, [](auto restart) { return restart == -1; }));
  for (const auto* values : {&results.final_losses, &results.reconstruction_losses, &results.all_losses,
                             &results.all_reconstruction_losses, &results.parameters, &results.snapshot_losses,
                             &results.snapshot_reconstruction_losses, &results.snapshot_parameters}) {
    EXPECT_TRUE(std::ranges::all_of(*values, [](float value) { return std::isnan(value); }));
  }
}

TEST(ResultsTest, PartsOfAModel) {
  Sweep sweep = full_sweep();
  sweep.train.snapshots.clear();
  Results results(sweep);
  std::vector<float> model(static_cast<std::size_t>(results.sweep.shape.parameter_count()));
  std::iota(model.begin(), model.end(), 0.0f);
  results.take(5, 1, {0.5f, 0.5f}, kTrained, model);
  EXPECT_EQ(results.expert_weights(5).size(), 24u);
  EXPECT_EQ(results.expert_weights(5).front(), 0);
  EXPECT_EQ(results.biases(5).size(), 12u);
  EXPECT_EQ(results.biases(5).front(), 24);
  EXPECT_EQ(results.router_weights(5).size(), 12u);
  EXPECT_EQ(results.router_weights(5).back(), 47);
  EXPECT_TRUE(std::isnan(results.router_weights(4).back()) && std::isnan(results.expert_weights(6).front()));
}

TEST(ResultsTest, KeepsTheLowestLossInAnyOrder) {
  Sweep sweep = full_sweep();
  sweep.restarts = 8;
  std::vector<Model> models = models_of(sweep, 1);
  const Results expected = taken(sweep, models);
  EXPECT_TRUE(expected.complete());
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    std::ranges::shuffle(models, random);
    expect_same(taken(sweep, models), expected);
  }
  for (std::size_t cell = 0; cell < expected.cells(); ++cell) {
    const Model* best = nullptr;  // by the definition, over restarts in their order
    std::ranges::sort(models, {}, &Model::restart);
    for (const Model& m : models) {
      if (m.cell != cell || m.status != kTrained || !std::isfinite(m.loss)) continue;
      if (best == nullptr || m.loss < best->loss) best = &m;
    }
    ASSERT_EQ(expected.kept[cell], best != nullptr ? best->restart : -1);
    if (best == nullptr) continue;
    EXPECT_EQ(expected.final_losses[cell], best->loss);
    EXPECT_EQ(expected.reconstruction_losses[cell], best->losses().reconstruction);
    EXPECT_TRUE(std::ranges::equal(expected.expert_weights(cell), std::span(best->parameters).first(24)));
    for (std::size_t t : {0u, 1u, 2u}) {
      const auto snapshot = std::span(best->snapshot_parameters).subspan(48 * t, 48);
      EXPECT_TRUE(std::ranges::equal(expected.snapshot(cell, t), snapshot));
    }
  }
  for (const Model& m : models) {  // losses of every restart, kept or not
    const std::size_t at = 3 * (m.cell * 8 + static_cast<std::size_t>(m.restart));
    for (std::size_t t : {0u, 1u, 2u}) {
      const Losses got{expected.snapshot_losses[at + t], expected.snapshot_reconstruction_losses[at + t]};
      EXPECT_EQ(std::bit_cast<std::uint64_t>(got), std::bit_cast<std::uint64_t>(m.snapshot_losses[t]));
    }
    const float reconstruction = expected.all_reconstruction_losses[at / 3];
    EXPECT_EQ(std::bit_cast<std::uint32_t>(reconstruction), std::bit_cast<std::uint32_t>(m.losses().reconstruction));
  }
}

TEST(ResultsTest, HoldsTheParametersOfEveryRestartWhereAskedTo) {
  EXPECT_TRUE(Results(full_sweep()).all_parameters.empty());
  const Sweep sweep = every_restart();
  const std::vector<Model> models = models_of(sweep, 3);
  const Results results = taken(sweep, models);
  EXPECT_EQ(results.all_parameters.size(), 36u * 48);
  for (const Model& m : models) {
    const std::size_t at = 48 * (m.cell * 3 + static_cast<std::size_t>(m.restart));
    const auto row = std::span(results.all_parameters).subspan(at, 48);
    if (m.status == kTrained && std::isfinite(m.loss)) {
      EXPECT_TRUE(std::ranges::equal(row, m.parameters));
      EXPECT_EQ(results.first_moments[at + 5], 2 * m.parameters[5]);
      EXPECT_EQ(results.second_moments[at + 47], m.parameters[47] * m.parameters[47]);
      if (results.kept[m.cell] == m.restart) {
        EXPECT_TRUE(std::ranges::equal(row, std::span(results.parameters).subspan(48 * m.cell, 48)));
      }
    } else {
      EXPECT_TRUE(std::ranges::all_of(row, [](float value) { return std::isnan(value); }));
    }
  }
}

TEST(ResultsTest, DivergedModelsLeaveTheirSnapshotLosses) {
  Sweep sweep = small_sweep();
  sweep.train.snapshots = {0, 5};
  Results results(sweep);
  const std::vector<float> model(6, 1.0f), shots(12, 2.0f);
  const std::vector<Losses> losses = {{0.5f, 0.25f}, {kNan, kNan}};
  results.take(0, 1, {kNan, kNan}, 3, model, losses, shots);
  EXPECT_EQ(results.snapshot_losses[2], 0.5f);
  EXPECT_EQ(results.snapshot_reconstruction_losses[2], 0.25f);
  EXPECT_TRUE(std::isnan(results.snapshot_losses[0]) && std::isnan(results.snapshot_losses[3]));
  EXPECT_TRUE(std::ranges::all_of(results.snapshot_parameters, [](float value) { return std::isnan(value); }));
  results.take(0, 0, {0.1f, 0.1f}, kTrained, model, losses, shots);
  EXPECT_EQ(results.snapshot_losses[0], 0.5f);
  EXPECT_EQ(results.snapshot_parameters, shots);
}

TEST(ResultsTest, DivergedModelsAreNeverKept) {
  Results results(small_sweep());
  const std::vector<float> model(6, 1.0f);
  results.take(0, 0, {0.01f, 0.01f}, 17, model);
  EXPECT_EQ(results.kept[0], -1);
  EXPECT_FALSE(results.complete());
  results.take(0, 1, {kNan, kNan}, kTrained, model);
  EXPECT_TRUE(results.complete());
  EXPECT_EQ(results.kept[0], -1);
  EXPECT_EQ(results.status, (std::vector<std::int32_t>{17, kTrained}));
  EXPECT_EQ(results.all_losses[0], 0.01f);
  EXPECT_TRUE(std::isnan(results.final_losses[0]) && std::isnan(results.parameters[0]));
}

TEST(ResultsTest, ModelsOutsideTheSweepAreRefused) {
  Results results(small_sweep());
  const std::vector<float> model(6, 1.0f), longer(7, 1.0f);
  const std::vector<Losses> losses(3);
  EXPECT_THROW(results.take(1, 0, {0.1f, 0.1f}, kTrained, model), InputError);
  EXPECT_THROW(results.take(0, -1, {0.1f, 0.1f}, kTrained, model), InputError);
  EXPECT_THROW(results.take(0, 2, {0.1f, 0.1f}, kTrained, model), InputError);
  EXPECT_THROW(results.take(0, 0, {0.1f, 0.1f}, kTrained, longer), InputError);
  // Snapshots, where the sweep has none; too few or too many, where it has two.
  EXPECT_THROW(results.take(0, 0, {0.1f, 0.1f}, kTrained, model, std::span(losses).first(1), model), InputError);
  Sweep sweep = small_sweep();
  sweep.train.snapshots = {0, 5};
  results = Results(sweep);
  const std::vector<float> shots(12, 1.0f);
  EXPECT_THROW(results.take(0, 0, {0.1f, 0.1f}, kTrained, model), InputError);
  for (std::size_t count : {1u, 3u}) {
    EXPECT_THROW(results.take(0, 0, {0.1f, 0.1f}, kTrained, model, std::span(losses).first(count), shots),
                 InputError);
  }
  EXPECT_THROW(results.take(0, 0, {0.1f, 0.1f}, kTrained, model, std::span(losses).first(2), model), InputError);
  EXPECT_EQ(results.status[0], kNotTrained);
  results.take(0, 0, {0.1f, 0.1f}, kTrained, model, std::span(losses).first(2), shots);
  EXPECT_EQ(results.kept[0], 0);
}

}  // namespace
}  // namespace phasegrid
