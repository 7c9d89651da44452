// The host's side of the CUDA backend, on a runtime of threads (fake_cuda.hpp): launches are shared by the sweeps of a
// call and split over the GPUs, and nothing of that shows in the numbers.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <numeric>

#include "support/fake_cuda.hpp"
#include "train/launch_plan.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid {
namespace {

using testing::fake_cuda;

class CudaBackend : public ::testing::Test {
 protected:
  void SetUp() override { testing::reset_fake_cuda(); }
  void TearDown() override {
    EXPECT_EQ(fake_cuda().leaks(), 0);
    EXPECT_EQ(fake_cuda().mistakes, std::vector<std::string>{});
  }
};

Sweep sweep_of(const Shape& shape, int restarts = 3) {
  Sweep sweep;
  sweep.shape = shape;
  sweep.restarts = restarts;
  sweep.train.steps = 40;
  sweep.train.batch = 64;
  sweep.axes = {{AxisName::sparsity, {0.1, 0.5, 0.9}}, {AxisName::steps, {10, 40}}};
  return sweep;
}

// Two shapes of each mapping, with snapshots and without, and one sweep of everything's last kind again.
std::vector<Sweep> assorted() {
  std::vector<Sweep> sweeps = {sweep_of({2, 1, 1, 1}),  sweep_of({3, 2, 2, 1}), sweep_of({2, 1, 1, 1}, 1),
                               sweep_of({20, 4, 2, 1}), sweep_of({9, 3, 4, 2}), sweep_of({20, 4, 2, 1}, 2)};
  sweeps[1].train.snapshots = {0, 10};
  sweeps[2].seed = 5;
  sweeps[5].train.load_balance = 0;
  sweeps[5].train.batch = 200;
  return sweeps;
}

TrainOptions on(DeviceChoice device) {
  TrainOptions options;
  options.device = device;
  return options;
}

std::vector<std::uint32_t> bits_of(const Results& results) {
  std::vector<std::uint32_t> bits;
  for (const auto* numbers : {&results.final_losses, &results.reconstruction_losses, &results.all_losses,
                              &results.all_reconstruction_losses, &results.parameters, &results.all_parameters,
                              &results.first_moments, &results.second_moments, &results.snapshot_losses,
                              &results.snapshot_reconstruction_losses, &results.snapshot_parameters}) {
    for (const float number : *numbers) bits.push_back(std::bit_cast<std::uint32_t>(number));
  }
  for (const auto* numbers : {&results.status, &results.kept})
    bits.insert(bits.end(), numbers->begin(), numbers->end());
  return bits;
}

void expect_the_cpus_bits(const std::vector<Sweep>& sweeps) {
  const auto gpu = train(sweeps, on(DeviceChoice::cuda)), cpu = train(sweeps, on(DeviceChoice::cpu));
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    EXPECT_TRUE(gpu[s].complete());
    EXPECT_EQ(bits_of(gpu[s]), bits_of(cpu[s])) << "sweep " << s;
  }
}

TEST_F(CudaBackend, OneLaunchAShapeWhateverTheNumberOfSweeps) {
  expect_the_cpus_bits(assorted());
  EXPECT_EQ(fake_cuda().launches.size(), 4u);  // 211 and 20/4/2 twice each in one, 322 and 9/3/4
  testing::reset_fake_cuda();
  std::vector<Sweep> cells(150, sweep_of({2, 1, 1, 1}, 1));
  for (std::size_t s = 0; s < cells.size(); ++s) cells[s].seed = s;
  expect_the_cpus_bits(cells);
  ASSERT_EQ(fake_cuda().launches.size(), 1u);
  EXPECT_EQ(fake_cuda().launches[0].n_models, 900);
}

TEST_F(CudaBackend, SeveralGpusShareEveryLaunch) {
  fake_cuda().devices = 3;
  expect_the_cpus_bits(assorted());
  std::vector<int> models(3, 0);
  for (const auto& launch : fake_cuda().launches) models[static_cast<std::size_t>(launch.device)] += launch.n_models;
  const int all = std::accumulate(models.begin(), models.end(), 0);
  EXPECT_EQ(all, 6 * (3 + 3 + 1 + 3 + 3 + 2));
  for (const int n : models) EXPECT_NEAR(n, all / 3.0, 4.0);
  EXPECT_EQ(train(sweep_of({2, 1, 1, 1}), on(DeviceChoice::automatic)).device, "3 x Fake large (sm_90)");
}

TEST_F(CudaBackend, AGpuTakesOnlyWhatItHasCodeAndRoomFor) {
  fake_cuda().devices = 3;
  fake_cuda().without_code = {1};
  fake_cuda().room = {{2, 1024}};  // no model of the block mapping fits device 2
  expect_the_cpus_bits({sweep_of({2, 1, 1, 1}), sweep_of({20, 4, 2, 1})});
  std::vector<int> devices;
  for (const auto& launch : fake_cuda().launches) devices.push_back(launch.device);
  EXPECT_EQ(devices, (std::vector<int>{0, 0, 2}));  // the block mapping's launch, which is more work, is first
  EXPECT_EQ(train(sweep_of({2, 1, 1, 1}), on(DeviceChoice::automatic)).device,
            "Fake large (sm_90) + Fake small (sm_90)");

  fake_cuda().room = {{0, 1024}, {2, 1024}};
  try {
    train(sweep_of({20, 4, 2, 1}), on(DeviceChoice::cuda));
    FAIL() << "no GPU has room";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("KiB of device memory and Fake small"), std::string::npos) << error.what();
  }
  // The CPU trains what no GPU has room for, and nothing else; it is said.
  const std::vector<Sweep> both = {sweep_of({20, 4, 2, 1}), sweep_of({2, 1, 1, 1})};
  std::vector<std::string> said;
  TrainOptions automatic = on(DeviceChoice::automatic);
  automatic.warning = [&](const std::string& sentence) { said.push_back(sentence); };
  const auto mixed = train(both, automatic), cpu = train(both, on(DeviceChoice::cpu));
  EXPECT_TRUE(mixed[0].device.starts_with("cpu")) << mixed[0].device;
  EXPECT_EQ(mixed[1].device, "2 x Fake small (sm_90)");
  for (std::size_t s = 0; s < both.size(); ++s) EXPECT_EQ(bits_of(mixed[s]), bits_of(cpu[s])) << s;
  ASSERT_EQ(said.size(), 1u);
  EXPECT_TRUE(said[0].starts_with("sweep 'sweep' is trained on the CPU: a model of n_features = 20")) << said[0];
  fake_cuda().without_code = {0, 1, 2};
  EXPECT_THROW(train(sweep_of({2, 1, 1, 1}), on(DeviceChoice::cuda)), InputError);
}

TEST_F(CudaBackend, ResumesWhereAnEarlierRunEnded) {
  fake_cuda().devices = 2;
  const std::vector<Sweep> sweeps = assorted();
  std::vector<Results> earlier = train(sweeps, on(DeviceChoice::cpu));
  for (std::size_t s = 1; s < sweeps.size(); ++s) {  // sweep 0 is finished
    const Results whole = earlier[s];
    earlier[s] = Results(sweeps[s]);
    const auto size = static_cast<std::size_t>(sweeps[s].shape.parameter_count());
    const std::size_t shots = sweeps[s].train.snapshots.size();
    if (sweeps[s].restarts != 1) continue;
    for (std::size_t cell = 0; cell < whole.cells(); cell += 2) {
      std::vector<Losses> shot_losses;
      for (std::size_t at = cell * shots; at < (cell + 1) * shots; ++at) {
        shot_losses.push_back({whole.snapshot_losses[at], whole.snapshot_reconstruction_losses[at]});
      }
      earlier[s].take(cell, 0, {whole.all_losses[cell], whole.all_reconstruction_losses[cell]}, 0,
                      std::span(whole.parameters).subspan(cell * size, size), shot_losses);
    }
  }
  TrainOptions options = on(DeviceChoice::cuda);
  options.resume = earlier;
  const auto gpu = train(sweeps, options), cpu = train(sweeps, on(DeviceChoice::cpu));
  for (std::size_t s = 0; s < sweeps.size(); ++s) EXPECT_EQ(bits_of(gpu[s]), bits_of(cpu[s])) << "sweep " << s;
  int trained = 0;
  for (const auto& launch : fake_cuda().launches) trained += launch.n_models;
  EXPECT_EQ(trained, 6 * (3 + 3 + 2 + 3) + 3);
}

// Trained for fewer steps and then for the rest, on the CPU and on GPUs, beside a sweep that begins anew.
TEST_F(CudaBackend, ModelsOfFewerStepsGoOn) {
  fake_cuda().devices = 2;
  std::vector<Sweep> sweeps = assorted(), shorter;
  for (Sweep& sweep : sweeps) {
    sweep.axes.pop_back();  // of steps
    sweep.axes.push_back({AxisName::learning_rate, {0.003, 1e9}});  // which diverges
    sweep.train.snapshots = {};
    sweep.train.keep = Keep::training_state;
    shorter.push_back(sweep);
    shorter.back().train.steps = 15;
  }
  sweeps[3].train.optimizer = shorter[3].train.optimizer = Optimizer::sgd;
  sweeps[1].train.warmup = shorter[1].train.warmup = 20;
  const std::vector<Results> whole = train(sweeps, on(DeviceChoice::cpu));
  for (const DeviceChoice device : {DeviceChoice::cpu, DeviceChoice::cuda}) {
    std::vector<Results> begun = train(shorter, on(device));
    begun[2] = Results();
    TrainOptions options = on(device);
    options.shorter = begun;
    std::int64_t fresh = 0;
    options.progress = [&](const Progress& p) { fresh = p.models_done; };
    const std::vector<Results> longer = train(sweeps, options);
    EXPECT_EQ(fresh, 6 * (3 + 3 + 1 + 3 + 3 + 2));
    for (std::size_t s = 0; s < sweeps.size(); ++s) {
      EXPECT_EQ(bits_of(longer[s]), bits_of(whole[s])) << "sweep " << s;
      EXPECT_GT(std::ranges::count_if(whole[s].status, [](std::int32_t status) { return status > kTrained; }), 0);
    }
  }
}

TEST_F(CudaBackend, WhatCannotGoOnIsRefused) {
  Sweep sweep = sweep_of({2, 1, 1, 1}, 1);
  sweep.axes.pop_back();
  sweep.train.keep = Keep::training_state;
  Sweep shorter = sweep;
  shorter.train.steps = 15;
  const std::vector<Results> begun = {train(shorter, on(DeviceChoice::cpu))};
  const auto refusal = [&](Sweep changed, std::vector<Results> from) -> std::string {
    TrainOptions options = on(DeviceChoice::cpu);
    options.shorter = from;
    try {
      train(std::span(&changed, 1), options);
      return "";
    } catch (const InputError& error) {
      return error.what();
    }
  };
  EXPECT_EQ(refusal(sweep, begun), "");
  const auto changed = [&](auto&& change) {
    Sweep other = sweep;
    change(other);
    return refusal(other, begun);
  };
  const std::string can = "shorter: the results for sweep 'sweep': a training can go on with train.keep";
  EXPECT_TRUE(changed([](Sweep& s) { s.train.keep = Keep::all; }).starts_with(can));
  EXPECT_TRUE(changed([](Sweep& s) { s.train.schedule = Schedule::linear; }).starts_with(can));
  EXPECT_TRUE(changed([](Sweep& s) { s.train.stop_below = 1e-9; }).starts_with(can));
  EXPECT_TRUE(changed([](Sweep& s) { s.train.snapshots = {3}; }).starts_with(can));
  EXPECT_TRUE(changed([](Sweep& s) { s.axes.push_back({AxisName::steps, {20, 30}}); }).starts_with(can));
  EXPECT_TRUE(changed([](Sweep& s) { s.train.steps = 15; }).ends_with("must be of fewer steps and as many restarts"));
  EXPECT_TRUE(changed([](Sweep& s) { s.train.batch = 3; }).ends_with("are of other settings: train.batch is 64, not 3"));
  std::vector<Results> broken = begun;
  broken[0].second_moments.pop_back();
  EXPECT_TRUE(refusal(sweep, broken).ends_with("is broken: its arrays are not of its sweep's size"));
  EXPECT_EQ(refusal(sweep, {begun[0], begun[0]}), "shorter must be empty or have one entry a sweep");
}

TEST_F(CudaBackend, StopsWithWhatIsFinished) {
  fake_cuda().devices = 2;
  std::vector<Sweep> sweeps = {sweep_of({2, 1, 1, 1}, 4000), sweep_of({3, 2, 1, 1}, 4000)};
  for (Sweep& sweep : sweeps) sweep.axes[1].values = {2000};
  std::stop_source stop;
  TrainOptions options = on(DeviceChoice::cuda);
  options.stop = stop.get_token();
  options.progress = [&](const Progress& progress) {
    if (progress.models_done > 0) stop.request_stop();
  };
  const auto results = train(sweeps, options);
  EXPECT_FALSE(results[0].complete() && results[1].complete());
  EXPECT_GT(std::ranges::count(results[0].status, kTrained) + std::ranges::count(results[1].status, kTrained), 0);
}

TEST_F(CudaBackend, ACallbackThatThrowsEndsTheKernelsFirst) {
  fake_cuda().devices = 2;
  Sweep sweep = sweep_of({2, 1, 1, 1}, 4000);
  sweep.axes[1].values = {2000};
  TrainOptions options = on(DeviceChoice::cuda);
  options.progress = [](const Progress&) { throw std::domain_error("enough"); };
  EXPECT_THROW(train(sweep, options), std::domain_error);
}

// Every call that can fail, one after the other: an error that names it, nothing leaked, nothing freed under a kernel.
TEST_F(CudaBackend, EveryFailureIsReportedAndCleanedUp) {
  std::vector<Sweep> sweeps = assorted();
  fake_cuda().devices = 2;
  train(sweeps, on(DeviceChoice::cuda));
  const int calls = fake_cuda().calls;
  ASSERT_GT(calls, 50);
  for (int call = 0; call < calls; ++call) {
    fake_cuda().calls = 0;
    fake_cuda().fail_call = call;
    try {
      train(sweeps, on(DeviceChoice::cuda));
      ADD_FAILURE() << "call " << call << " failed unseen";
    } catch (const DeviceError& error) {
      EXPECT_NE(std::string(error.what()).find("an error of the fake runtime (cuda"), std::string::npos)
          << error.what();
    }
    ASSERT_EQ(fake_cuda().leaks(), 0) << "call " << call;
  }
}

// Another's error, or one that was dealt with, is no error of our launch.
TEST_F(CudaBackend, AnOldErrorDoesNotFailALaunch) {
  fake_cuda().last_error = cudaErrorInvalidValue;
  expect_the_cpus_bits({sweep_of({2, 1, 1, 1})});
  fake_cuda().devices = 2;
  fake_cuda().without_code = {1};
  expect_the_cpus_bits({sweep_of({2, 1, 1, 1}), sweep_of({20, 4, 2, 1})});
}

TEST_F(CudaBackend, BesideADisplayLaunchesAreShort) {
  fake_cuda().drives_display = true;
  expect_the_cpus_bits(assorted());
  const std::size_t launches = fake_cuda().launches.size();
  EXPECT_GT(launches, 4u);  // without a display: one a shape
  Sweep sweep = sweep_of({2, 1, 1, 1}, 4000);
  sweep.axes[1].values = {2000};
  std::stop_source stop;
  TrainOptions options = on(DeviceChoice::cuda);
  options.stop = stop.get_token();
  options.progress = [&](const Progress& progress) {
    if (progress.models_done > 0) stop.request_stop();
  };
  EXPECT_FALSE(train(sweep, options).complete());
}

// The other GPU would be busy for minutes. What it has finished is saved.
TEST_F(CudaBackend, AFailureOfOneGpuIsSeenWhileAnotherWorks) {
  fake_cuda().devices = 2;
  fake_cuda().failing_device = 1;
  Sweep sweep = sweep_of({2, 1, 1, 1}, 2000);
  sweep.axes[1].values = {10, 2000000};
  TrainOptions options = on(DeviceChoice::cuda);
  std::int64_t saved = -1;
  options.checkpoint = [&](std::span<const Results> results) { saved = results[0].models_done(); };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(train(sweep, options), DeviceError);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_GE(saved, 0);
}

TEST_F(CudaBackend, WhatAnErrorIsStandsInTheSentence) {
  const Sweep sweep = sweep_of({2, 1, 1, 1});
  const auto sentence_of = [&](auto expected) {
    try {
      train(sweep, on(DeviceChoice::cuda));
    } catch (const decltype(expected)& error) {
      return std::string(error.what());
    }
    return std::string("no such error");
  };
  const InputError input("");
  const DeviceError device("");
  std::vector<std::string> said;
  TrainOptions automatic = on(DeviceChoice::automatic);
  automatic.warning = [&](const std::string& sentence) { said.push_back(sentence); };

  fake_cuda().look_fails = {{0, cudaErrorUnsupportedPtxVersion}};
  EXPECT_NE(sentence_of(input).find("driver cannot compile this build's code for Fake large"), std::string::npos);
  EXPECT_TRUE(train(sweep, automatic).device.starts_with("cpu"));
  fake_cuda().look_fails = {{0, cudaErrorNoKernelImageForDevice}};
  EXPECT_NE(sentence_of(input).find("this build has no code for Fake large"), std::string::npos);
  fake_cuda().look_fails = {};
  fake_cuda().count_fails = cudaErrorInsufficientDriver;
  EXPECT_NE(sentence_of(input).find("no usable NVIDIA GPU or driver on this machine: an error of"), std::string::npos);
  EXPECT_TRUE(said.empty());  // none of these is a fault

  fake_cuda().count_fails = cudaErrorUnknown;
  EXPECT_NE(sentence_of(device).find("the NVIDIA driver of this machine is at fault: an error of"), std::string::npos);
  EXPECT_TRUE(train(sweep, automatic).device.starts_with("cpu"));
  fake_cuda().count_fails = 0;
  fake_cuda().look_fails = {{0, cudaErrorECCUncorrectable}};
  EXPECT_NE(sentence_of(device).find("GPU 0, Fake large (sm_90), is at fault: an error of"), std::string::npos);
  fake_cuda().devices = 2;
  EXPECT_EQ(train(sweep, automatic).device, "Fake large (sm_90)");  // the other one
  ASSERT_EQ(said.size(), 2u);
  EXPECT_TRUE(said[1].ends_with("training goes on without it")) << said[1];
}

TEST_F(CudaBackend, AKernelThatFailsIsReported) {
  fake_cuda().kernels_fail = true;
  try {
    train(sweep_of({2, 1, 1, 1}), on(DeviceChoice::cuda));
    FAIL();
  } catch (const DeviceError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("training kernel: ")) << error.what();
  }
}

// ---------------------------------------------------------------- plan_launches

PlannedSweep planned(const Sweep& sweep) {
  PlannedSweep planned(sweep);
  planned.on_gpu = true;
  planned.expand();
  planned.choose_models(Results(sweep).status, std::vector<bool>(planned.grid.cells(), true));
  return planned;
}

TEST(LaunchPlan, HoldsEveryModelOnceTheLongestFirst) {
  std::vector<PlannedSweep> sweeps;
  for (const Sweep& sweep : assorted()) sweeps.push_back(planned(sweep));
  std::size_t models = 0;
  for (const PlannedSweep& sweep : sweeps) models += sweep.models.size();
  std::vector<ModelOrigin> seen;
  for (const LaunchPlan& launch : plan_launches(sweeps)) {
    ASSERT_EQ(launch.models.size(), launch.origins.size());
    double before = std::numeric_limits<double>::infinity();
    for (std::size_t part = 0; part < 3; ++part) {
      const LaunchPlan third = part_of(launch, part, 3);
      for (const ModelOrigin& origin : third.origins) {
        EXPECT_EQ(std::ranges::count(seen, origin), 0);
        seen.push_back(origin);
      }
    }
    for (std::size_t i = 0; i < launch.models.size(); ++i) {
      const PlannedSweep& sweep = sweeps[launch.origins[i].sweep];
      const ModelId& model = sweep.models[launch.origins[i].model];
      const CellSettings& cell = launch.cells[static_cast<std::size_t>(launch.models[i].cell)];
      const CellSettings& own = sweep.cells[static_cast<std::size_t>(model.cell)];
      EXPECT_EQ(launch.models[i].restart, model.restart);
      EXPECT_EQ(cell.key[0], own.key[0]);
      EXPECT_EQ(cell.steps, own.steps);
      EXPECT_LE(static_cast<double>(cell.steps) * cell.batch, before);
      before = static_cast<double>(cell.steps) * cell.batch;
    }
  }
  EXPECT_EQ(seen.size(), models);
}

TEST(LaunchPlan, KeepsApartWhatOneKernelCannotTrain) {
  Sweep a = sweep_of({2, 1, 1, 1}), snapshots = a, blocks = a;
  snapshots.train.snapshots = {3};
  blocks.axes.erase(blocks.axes.begin());
  blocks.data.feature_sparsity = {0.1, 0.2};  // the tiny mapping has one sparsity for all
  const std::vector<PlannedSweep> sweeps = {planned(a), planned(snapshots), planned(blocks), planned(a)};
  const auto launches = plan_launches(sweeps);
  ASSERT_EQ(launches.size(), 3u);
  EXPECT_EQ(std::ranges::count_if(launches, [](const LaunchPlan& l) { return l.models.size() == 36; }), 1);
}

TEST(LaunchPlan, HasNoLaunchForNothing) {
  const Sweep sweep = sweep_of({2, 1, 1, 1});
  PlannedSweep nothing = planned(sweep);
  nothing.models.clear();
  EXPECT_TRUE(plan_launches(std::vector{nothing}).empty());
}

}  // namespace
}  // namespace phasegrid
