// The CUDA side of the block mapping, run by emulated warps, gives the bits of the CPU side: gathers, sums and
// barriers, with one warp and with two. The launcher alone is left to the gpu tests.
// clang-format off: the emulator says that this is CUDA, before anything asks
#include "support/warp_emulator.hpp"
// clang-format on

#include <gtest/gtest.h>

#include <bit>

#include "block/model.hpp"
#include "support/block_problem.hpp"
#include "support/family.hpp"

namespace phasegrid {
namespace {

using testing::BlockTrial;

struct Trained {
  Losses loss{};
  std::int32_t status = 0;
  std::vector<float> parameters, snapshot_parameters;
  std::vector<Losses> snapshot_losses;
};

struct Tables {
  std::vector<BiasCorrection> corrections = bias_corrections(100);
  std::vector<std::int32_t> snapshots = {0, 1, 2};
  std::int32_t stop = 0, steps_done = 0;
  ModelId id{0, 3};

  Job job(BlockTrial& trial, Trained& out) {
    const std::size_t size = trial.parameters.size();
    out.parameters.assign(size, NAN);
    out.snapshot_losses.assign(3, {NAN, NAN});
    out.snapshot_parameters.assign(3 * size, NAN);
    Job job{};
    job.n_models = 1;
    job.top_k = trial.shape.top_k;
    job.cells = &trial.settings;
    job.features = trial.features.data();
    job.models = &id;
    job.corrections = corrections.data();
    job.n_corrections = static_cast<std::int32_t>(corrections.size());
    job.snapshots = snapshots.data();
    job.n_snapshots = 3;
    job.stop = &stop;
    job.steps_done = &steps_done;
    job.losses = &out.loss;
    job.parameters = out.parameters.data();
    job.snapshot_losses = out.snapshot_losses.data();
    job.snapshot_parameters = out.snapshot_parameters.data();
    return job;
  }
};

Trained train_on_cpu(BlockTrial& trial) {
  Trained out;
  Tables tables;
  const Job job = tables.job(trial, out);
  out.status = block_kernels(best_instruction_set()).train(job, 0, trial.problem());
  return out;
}

Trained train_emulated(BlockTrial& trial, int warps, int tile) {
  Trained out;
  Tables tables;
  const Job job = tables.job(trial, out);
  const BlockLayout layout = block_layout(trial.shape, tile, trial.cell.train.load_balance != 0, kLanes, false);
  std::vector<float> arena(workspace_floats(layout), NAN);
  const cuda::BlockStorage storage{layout, arena.data(), arena.data() + layout.size};
  std::vector<cuda::Outcome> outcomes(static_cast<std::size_t>(32 * warps));
  emulated::run_block(warps, [&] {
    cuda::BlockModel model(trial.shape, trial.settings, trial.features.data(), cuda::BlockTeam{}, storage);
    outcomes[threadIdx.x] = cuda::train_model(job, 0, trial.settings, 3, trial.shape.parameter_count(), model);
    model.write_parameters(out.parameters.data());
  });
  for (const cuda::Outcome& outcome : outcomes) {  // every thread knows the outcome
    EXPECT_EQ(std::bit_cast<std::uint64_t>(outcome.loss), std::bit_cast<std::uint64_t>(outcomes[0].loss));
    EXPECT_EQ(outcome.status, outcomes[0].status);
  }
  out.loss = outcomes[0].loss;
  out.status = outcomes[0].status;
  return out;
}

template <class T>
void expect_equal_bits(const std::vector<T>& a, const std::vector<T>& b, const char* what) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(std::bit_cast<Bits>(a[i]), std::bit_cast<Bits>(b[i])) << what << " " << i;
  }
}

TEST(EmulatedBlock, TrainsToTheBitsOfTheCpu) {
  std::mt19937 random(31);
  struct Case {
    Shape shape;
    double load_balance;
    int warps;
    int batch = 70;  // 150: a whole tile of a dense model, and a part of one
  };
  // Few and small: each barrier of a block costs these threads a round through the kernel of the operating system.
  for (const auto& [shape, load_balance, warps, batch] :
       {Case{{2, 1, 3, 1}, 0.05, 1}, Case{{37, 5, 1, 1}, 0.0, 2}, Case{{20, 5, 4, 1}, 0.0, 2},
        Case{{22, 6, 1, 1}, 0.05, 1}, Case{{70, 2, 6, 2}, 0.0, 2}, Case{{20, 5, 4, 1}, 0.05, 1},
        Case{{9, 1, 7, 4}, 0.05, 2}, Case{{20, 6, 1, 1}, 0.0, 3, 150}}) {
    BlockTrial trial(shape, random, Loss::mean, load_balance, batch, true);
    trial.cell.train.steps = 2;
    trial.cell.train.schedule = Schedule::cosine;
    trial.update();
    const Trained expected = train_on_cpu(trial);
    const int tile = shape.n_experts == 1 ? cpu_tile(shape, batch) : 32 * samples_per_draw(shape.n_features);
    const Trained got = train_emulated(trial, warps, tile);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(got.loss), std::bit_cast<std::uint64_t>(expected.loss));
    expect_equal_bits(got.parameters, expected.parameters, "parameter");
    expect_equal_bits(got.snapshot_losses, expected.snapshot_losses, "snapshot loss");
    expect_equal_bits(got.snapshot_parameters, expected.snapshot_parameters, "snapshot parameter");
  }
}

TEST(EmulatedBlock, TrainsTheFamilyToTheBitsOfTheCpu) {
  std::mt19937 random(32);
  for (int i = 0; i < 6; ++i) {
    BlockTrial trial = testing::random_family_trial(random, 10);
    trial.cell.train.steps = 2;
    trial.cell.train.batch = 40;
    trial.update();
    const Trained expected = train_on_cpu(trial);
    const Shape& shape = trial.shape;
    const int tile = shape.n_experts == 1 ? cpu_tile(shape, 40) : 32 * samples_per_draw(shape.n_features);
    const Trained got = train_emulated(trial, 1 + i % 2, tile);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(got.loss), std::bit_cast<std::uint64_t>(expected.loss));
    expect_equal_bits(got.parameters, expected.parameters, testing::name_of(trial).c_str());
    expect_equal_bits(got.snapshot_losses, expected.snapshot_losses, "snapshot loss");
  }
}

// The loss of so many samples in the emulated block; every thread's, which must be the same.
float emulated_loss(BlockTrial& trial, int tile, int samples, const std::int32_t* stop) {
  const BlockLayout layout = block_layout(trial.shape, tile, false, kLanes, false);
  std::vector<float> arena(workspace_floats(layout), NAN);
  const cuda::BlockStorage storage{layout, arena.data(), arena.data() + layout.size};
  std::vector<float> losses(64, NAN);
  emulated::run_block(2, [&] {
    cuda::BlockModel model(trial.shape, trial.settings, trial.features.data(), cuda::BlockTeam{}, storage);
    const cuda::Key key{5, 6};
    model.initialise(key, nullptr);
    losses[threadIdx.x] = model.loss(cuda::Batch{key, 1, kStreamTrain, samples, stop}, 1.0f).reconstruction;
  });
  for (const float loss : losses) EXPECT_EQ(loss, losses[0]);
  return losses[0];
}

// Models so large that the flag is looked at after 62 and 248 samples: at the first tile that begins there or later.
TEST(EmulatedBlock, ALongBatchIsLeftOffBetweenItsTiles) {
  std::mt19937 random(33);
  struct Case {
    Shape shape;
    int tile, batch, summed;
  };
  for (const auto& [shape, tile, batch, summed] :
       {Case{{256, 64, 4, 1}, 32, 160, 64}, Case{{256, 64, 1, 1}, kDenseTile, 300, 256}}) {
    BlockTrial trial(shape, random, Loss::mean, 0.0, batch);
    const std::int32_t go_on = 0, stop = 1;
    const float whole = emulated_loss(trial, tile, batch, &go_on);
    EXPECT_EQ(whole, emulated_loss(trial, tile, batch, nullptr));
    EXPECT_EQ(emulated_loss(trial, tile, batch, &stop), emulated_loss(trial, tile, summed, nullptr));
    EXPECT_LT(emulated_loss(trial, tile, batch, &stop), whole);
    EXPECT_EQ(emulated_loss(trial, tile, summed, &stop), emulated_loss(trial, tile, summed, nullptr));
  }
}

TEST(EmulatedBlock, ReportsDivergence) {
  std::mt19937 random(32);
  BlockTrial trial({12, 3, 2, 1}, random, Loss::sum, 0.0, 40);
  trial.cell.train.learning_rate = 1e8;
  trial.update();
  const Trained expected = train_on_cpu(trial), got = train_emulated(trial, 2, 32);
  EXPECT_GT(expected.status, 0);
  EXPECT_EQ(got.status, expected.status);
}

}  // namespace
}  // namespace phasegrid
