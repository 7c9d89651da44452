// Trainings of any shape through the public API: snapshots, schedules, thresholds, stopping, resuming, and the results
// file of all of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "phasegrid/phasegrid.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

TrainOptions on_cpu(int threads = 2) {
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  options.threads = threads;
  return options;
}

// One of the tiny mapping and one of the block mapping.
std::vector<Sweep> sweeps() {
  Sweep tiny;
  tiny.name = "tiny";
  tiny.restarts = 3;
  tiny.shape = {3, 2, 2, 1};
  tiny.train.steps = 40;
  tiny.train.batch = 70;
  tiny.train.keep = Keep::last_batch;
  tiny.axes = {{AxisName::sparsity, {0.2, 0.7}}, {AxisName::seed, {0, 4}}};
  Sweep block = tiny;
  block.name = "block";
  block.shape = {20, 3, 5, 2};
  block.data.importance_rule = ImportanceRule::shuffled_geometric;
  block.data.importance_ratio = 0.8;
  block.init.router = RouterInit::random_k_hot;
  block.init.bias = BiasInit::zero;
  Sweep uneven = block;
  uneven.name = "uneven";
  uneven.shape = {3, 2, 3, 1};
  uneven.data.feature_sparsity = {0.1, 0.5, 0.9};
  uneven.axes.erase(uneven.axes.begin());
  return {tiny, block, uneven};
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(
      a, b, [](float x, float y) { return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y); });
}

TEST(Dynamics, ASnapshotIsTheModelOfAShorterTraining) {
  for (Sweep sweep : sweeps()) {
    SCOPED_TRACE(sweep.name);
    const Results plain = train(sweep, on_cpu());
    sweep.train.snapshots = {0, 13, 40};
    const Results results = train(sweep, on_cpu());
    EXPECT_TRUE(same_bits(results.parameters, plain.parameters));  // looking changes nothing
    EXPECT_TRUE(same_bits(results.all_losses, plain.all_losses));
    Sweep shorter = sweep;
    shorter.train.snapshots = {};
    shorter.train.steps = 13;
    shorter.restarts = 1;
    Sweep longer = shorter;
    longer.train.steps = 14;  // its last batch is the 14th, whose loss the snapshot after 13 steps has
    for (std::size_t cell = 0; cell < results.cells(); ++cell) {
      EXPECT_TRUE(same_bits(results.snapshot(cell, 2),
                            std::span(results.parameters)
                                .subspan(cell * results.snapshot(cell, 0).size(), results.snapshot(cell, 0).size())));
      const auto at = [&](int restart, std::size_t t) {
        return results.snapshot_losses[(cell * 3 + static_cast<std::size_t>(restart)) * 3 + t];
      };
      EXPECT_EQ(at(0, 1), train(longer, on_cpu()).all_losses[cell]);
      if (results.kept[cell] == 0) {
        const Results alone = train(shorter, on_cpu());
        const std::size_t size = results.snapshot(cell, 1).size();
        EXPECT_TRUE(same_bits(results.snapshot(cell, 1), std::span(alone.parameters).subspan(cell * size, size)));
      }
      for (int restart = 0; restart < 3; ++restart) {
        for (std::size_t t = 0; t < 3; ++t) EXPECT_TRUE(std::isfinite(at(restart, t)));
      }
    }
  }
}

TEST(Dynamics, ResultsReadBack) {
  const testing::TemporaryFolder folder;
  for (Sweep sweep : sweeps()) {
    SCOPED_TRACE(sweep.name);
    sweep.train.snapshots = {0, 5};
    sweep.train.schedule = Schedule::cosine;
    sweep.train.drop_below = 1e-3;
    sweep.train.drop_factor = 0.25;
    sweep.train.stop_below = 1e-4;
    const Results results = train(sweep, on_cpu());
    const std::string path = folder.file(sweep.name + ".npz");
    save_results(results, path);
    const Results loaded = load_results(path);
    EXPECT_EQ(loaded.sweep.data, sweep.data);
    EXPECT_EQ(loaded.sweep.init, sweep.init);
    EXPECT_EQ(loaded.sweep.train, sweep.train);
    EXPECT_EQ(loaded.sweep.axes, results.sweep.axes);
    EXPECT_TRUE(same_bits(loaded.parameters, results.parameters));
    EXPECT_TRUE(same_bits(loaded.snapshot_losses, results.snapshot_losses));
    EXPECT_TRUE(same_bits(loaded.snapshot_parameters, results.snapshot_parameters));
  }
}

TEST(Dynamics, ResumesWithSnapshots) {
  Sweep sweep = sweeps()[1];
  sweep.train.snapshots = {0, 20};
  const Results whole = train(sweep, on_cpu());
  Results half(sweep);
  const std::size_t size = static_cast<std::size_t>(sweep.shape.parameter_count());
  for (std::size_t cell = 0; cell < 2; ++cell) {  // only the kept models are known whole
    const auto restart = whole.kept[cell];
    const std::size_t model = cell * 3 + static_cast<std::size_t>(restart);
    std::vector<Losses> shots;
    for (std::size_t at = model * 2; at < model * 2 + 2; ++at) {
      shots.push_back({whole.snapshot_losses[at], whole.snapshot_reconstruction_losses[at]});
    }
    half.take(cell, restart, {whole.all_losses[model], whole.all_reconstruction_losses[model]}, kTrained,
              std::span(whole.parameters).subspan(cell * size, size), shots,
              std::span(whole.snapshot_parameters).subspan(cell * 2 * size, 2 * size));
  }
  TrainOptions options = on_cpu();
  options.resume = std::span(&half, 1);
  const Results resumed = train(std::span(&sweep, 1), options).front();
  EXPECT_TRUE(same_bits(resumed.parameters, whole.parameters));
  EXPECT_TRUE(same_bits(resumed.snapshot_parameters, whole.snapshot_parameters));
  EXPECT_TRUE(same_bits(resumed.snapshot_losses, whole.snapshot_losses));
  EXPECT_TRUE(same_bits(resumed.snapshot_reconstruction_losses, whole.snapshot_reconstruction_losses));
}

TEST(Dynamics, RefusesToResumeFromOtherSnapshots) {
  Sweep sweep = sweeps()[0];
  const Results plain(sweep);
  sweep.train.snapshots = {0, 20};
  TrainOptions options = on_cpu();
  options.resume = std::span(&plain, 1);
  EXPECT_THROW(train(std::span(&sweep, 1), options), InputError);
}

TEST(Dynamics, BlockBitsDoNotDependOnThreadsOrInstructionSet) {
  for (const Sweep& sweep : sweeps()) {
    const Results expected = train(sweep, on_cpu(1));
    for (auto set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
      if (!is_supported(set)) continue;
      TrainOptions options = on_cpu(3);
      options.instruction_set = set;
      const Results results = train(sweep, options);
      EXPECT_TRUE(same_bits(results.parameters, expected.parameters)) << sweep.name << to_string(set);
      EXPECT_TRUE(same_bits(results.all_losses, expected.all_losses));
    }
  }
}

// How far one parameter moves in its last step tells the learning rate: with the same steps before, the ratio of two
// last moves is that of the rates.
TEST(Dynamics, SchedulesFollowTheirFormula) {
  for (Sweep sweep : sweeps()) {
    sweep.restarts = 1;
    sweep.train.weight_decay = 0;
    sweep.train.learning_rate = 0.01;
    sweep.train.steps = 20;
    sweep.train.snapshots = {19, 20};
    const auto last_move = [&](Schedule schedule) {
      sweep.train.schedule = schedule;
      const Results results = train(sweep, on_cpu());
      double move = 0;
      for (std::size_t p = 0; p < results.snapshot(0, 0).size(); ++p) {
        move = std::max(move, std::abs(static_cast<double>(results.snapshot(0, 1)[p]) -
                                       static_cast<double>(results.snapshot(0, 0)[p])));
      }
      return move;
    };
    // At t = 19 of 20 a linear rate is 1/20 of the first, a cosine 0.0062 of it; moves differ as gradients do.
    const double constant = last_move(Schedule::constant);
    EXPECT_NEAR(last_move(Schedule::linear) / constant, 0.05, 0.03) << sweep.name;
    EXPECT_NEAR(last_move(Schedule::cosine) / constant, 0.00616, 0.004) << sweep.name;
  }
}

TEST(Dynamics, ThresholdsDropTheRateAndEndTheTraining) {
  for (Sweep sweep : sweeps()) {
    SCOPED_TRACE(sweep.name);
    sweep.restarts = 1;
    sweep.train.steps = 30;
    sweep.train.snapshots = {0, 1, 2, 29, 30};
    // Every loss is below it, so the rate is 0 from the first step on.
    sweep.train.drop_below = 1e6;
    sweep.train.drop_factor = 0;
    const Results still = train(sweep, on_cpu());
    EXPECT_TRUE(same_bits(still.snapshot(0, 0), still.snapshot(0, 4)));
    // It drops once: by half, not by half a step.
    sweep.train.drop_factor = 0.5;
    Sweep half = sweep;
    half.train.drop_below = 0;
    half.train.learning_rate = sweep.train.learning_rate / 2;
    const Results dropped = train(sweep, on_cpu());
    EXPECT_FALSE(same_bits(dropped.snapshot(0, 1), dropped.snapshot(0, 4)));
    // Training ends before the step.
    sweep.train.drop_below = 0;
    sweep.train.stop_below = 1e6;
    const Results ended = train(sweep, on_cpu());
    EXPECT_TRUE(ended.complete());
    EXPECT_TRUE(same_bits(ended.snapshot(0, 0), std::span(ended.parameters).subspan(0, ended.snapshot(0, 0).size())));
    EXPECT_EQ(ended.final_losses[0], ended.snapshot_losses[0]);
    EXPECT_TRUE(std::isnan(ended.snapshot_losses[1]));
  }
}

TEST(Dynamics, BlockModelsLearn) {
  Sweep sweep;
  sweep.shape = {20, 6, 1, 1};
  sweep.restarts = 1;
  sweep.data.sparsity = 0.9;
  sweep.data.importance_rule = ImportanceRule::geometric;
  sweep.data.importance_ratio = 0.7;
  sweep.train.loss = Loss::sum;
  sweep.train.load_balance = 0;
  sweep.train.batch = 256;
  sweep.train.steps = 3000;
  const Results results = train(sweep, on_cpu());
  EXPECT_LT(results.final_losses[0], 0.04);  // published after 10,000 steps of 1,024: 0.028; untrained: 0.1 and more
  EXPECT_GT(feature_norm(results.expert_weights(0), 20, 6, 0), 0.8);
  EXPECT_LT(feature_norm(results.expert_weights(0), 20, 6, 19), 0.5);
}

TEST(Dynamics, StopsSoonInTheMiddleOfALargeModel) {
  Sweep sweep;
  sweep.shape = {100, 20, 1, 1};
  sweep.restarts = 4;
  sweep.data.sparsity = 0.5;
  sweep.train.steps = 1'000'000;
  std::stop_source stop;
  TrainOptions options = on_cpu();
  options.stop = stop.get_token();
  options.progress = [&](const Progress&) { stop.request_stop(); };
  EXPECT_FALSE(train(sweep, options).complete());
}

}  // namespace
}  // namespace phasegrid
