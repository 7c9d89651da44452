// The CUDA side of the tiny mapping, run on an emulated warp, gives the bits of the CPU side (design P4). This covers
// what a machine without a GPU would otherwise never execute: the lane type, the transposing reduction, the sharing out
// of parameters and the barriers. The launcher alone is left to the gpu tests.
#include "support/warp_emulator.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <memory>

#include "train/cpu_kernels.hpp"
#include "train/plan.hpp"
#include "tiny/model.hpp"

namespace phasegrid {
namespace {

Cell small_cell(const Shape& shape, int batch, double load_balance) {
  Cell cell;
  cell.seed = 7;
  cell.sparsity.assign(static_cast<std::size_t>(shape.n_features), 0.4);
  cell.importance.assign(static_cast<std::size_t>(shape.n_features), 1.0);
  cell.importance.back() = 0.7;
  cell.train.steps = 6;
  cell.train.batch = batch;
  cell.train.learning_rate = 0.03;
  cell.train.load_balance = load_balance;
  return cell;
}

template <class S>
void expect_cpu_bits(int top_k, int batch, double load_balance, Keep keep = Keep::last_batch) {
  const Shape shape{S::n, S::m, S::E, top_k};
  Cell cell = small_cell(shape, batch, load_balance);
  cell.train.keep = keep;
  const CellSettings settings = cell_settings(shape, cell);
  const std::vector<BiasCorrection> corrections = bias_corrections(cell.train.steps);
  const std::int32_t stop = 0;
  const ModelId id{0, 3};
  Losses loss{};
  std::vector<float> parameters(S::kParameters);
  std::int32_t steps_done = 0;
  Job job{};
  job.n_models = 1;
  job.top_k = top_k;
  job.cells = &settings;
  job.models = &id;
  job.corrections = corrections.data();
  job.n_corrections = static_cast<std::int32_t>(corrections.size());
  job.stop = &stop;
  job.steps_done = &steps_done;
  job.losses = &loss;
  job.parameters = parameters.data();
  const std::int32_t status = cpu_kernels(shape, best_instruction_set()).train(job, 0);

  auto model = std::make_unique<cuda::ModelStorage<S>>();
  cuda::Outcome outcomes[kLanes];
  emulated::run_warp([&] {
    const cuda::Team team;
    cuda::TinyModel<S> mine(settings, job.top_k, team, *model);
    outcomes[team.rank()] = cuda::train_model(job, 0, settings, id.restart, S::kParameters, mine);
  });
  for (const cuda::Outcome& outcome : outcomes) {  // every lane knows the outcome
    EXPECT_EQ(outcome.status, status);
    EXPECT_FALSE(outcome.stopped);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(outcome.loss), std::bit_cast<std::uint64_t>(loss));
  }
  for (int p = 0; p < S::kParameters; ++p) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(model->parameters[p]),
              std::bit_cast<std::uint32_t>(parameters[static_cast<std::size_t>(p)]))
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
  const CellSettings settings = cell_settings(shape, cell);
  const std::vector<BiasCorrection> corrections = bias_corrections(cell.train.steps);
  const std::int32_t stop = 1;
  Job job{};
  job.cells = &settings;
  job.corrections = corrections.data();
  job.n_corrections = static_cast<std::int32_t>(corrections.size());
  job.stop = &stop;
  auto model = std::make_unique<cuda::ModelStorage<S>>();
  emulated::run_warp([&] {
    cuda::TinyModel<S> mine(settings, job.top_k, cuda::Team{}, *model);
    EXPECT_TRUE(cuda::train_model(job, 0, settings, 0, S::kParameters, mine).stopped);
  });
}

}  // namespace
}  // namespace phasegrid
