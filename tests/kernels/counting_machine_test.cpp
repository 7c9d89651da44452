// The training step on the counting machine (kernels/machine/counting.hpp), compiled once for each number of lanes: its
// parameters and losses are the baseline's, to the bit, so that what it counts is the step that all machines make.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

#include "block/model.hpp"
#include "support/block_problem.hpp"
#include "support/small_job.hpp"
#include "tiny/model.hpp"
#include "train/instruction_sets.hpp"
#include "train/plan.hpp"

namespace phasegrid::PHASEGRID_MACHINE {
namespace {

std::vector<std::uint32_t> bits_of(const std::vector<float>& numbers) {
  std::vector<std::uint32_t> bits;
  for (const float number : numbers) bits.push_back(std::bit_cast<std::uint32_t>(number));
  return bits;
}

template <class S>
void expect_baseline_bits(int top_k, int batch, double load_balance) {
  const Shape shape{S::n, S::m, S::E, top_k};
  phasegrid::testing::SmallJob of(shape, phasegrid::testing::small_cell(shape, batch, load_balance));
  ASSERT_EQ(tiny_kernels(shape, InstructionSet::baseline).train(of.job, 0, {shape}), 0);

  ModelStorage<S> storage;
  TinyModel<S> model(of.settings, top_k, Team{}, storage);
  const Outcome outcome = train_model(of.job, 0, of.settings, of.id.restart, S::kParameters, model);
  std::vector<float> counted(S::kParameters);
  model.write_parameters(counted.data());
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(outcome.loss), std::bit_cast<std::uint64_t>(of.loss));
  EXPECT_EQ(bits_of(counted), bits_of(of.parameters)) << S::n << S::m << S::E << " k " << top_k;
}

float kNumbers[2 * kWidth] = {};

TEST(CountingMachine, CountsTheFunctionsOfMath) {
  const Floats x = load(kNumbers);
  const Calls exponential = calls_of([&] { exp_of_negative(x); });
  EXPECT_EQ(exponential.fma, 1 + 2 + 5);     // x / ln 2, the rest of it, the polynomial
  EXPECT_EQ(exponential.arithmetic, 2 + 1);  // the whole part and its negative, times the power of two
  EXPECT_EQ(exponential.logic, 2);           // the limit, the exponent
  const Calls inverse = calls_of([&] { reciprocal(x); });
  EXPECT_EQ(inverse.fma, 3 * 2);
  EXPECT_EQ(inverse.arithmetic, 1);  // -x, once for the three of Newton's steps
  EXPECT_EQ(inverse.logic, 1);
}

TEST(CountingMachine, CountsAnOperationOnceForEqualOperands) {
  const Floats x = load(kNumbers), y = load(kNumbers + kWidth);
  const Mask m = greater(x, y);
  const Calls calls = calls_of([&] {
    const Floats sum = x + y, again = x + y, other = y - x;
    fma_if(m, sum, x, y);
    fma_if(m, again, y, x);  // hides the same number from the same lanes
    fma_if(negate(m), sum, x, y);
    keep(m, other);
  });
  EXPECT_EQ(calls.arithmetic, 2);
  EXPECT_EQ(calls.fma, 3);
  EXPECT_EQ(calls.mask, 2);
  EXPECT_EQ(calls.keep, 1);
  EXPECT_EQ(calls.logic, 0);
}

TEST(CountingMachine, LeavesOutWhatAllLanesShare) {
  const float weight = 3.0f;
  const Floats x = load(kNumbers);
  const Calls calls = calls_of([&] {
    const Floats w(weight);                      // read from its place
    const Floats shared = w * Floats(2.0f) + w;  // before the loop over samples
    fma(shared, x, Floats(0.0f));
    in_register(Floats(2.0f));
    in_register(Floats(0.0f));
  });
  EXPECT_EQ(calls.arithmetic, 0);
  EXPECT_EQ(calls.fma, 1);
  EXPECT_EQ(calls.broadcast, 2);
}

TEST(CountingMachine, ReadsMemoryAnew) {
  const Calls calls = calls_of([&] {
    const Floats x = load(kNumbers), same_place = load(kNumbers);
    store(kNumbers, x + x);
    store(kNumbers, same_place + same_place);
  });
  EXPECT_EQ(calls.load, 2);
  EXPECT_EQ(calls.arithmetic, 2);
  EXPECT_EQ(calls.store, 2);
}

TEST(CountingMachine, TrainsTinyModelsAsTheBaselineDoes) {
  expect_baseline_bits<StaticShape<2, 1, 1, true>>(1, 96, 0.01);
  expect_baseline_bits<StaticShape<3, 2, 2, true>>(1, 100, 0.01);  // a row of lanes is partly filled
  expect_baseline_bits<StaticShape<3, 2, 3, true>>(1, 128, 0.01);
  expect_baseline_bits<StaticShape<4, 3, 4, false>>(3, 64, 0.05);
}

void expect_baseline_gradients(const Shape& shape, double load_balance, int batch) {
  std::mt19937 random(11);
  phasegrid::testing::BlockTrial trial(shape, random, Loss::mean, load_balance, batch, true);
  const std::vector<float> expected = trial.gradient(InstructionSet::baseline);
  const Losses losses = trial.losses(InstructionSet::baseline);

  // Rows of as many columns as a register has lanes.
  const BlockLayout layout =
      block_layout(shape, trial.problem().layout->tile, load_balance != 0, kWidth < 16 ? 16 : kWidth, true);
  // A warp's register of calls is longer than the rest of `stream`, which ends the arena, is made for.
  const std::size_t spare = 4 * kWidth;
  std::vector<float> memory(workspace_floats(layout) + spare);
  const BlockStorage storage{layout, memory.data(),
                             memory.data() + static_cast<std::size_t>(layout.size) + spare};
  BlockModel model(shape, trial.settings, trial.features.data(), BlockTeam{}, storage);
  model.set_up();
  for (int p = 0; p < shape.parameter_count(); ++p) *model.parameter(p) = trial.parameters[static_cast<std::size_t>(p)];
  const Batch data{model_key(trial.settings, 1), 5, static_cast<std::uint32_t>(kStreamTrain), batch};
  const Losses counted_losses = model.loss(data, trial.settings.loss_scale);
  model.gradient(data);
  std::vector<float> counted;
  for (int p = 0; p < shape.parameter_count(); ++p) counted.push_back(*model.gradient_of(p));
  EXPECT_EQ(bits_of(counted), bits_of(expected));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(counted_losses), std::bit_cast<std::uint64_t>(losses));
}

TEST(CountingMachine, HasTheBaselinesGradientsInTheBlockMapping) {
  expect_baseline_gradients({20, 6, 1, 1}, 0, 150);
  expect_baseline_gradients({21, 2, 3, 1}, 0.01, 130);
  expect_baseline_gradients({35, 5, 6, 2}, 0, 100);
  expect_baseline_gradients({35, 3, 6, 3}, 0.02, 100);
}

}  // namespace
}  // namespace phasegrid::PHASEGRID_MACHINE
