// The CUDA side of the tiny mapping, run on an emulated warp, gives the bits of the CPU side (design P4). This covers
// what a machine without a GPU would otherwise never execute: the lane type, the transposing reduction, the sharing out
// of parameters and the barriers. The launcher alone is left to the gpu tests.
#include "support/warp_emulator.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <memory>

#include "support/small_job.hpp"
#include "train/instruction_sets.hpp"
#include "train/plan.hpp"
#include "tiny/model.hpp"

namespace phasegrid {
namespace {

using testing::small_cell;
using testing::SmallJob;

template <class S>
void expect_cpu_bits(int top_k, int batch, double load_balance, Keep keep = Keep::last_batch) {
  const Shape shape{S::n, S::m, S::E, top_k};
  SmallJob of(shape, small_cell(shape, batch, load_balance, keep));
  const std::int32_t status = tiny_kernels(shape, best_instruction_set()).train(of.job, 0, {shape});

  auto model = std::make_unique<cuda::ModelStorage<S>>();
  cuda::Outcome outcomes[kLanes];
  emulated::run_warp([&] {
    const cuda::Team team;
    cuda::TinyModel<S> mine(of.settings, top_k, team, *model);
    outcomes[team.rank()] = cuda::train_model(of.job, 0, of.settings, of.id.restart, S::kParameters, mine);
  });
  for (const cuda::Outcome& outcome : outcomes) {  // every lane knows the outcome
    EXPECT_EQ(outcome.status, status);
    EXPECT_FALSE(outcome.stopped);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(outcome.loss), std::bit_cast<std::uint64_t>(of.loss));
  }
  for (int p = 0; p < S::kParameters; ++p) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(model->parameters[p]),
              std::bit_cast<std::uint32_t>(of.parameters[static_cast<std::size_t>(p)]))
        << "parameter " << p;
  }
}

template <int n, int m, int E>
using Top1 = cuda::StaticShape<n, m, E, true>;
template <int n, int m, int E>
using TopK = cuda::StaticShape<n, m, E, false>;

TEST(EmulatedWarp, GivesTheCpusBitsForFigure4) {
  expect_cpu_bits<Top1<2, 1, 1>>(1, 512, 0.01);
  expect_cpu_bits<Top1<2, 1, 2>>(1, 512, 0.01);
  expect_cpu_bits<Top1<3, 1, 3>>(1, 512, 0.01);
  expect_cpu_bits<Top1<3, 2, 2>>(1, 512, 0.01);
  expect_cpu_bits<Top1<3, 2, 3>>(1, 512, 0.01);
}

TEST(EmulatedWarp, GivesTheCpusBitsForPartlyFilledRows) {
  expect_cpu_bits<Top1<3, 2, 3>>(1, 100, 0.01);
  expect_cpu_bits<Top1<1, 1, 2>>(1, 33, 0.5);
  expect_cpu_bits<TopK<2, 2, 2>>(2, 7, 0.01);
}

TEST(EmulatedWarp, GivesTheCpusBitsForSeveralActiveExperts) {
  expect_cpu_bits<TopK<3, 2, 3>>(2, 128, 0.05);
  expect_cpu_bits<TopK<4, 3, 4>>(3, 64, 0.0);
}

TEST(EmulatedWarp, GivesTheCpusBitsWithoutLoadBalanceAndForEvaluation) {
  expect_cpu_bits<Top1<4, 3, 4>>(1, 64, 0.0);
  expect_cpu_bits<Top1<2, 1, 2>>(1, 64, 0.01, Keep::evaluation);
}

TEST(EmulatedWarp, ALongBatchIsLeftOffWhenAsked) {
  using S = TopK<4, 3, 4>;
  const Cell cell = small_cell({4, 3, 4, 2}, 64, 0.01);
  const CellSettings settings = cell_settings({4, 3, 4, 2}, cell);
  auto model = std::make_unique<cuda::ModelStorage<S>>();
  auto loss = [&](int samples, std::int32_t stop) {
    float found[kLanes];
    emulated::run_warp([&] {
      const cuda::Team team;
      cuda::TinyModel<S> mine(settings, 2, team, *model);
      const cuda::Key key{5, 6};
      mine.initialise(key, nullptr);
      found[team.rank()] = mine.loss(cuda::Batch{key, 1, kStreamTrain, samples, &stop}, 1.0f).reconstruction;
    });
    for (const float one : found) EXPECT_EQ(one, found[0]);
    return found[0];
  };
  const int longest = (1 << 22) / S::kParameters;
  EXPECT_GT(loss(longest, 1), 0);  // not long: the flag is looked at between steps alone
  EXPECT_GT(loss(longest + 1, 0), 0);
  EXPECT_EQ(loss(longest + 1, 1), 0);
}

TEST(EmulatedWarp, StopsWhenAsked) {
  using S = Top1<2, 1, 1>;
  const Shape shape{2, 1, 1, 1};
  Cell cell = small_cell(shape, 32, 0);
  cell.train.steps = 1000;
  SmallJob of(shape, cell);
  of.stop = 1;
  auto model = std::make_unique<cuda::ModelStorage<S>>();
  emulated::run_warp([&] {
    cuda::TinyModel<S> mine(of.settings, shape.top_k, cuda::Team{}, *model);
    EXPECT_TRUE(cuda::train_model(of.job, 0, of.settings, 0, S::kParameters, mine).stopped);
  });
}

}  // namespace
}  // namespace phasegrid
