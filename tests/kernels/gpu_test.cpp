// What only a GPU can show. Each test is skipped, and says so, where there is none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <thread>

#include "train/backend.hpp"
#include "block/block_cuda.hpp"
#include "train/cuda_memory.hpp"
#include "phasegrid/phasegrid.hpp"
#include "support/philox_known_answers.hpp"
#include "tiny/tiny_cuda.hpp"

namespace phasegrid {

// philox_on_gpu.cu: counters, keys and outputs [count][4], [count][2], [count][4]; rounds is 7 or 10.
cudaError_t philox_on_gpu(int rounds, int count, const std::uint32_t* counters, const std::uint32_t* keys,
                          std::uint32_t* outputs);

namespace {

#define SKIP_WITHOUT_GPU()                                            \
  if (const std::string problem = find_gpus().problem; !problem.empty()) { \
    GTEST_SKIP() << "not run on a GPU: " << problem;                  \
  }                                                                   \
  static_assert(true)

std::vector<std::uint32_t> bits_of(const Results& results) {
  std::vector<std::uint32_t> bits;
  for (const auto* numbers :
       {&results.final_losses, &results.all_losses, &results.all_reconstruction_losses, &results.parameters}) {
    for (float number : *numbers) bits.push_back(std::bit_cast<std::uint32_t>(number));
  }
  for (std::int32_t number : results.status) bits.push_back(static_cast<std::uint32_t>(number));
  return bits;
}

Sweep sweep_of(const Shape& shape) {
  Sweep sweep;
  sweep.name = fmt::format("n{}m{}E{}k{}", shape.n_features, shape.n_hidden, shape.n_experts, shape.top_k);
  sweep.shape = shape;
  sweep.restarts = 3;
  sweep.train.steps = 300;
  sweep.train.batch = 200;
  sweep.axes = {{AxisName::sparsity, {0.1, 0.5, 0.9}}, {AxisName::last_importance, {0.3, 1.7}}};
  return sweep;
}

TrainOptions on(DeviceChoice device) {
  TrainOptions options;
  options.device = device;
  return options;
}

TEST(Gpu, PhiloxGivesRandom123sKnownAnswers) {
  SKIP_WITHOUT_GPU();
  for (const auto& answer : testing::kPhiloxAnswers) {
    std::uint32_t out[4] = {};
    ASSERT_EQ(philox_on_gpu(answer.rounds, 1, answer.counter, answer.key, out), cudaSuccess);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(out[i], answer.expected[i]);
  }
}

// Design P4, for every shape that the tiny mapping is compiled for, all in one call.
TEST(Gpu, GivesTheCpusBitsForEveryShape) {
  SKIP_WITHOUT_GPU();
  std::vector<Sweep> sweeps;
  for (int n = 1; n <= kMaxTinyFeatures; ++n) {
    for (int m = 1; m <= kMaxTinyHidden; ++m) {
      for (int E = 1; E <= kMaxTinyExperts; ++E) {
        for (int k = 1; k <= E; ++k) sweeps.push_back(sweep_of({n, m, E, k}));
      }
    }
  }
  const auto gpu = train(sweeps, on(DeviceChoice::cuda)), cpu = train(sweeps, on(DeviceChoice::cpu));
  for (std::size_t s = 0; s < sweeps.size(); ++s) EXPECT_EQ(bits_of(gpu[s]), bits_of(cpu[s])) << sweeps[s].name;
}

TEST(Gpu, GivesTheCpusBitsForOtherSettings) {
  SKIP_WITHOUT_GPU();
  std::vector<Sweep> sweeps(4, sweep_of({3, 2, 3, 1}));
  sweeps[0].train.loss = Loss::sum;
  sweeps[1].train.load_balance = 0;
  sweeps[2].train.keep = Keep::evaluation;
  sweeps[3].axes.push_back({AxisName::learning_rate, {1e-3, 1e8}});  // diverges
  const auto gpu = train(sweeps, on(DeviceChoice::cuda)), cpu = train(sweeps, on(DeviceChoice::cpu));
  for (std::size_t s = 0; s < sweeps.size(); ++s) EXPECT_EQ(bits_of(gpu[s]), bits_of(cpu[s])) << s;
}

// The block mapping too sums in one order everywhere. Snapshots, schedules, routers and a sparsity a feature with it.
TEST(Gpu, GivesTheCpusBitsForLargeShapes) {
  SKIP_WITHOUT_GPU();
  std::vector<Sweep> sweeps;
  for (const Shape& shape : {Shape{20, 6, 1, 1}, Shape{20, 5, 4, 1}, Shape{33, 2, 10, 2}, Shape{100, 10, 10, 1},
                             Shape{100, 1, 20, 5}, Shape{7, 3, 6, 6}, Shape{256, 4, 2, 1}}) {
    for (const double load_balance : {0.0, 0.01}) {
      sweeps.push_back(sweep_of(shape));
      sweeps.back().train.load_balance = load_balance;
      sweeps.back().train.steps = 60;
      sweeps.back().train.snapshots = {0, 30};
      sweeps.back().train.schedule = Schedule::cosine;
    }
  }
  sweeps.push_back(sweep_of({3, 2, 3, 1}));
  sweeps.back().axes.erase(sweeps.back().axes.begin());
  sweeps.back().data.feature_sparsity = {0.1, 0.5, 0.9};
  sweeps.push_back(sweep_of({20, 5, 4, 1}));
  sweeps.back().init.router = RouterInit::random_k_hot;
  sweeps.back().init.bias = BiasInit::zero;
  sweeps.back().train.keep = Keep::evaluation;
  const auto gpu = train(sweeps, on(DeviceChoice::cuda)), cpu = train(sweeps, on(DeviceChoice::cpu));
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    EXPECT_EQ(bits_of(gpu[s]), bits_of(cpu[s])) << sweeps[s].name << " " << s;
    EXPECT_EQ(gpu[s].snapshot_parameters, cpu[s].snapshot_parameters) << sweeps[s].name << " " << s;
  }
}

TEST(Gpu, SaysWhatWouldFit) {
  SKIP_WITHOUT_GPU();
  Sweep sweep = sweep_of({256, 64, 64, 1});
  try {
    train(sweep, on(DeviceChoice::cuda));
    FAIL() << "it fits";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("would fit"), std::string::npos) << error.what();
  }
}

TEST(Gpu, TheBlockKernelUsesNoLocalMemory) {
  SKIP_WITHOUT_GPU();
  BlockLaunch launch;
  ASSERT_EQ(describe_block({100, 10, 10, 1}, 1024, false, true, 1 << 20, &launch), cudaSuccess);
  EXPECT_EQ(launch.local_bytes, 0);
  EXPECT_GT(launch.layout.tile, 0);
  EXPECT_GT(launch.blocks, 0);
}

TEST(Gpu, MoreModelsThanTheDeviceHoldsAtOnce) {
  SKIP_WITHOUT_GPU();
  Sweep sweep = sweep_of({2, 1, 1, 1});
  sweep.restarts = 20000;
  sweep.train.steps = 20;
  EXPECT_EQ(bits_of(train(sweep, on(DeviceChoice::cuda))), bits_of(train(sweep, on(DeviceChoice::cpu))));
}

TEST(Gpu, StopsFromInsideTheLaunchWithWhatIsFinished) {
  SKIP_WITHOUT_GPU();
  Sweep sweep = sweep_of({2, 1, 2, 1});
  sweep.restarts = 20000;
  sweep.train.steps = 20000;
  std::stop_source stop;
  TrainOptions options = on(DeviceChoice::cuda);
  options.stop = stop.get_token();
  options.progress = [&](const Progress& progress) {
    if (progress.models_done > 0) stop.request_stop();
  };
  const Results results = train(sweep, options);
  EXPECT_FALSE(results.complete());
  EXPECT_GT(std::ranges::count(results.status, kTrained), 0);
}

TEST(Gpu, NoKernelUsesLocalMemory) {
  SKIP_WITHOUT_GPU();
  for (int n = 1; n <= kMaxTinyFeatures; ++n) {
    for (int m = 1; m <= kMaxTinyHidden; ++m) {
      for (int E = 1; E <= kMaxTinyExperts; ++E) {
        for (int k = 1; k <= std::min(E, 2); ++k) {
          TinyLaunch launch;
          ASSERT_EQ(describe_tiny({n, m, E, k}, 1 << 20, &launch), cudaSuccess);
          EXPECT_EQ(launch.local_bytes, 0) << n << m << E << k;
          EXPECT_GT(launch.blocks, 0);
        }
      }
    }
  }
}

TEST(Gpu, WithoutOneTheProgramSaysSoAndUsesTheCpu) {
  if (find_gpus().problem.empty()) GTEST_SKIP() << "this machine has a GPU";
  Sweep sweep = sweep_of({2, 1, 1, 1});
  EXPECT_THROW(train(sweep, on(DeviceChoice::cuda)), InputError);
  EXPECT_TRUE(train(sweep, on(DeviceChoice::automatic)).device.starts_with("cpu"));
}

}  // namespace
}  // namespace phasegrid
