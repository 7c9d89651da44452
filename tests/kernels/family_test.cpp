// The models and data of the wider family on every instruction set: gradients and losses against the definition in
// float64, the bits of every machine against each other, and the laws of the inputs by counting.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "support/block_problem.hpp"
#include "support/family.hpp"
#include "support/gradient_check.hpp"

namespace phasegrid {
namespace {

using testing::BlockTrial;
using testing::machines;
using testing::random_family_trial;
using testing::reference_loss;

TEST(Family, GradientsOfRandomCombinationsEqualCentralDifferencesInFloat64) {
  std::mt19937 random(51);
  int checked = 0, asked = 0;
  for (int i = 0; i < 60; ++i) {
    BlockTrial trial = random_family_trial(random);
    const int most = std::min(24, trial.shape.parameter_count());
    checked += testing::check_gradient(trial, random, most, testing::name_of(trial));
    asked += most;
  }
  EXPECT_GT(checked, asked * 8 / 10);
}

TEST(Family, LossesEqualTheDefinition) {
  std::mt19937 random(52);
  for (int i = 0; i < 60; ++i) {
    BlockTrial trial = random_family_trial(random);
    const std::vector<float> inputs = trial.inputs(InstructionSet::baseline);
    const auto expected = reference_loss(trial.reference(), {trial.parameters.begin(), trial.parameters.end()}, inputs);
    for (InstructionSet set : machines()) {
      const Losses got = trial.losses(set);
      EXPECT_NEAR(got.training, expected.loss, 2e-5 * expected.loss) << testing::name_of(trial);
      EXPECT_NEAR(got.reconstruction, expected.reconstruction, 2e-5 * expected.reconstruction) << testing::name_of(trial);
    }
  }
}

TEST(Family, EveryMachineAndTileGivesTheSameBits) {
  std::mt19937 random(53);
  for (int i = 0; i < 40; ++i) {
    BlockTrial trial = random_family_trial(random);
    const std::vector<float> inputs = trial.inputs(InstructionSet::baseline);
    const std::vector<float> gradient = trial.gradient(InstructionSet::baseline);
    for (InstructionSet set : machines()) {
      EXPECT_EQ(trial.inputs(set), inputs) << testing::name_of(trial);
      EXPECT_EQ(trial.gradient(set), gradient) << testing::name_of(trial);
      // A dense model's tile is part of its order of sums; a mixture's is not.
      if (trial.shape.n_experts > 1) { EXPECT_EQ(trial.gradient(set, 256), gradient) << testing::name_of(trial); }
    }
  }
}

TEST(Family, ModelsWithoutBiasesHaveNone) {
  std::mt19937 random(54);
  for (const int experts : {1, 3}) {
    Shape shape{9, 2, experts, 1};
    shape.bias = false;
    EXPECT_EQ(shape.parameter_count(), experts * 9 * 3);
    BlockTrial trial(shape, random, Loss::mean, 0, 50);
    for (InstructionSet set : machines()) {
      const std::vector<float> gradient = trial.gradient(set);
      EXPECT_EQ(gradient.size(), trial.parameters.size());
    }
  }
}

// ---------------------------------------------------------------- inputs

// Of many samples: how often each feature, and each pair of features, is present, and the values of present ones.
struct Counted {
  int samples = 0;
  std::vector<double> present, together;  // [n], [n][n]
  std::vector<int> active;                // of each sample
  std::vector<float> values;
};

Counted count(BlockTrial& trial) {
  const std::vector<float> inputs = trial.inputs(InstructionSet::baseline);
  const auto n = static_cast<std::size_t>(trial.shape.n_features);
  Counted counted;
  counted.samples = static_cast<int>(inputs.size() / n);
  counted.present.assign(n, 0);
  counted.together.assign(n * n, 0);
  for (std::size_t i = 0; i < inputs.size(); i += n) {
    int active = 0;
    for (std::size_t f = 0; f < n; ++f) {
      if (inputs[i + f] == 0) continue;
      ++active;
      counted.values.push_back(inputs[i + f]);
      counted.present[f] += 1.0 / counted.samples;
      for (std::size_t g = 0; g < n; ++g) counted.together[f * n + g] += (inputs[i + g] != 0 ? 1.0 : 0.0) / counted.samples;
    }
    counted.active.push_back(active);
  }
  return counted;
}

BlockTrial trial_of(int n, double sparsity, const InputSettings& inputs, std::mt19937& random) {
  BlockTrial trial({n, 3, 1, 1}, random, Loss::mean, 0, 40000);
  trial.cell.sparsity.assign(static_cast<std::size_t>(n), sparsity);
  trial.cell.inputs = inputs;
  trial.update();
  return trial;
}

TEST(FamilyInputs, CorrelatedBlocksArePresentAsAWhole) {
  std::mt19937 random(55);
  InputSettings inputs;
  inputs.presence = PresenceLaw::correlated;
  inputs.group_size = 3;
  BlockTrial trial = trial_of(12, 0.8, inputs, random);
  const Counted counted = count(trial);
  for (std::size_t f = 0; f < 12; ++f) {
    EXPECT_NEAR(counted.present[f], 0.2, 0.01);
    for (std::size_t g = 0; g < 12; ++g) {
      EXPECT_NEAR(counted.together[f * 12 + g], f / 3 == g / 3 ? 0.2 : 0.04, 0.01) << f << " " << g;
    }
  }
}

TEST(FamilyInputs, AnticorrelatedBlocksHaveAtMostOne) {
  std::mt19937 random(56);
  InputSettings inputs;
  inputs.presence = PresenceLaw::anticorrelated;
  inputs.group_size = 4;
  BlockTrial trial = trial_of(12, 0.85, inputs, random);
  const Counted counted = count(trial);
  for (std::size_t f = 0; f < 12; ++f) {
    EXPECT_NEAR(counted.present[f], 0.15, 0.01);
    for (std::size_t g = 0; g < 12; ++g) {
      const double expected = f == g ? 0.15 : f / 4 == g / 4 ? 0.0 : 0.0225;
      EXPECT_NEAR(counted.together[f * 12 + g], expected, f / 4 == g / 4 && f != g ? 0.0 : 0.01) << f << " " << g;
    }
  }
}

TEST(FamilyInputs, ExactlySoManyAreActiveAndEverySubsetIsEquallyLikely) {
  std::mt19937 random(57);
  InputSettings inputs;
  inputs.presence = PresenceLaw::active;
  inputs.active = 3;
  BlockTrial trial = trial_of(7, 4.0 / 7, inputs, random);
  const Counted counted = count(trial);
  for (const int active : counted.active) ASSERT_EQ(active, 3);
  for (std::size_t f = 0; f < 7; ++f) {
    EXPECT_NEAR(counted.present[f], 3.0 / 7, 0.01);
    for (std::size_t g = 0; g < 7; ++g) {
      if (g != f) { EXPECT_NEAR(counted.together[f * 7 + g], 3.0 * 2 / (7 * 6), 0.01); }
    }
  }
}

TEST(FamilyInputs, ValuesAreOfTheirLaw) {
  std::mt19937 random(58);
  const auto moments = [](const std::vector<float>& values) {
    double mean = 0, square = 0;
    for (const float v : values) mean += v, square += static_cast<double>(v) * v;
    mean /= static_cast<double>(values.size());
    return std::pair(mean, square / static_cast<double>(values.size()) - mean * mean);
  };
  for (const bool grouped : {false, true}) {
    InputSettings inputs;
    if (grouped) inputs.presence = PresenceLaw::correlated, inputs.group_size = 2;
    inputs.value_low = inputs.value_high = 1;
    BlockTrial ones = trial_of(8, 0.6, inputs, random);
    for (const float v : count(ones).values) ASSERT_EQ(v, 1.0f);
    inputs.value_low = -1;
    BlockTrial range = trial_of(8, 0.6, inputs, random);
    const std::vector<float> values = count(range).values;
    EXPECT_GE(*std::ranges::min_element(values), -1.0f);
    EXPECT_LT(*std::ranges::max_element(values), 1.0f);
    EXPECT_NEAR(moments(values).first, 0, 0.01);
    EXPECT_NEAR(moments(values).second, 1.0 / 3, 0.01);
    inputs.values = ValueLaw::normal;
    BlockTrial normal = trial_of(8, 0.6, inputs, random);
    std::vector<float> drawn = count(normal).values;
    EXPECT_NEAR(moments(drawn).first, 0, 0.015);
    EXPECT_NEAR(moments(drawn).second, 1, 0.02);
    std::ranges::sort(drawn);
    for (const double z : {-2.5, -1.0, 0.0, 0.5, 1.5, 3.0}) {  // its distribution function
      const auto below = std::ranges::lower_bound(drawn, static_cast<float>(z)) - drawn.begin();
      EXPECT_NEAR(static_cast<double>(below) / static_cast<double>(drawn.size()), 0.5 * std::erfc(-z / std::sqrt(2.0)), 0.006);
    }
  }
}

TEST(FamilyInputs, AFixedDataSetIsTakenWithReplacementOrInOrder) {
  std::mt19937 random(59);
  InputSettings inputs;
  inputs.samples = 50;
  BlockTrial trial = trial_of(5, 0, inputs, random);  // no two samples are equal
  trial.cell.train.batch = 50;
  trial.update();
  const auto rows_of = [&](int restart, int step) {
    std::vector<float> x(static_cast<std::size_t>(trial.cell.train.batch) * 5);
    block_kernels(InstructionSet::baseline).draw_batch(trial.problem(), restart, step, x.data());
    std::vector<std::vector<float>> rows;
    for (std::size_t i = 0; i < x.size(); i += 5) rows.emplace_back(x.begin() + static_cast<int>(i), x.begin() + static_cast<int>(i) + 5);
    return rows;
  };
  const auto all = rows_of(0, 1);
  EXPECT_EQ(rows_of(3, 9), all);  // the whole set, in order, for every restart and step
  trial.cell.train.batch = 3000;
  const std::uint32_t key[2] = {trial.settings.key[0], trial.settings.key[1]};
  trial.update();
  trial.settings.key[0] = key[0], trial.settings.key[1] = key[1];  // (the batch is part of a cell's key)
  std::vector<int> times(50, 0);
  for (const auto& row : rows_of(0, 1)) {
    const auto found = std::ranges::find(all, row);
    ASSERT_NE(found, all.end());
    ++times[static_cast<std::size_t>(found - all.begin())];
  }
  for (const int often : times) EXPECT_NEAR(often, 60, 45);
  EXPECT_NE(rows_of(0, 1), rows_of(1, 1));
  EXPECT_NE(rows_of(0, 1), rows_of(0, 2));
}

}  // namespace
}  // namespace phasegrid
