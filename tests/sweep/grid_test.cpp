// The grid of a sweep: the order of its cells, and every cell's settings.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/sweep_text.hpp"

namespace phasegrid {
namespace {

std::string refusal(const Sweep& sweep) {
  return testing::refusal([&] { sweep.check(); });
}

Sweep usable_sweep() {
  Sweep sweep;
  sweep.shape = {3, 2, 4, 2};
  sweep.data.sparsity = 0.5;
  return sweep;
}

TEST(AxisNames, AreThoseOfSweepFiles) {
  const std::vector<std::string> names = {
      "sparsity", "last_importance", "active",        "samples",      "n_hidden",     "n_experts", "top_k",
      "steps",    "batch",           "learning_rate", "weight_decay", "load_balance", "beta1",     "beta2",
      "epsilon",  "momentum",        "loss_power",    "warmup",       "floor",        "seed"};
  ASSERT_EQ(names.size(), static_cast<std::size_t>(kAxisNames));
  for (int i = 0; i < kAxisNames; ++i) {
    EXPECT_EQ(to_string(static_cast<AxisName>(i)), names[static_cast<std::size_t>(i)]);
  }
}

TEST(GridOrder, IsOneCellWithoutAxes) {
  Sweep sweep = usable_sweep();
  sweep.data.importance = {3, 2, 1};
  const Grid grid(sweep);
  EXPECT_EQ(grid.cells(), 1u);
  EXPECT_EQ(grid.extents(), (std::vector<std::size_t>{1, 1}));
  ASSERT_EQ(grid.dimensions().size(), 2u);
  EXPECT_EQ(grid.dimensions()[0].name, AxisName::sparsity);
  EXPECT_EQ(grid.dimensions()[0].values, std::vector<double>{0.5});
  EXPECT_EQ(grid.dimensions()[1].name, AxisName::last_importance);
  EXPECT_EQ(grid.dimensions()[1].values, std::vector<double>{1});
  const Cell cell = grid.cell(0);
  EXPECT_EQ(cell.sparsity, std::vector<double>(3, 0.5));
  EXPECT_EQ(cell.importance, (std::vector<double>{3, 2, 1}));
  EXPECT_EQ(cell.train, TrainSettings{});
}

TEST(GridOrder, RepeatsWhatNoAxisChanges) {
  Sweep sweep = usable_sweep();
  sweep.seed = 7;
  sweep.init.router = RouterInit::diagonal, sweep.init.bias = BiasInit::zero;
  sweep.train = {70, 80, 0.5, 0.25, 0.125, Loss::sum, Keep::evaluation, Schedule::cosine, 0.4, 0.3, 0.2, {0, 9}};
  sweep.axes = {{AxisName::last_importance, {1, 2}}};
  for (std::size_t i : {0u, 1u}) {
    const Cell cell = Grid(sweep).cell(i);
    EXPECT_EQ(cell.seed, 7u);
    EXPECT_EQ(cell.init, sweep.init);
    EXPECT_EQ(cell.train, sweep.train);
  }
}

TEST(GridOrder, KeepsASparsityAFeature) {
  Sweep sweep = usable_sweep();
  sweep.data.sparsity.reset();
  sweep.data.feature_sparsity = {0.1, 0.9, -0.0};
  sweep.axes = {{AxisName::last_importance, {1, 2}}, {AxisName::batch, {8, 16, 32}}};
  ASSERT_EQ(refusal(sweep), "");
  const Grid grid(sweep);
  EXPECT_EQ(grid.extents(), (std::vector<std::size_t>{1, 2, 3}));
  EXPECT_EQ(grid.dimensions()[0].name, AxisName::sparsity);
  ASSERT_EQ(grid.dimensions()[0].values.size(), 1u);
  EXPECT_TRUE(std::isnan(grid.dimensions()[0].values[0]));
  for (std::size_t i = 0; i < grid.cells(); ++i) {
    EXPECT_EQ(grid.cell(i).sparsity, (std::vector<double>{0.1, 0.9, 0}));
    EXPECT_FALSE(std::signbit(grid.cell(i).sparsity[2]));
    EXPECT_EQ(grid.cell(i).importance.back(), i < 3 ? 1 : 2);
  }
}

TEST(GridOrder, AddsTheSeedAxisLast) {
  Sweep sweep = usable_sweep();
  sweep.seed = 9223372036854775807u;
  sweep.axes = {{AxisName::seed, {3, 0, 1'000'000'000}}, {AxisName::load_balance, {0.5, 0.25}}};
  ASSERT_EQ(refusal(sweep), "");
  const Grid grid(sweep);
  EXPECT_EQ(grid.extents(), (std::vector<std::size_t>{1, 1, 2, 3}));
  EXPECT_EQ(grid.dimensions()[3].name, AxisName::seed);
  EXPECT_EQ(grid.dimensions()[3].values, (std::vector<double>{3, 0, 1e9}));
  std::size_t i = 0;
  for (double load_balance : {0.5, 0.25}) {
    for (std::uint64_t seed : {3u, 0u, 1'000'000'000u}) {
      const Cell cell = grid.cell(i++);
      EXPECT_EQ(cell.train.load_balance, load_balance);
      EXPECT_EQ(cell.seed, 9223372036854775807u + seed);
    }
  }
}

TEST(GridOrder, DrawsOnePermutationOfTheImportances) {
  // Philox4x32-10 and Fisher and Yates, worked out by another program (Python): exponents of the ratio a feature.
  const std::pair<std::uint64_t, std::vector<int>> known[] = {
      {0, {5, 4, 0, 1, 2, 7, 3, 6}},
      {1, {7, 1, 4, 3, 0, 5, 2, 6}},
      {30064771077, {6, 2, 3, 1, 5, 7, 0, 4}},  // both words of the seed count
      {9223372036854775807u, {4, 3, 0, 5, 2, 1, 7, 6}},
  };
  Sweep sweep = usable_sweep();
  sweep.shape = {8, 2, 1, 1};
  sweep.data.importance_rule = ImportanceRule::shuffled_geometric;
  sweep.data.importance_ratio = 0.5;
  for (const auto& [seed, exponents] : known) {
    sweep.seed = seed;
    std::vector<double> expected;
    for (int exponent : exponents) expected.push_back(std::ldexp(1.0, -exponent));
    EXPECT_EQ(Grid(sweep).cell(0).importance, expected) << seed;
  }
  sweep.shape = {1, 2, 1, 1};
  EXPECT_EQ(Grid(sweep).cell(0).importance, std::vector<double>{1});
}

TEST(GridOrder, PutsTheLastImportanceOverARule) {
  for (ImportanceRule rule : {ImportanceRule::geometric, ImportanceRule::shuffled_geometric}) {
    Sweep sweep = usable_sweep();
    sweep.data.importance_rule = rule;
    sweep.data.importance_ratio = 0.5;
    const std::vector<double> plain = Grid(sweep).cell(0).importance;
    EXPECT_EQ(Grid(sweep).dimensions()[1].values, std::vector<double>{plain.back()});
    sweep.data.last_importance = 7;
    EXPECT_EQ(Grid(sweep).cell(0).importance, (std::vector<double>{plain[0], plain[1], 7}));
    EXPECT_EQ(Grid(sweep).dimensions()[1].values, std::vector<double>{7});
    sweep.data.last_importance.reset();
    sweep.axes = {{AxisName::last_importance, {8, 9}}};
    EXPECT_EQ(Grid(sweep).cell(1).importance, (std::vector<double>{plain[0], plain[1], 9}));
  }
}

TEST(GridOrder, ResolvesImportances) {
  Sweep sweep = usable_sweep();
  EXPECT_EQ(Grid(sweep).cell(0).importance, (std::vector<double>{1, 1, 1}));
  sweep.data.last_importance = 0.25;
  EXPECT_EQ(Grid(sweep).cell(0).importance, (std::vector<double>{1, 1, 0.25}));
  sweep.data.importance = {4, 5, 6};
  EXPECT_EQ(Grid(sweep).cell(0).importance, (std::vector<double>{4, 5, 0.25}));
  EXPECT_EQ(Grid(sweep).dimensions()[1].values, std::vector<double>{0.25});
}

TEST(GridOrder, IsRowMajorInTheOrderOfAxisName) {
  Sweep sweep;
  sweep.shape.n_features = 2;
  sweep.axes = {{AxisName::load_balance, {0, 0.5}},  {AxisName::weight_decay, {0.25}}, {AxisName::steps, {10, 20, 30}},
                {AxisName::last_importance, {7, 8}}, {AxisName::sparsity, {0.1, 0.2}}, {AxisName::batch, {64}},
                {AxisName::learning_rate, {0.125}}};
  ASSERT_EQ(refusal(sweep), "");
  const Grid grid(sweep);
  EXPECT_EQ(grid.extents(), (std::vector<std::size_t>{2, 2, 3, 1, 1, 1, 2}));
  ASSERT_EQ(grid.cells(), 24u);
  std::size_t i = 0;
  for (double sparsity : {0.1, 0.2}) {
    for (double last : {7.0, 8.0}) {
      for (int steps : {10, 20, 30}) {
        for (double load_balance : {0.0, 0.5}) {
          const Cell cell = grid.cell(i++);
          EXPECT_EQ(cell.sparsity, std::vector<double>(2, sparsity));
          EXPECT_EQ(cell.importance, (std::vector<double>{1, last}));
          EXPECT_EQ(cell.train.steps, steps);
          EXPECT_EQ(cell.train.batch, 64);
          EXPECT_EQ(cell.train.learning_rate, 0.125);
          EXPECT_EQ(cell.train.weight_decay, 0.25);
          EXPECT_EQ(cell.train.load_balance, load_balance);
        }
      }
    }
  }
}

TEST(GridOrder, GivesMinusZeroAsZero) {  // equal settings are one cell, so their bits must be equal too
  Sweep sweep;
  sweep.data.importance = {-0.0, 1};
  sweep.axes = {{AxisName::sparsity, {-0.0}},
                {AxisName::last_importance, {-0.0}},
                {AxisName::learning_rate, {-0.0}},
                {AxisName::weight_decay, {-0.0}},
                {AxisName::load_balance, {-0.0}}};
  ASSERT_EQ(refusal(sweep), "");
  sweep.train.drop_below = sweep.train.drop_factor = sweep.train.stop_below = -0.0;
  const Cell cell = Grid(sweep).cell(0);
  for (double value :
       {cell.sparsity[0], cell.importance[0], cell.importance[1], cell.train.learning_rate, cell.train.weight_decay,
        cell.train.load_balance, cell.train.drop_below, cell.train.drop_factor, cell.train.stop_below}) {
    EXPECT_FALSE(std::signbit(value));
  }
}

}  // namespace
}  // namespace phasegrid
