// Whole trainings through the public API: the promises about bits, order, resuming and divergence, and what a trained
// model must reach.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "phasegrid/phasegrid.hpp"

namespace phasegrid {
namespace {

Sweep small_sweep() {
  Sweep sweep;
  sweep.name = "small";
  sweep.restarts = 3;
  sweep.shape = {3, 2, 2, 1};
  sweep.train.steps = 60;
  sweep.train.batch = 100;
  sweep.axes = {{AxisName::sparsity, {0.1, 0.5, 0.9}}, {AxisName::last_importance, {0.3, 1.7}}};
  return sweep;
}

// Every number of a sweep's results, as bits.
std::vector<std::uint32_t> bits_of(const Results& results) {
  std::vector<std::uint32_t> bits;
  for (const auto* numbers :
       {&results.final_losses, &results.all_losses, &results.all_reconstruction_losses, &results.parameters}) {
    for (float number : *numbers) bits.push_back(std::bit_cast<std::uint32_t>(number));
  }
  for (const auto* numbers : {&results.status, &results.kept}) {
    for (std::int32_t number : *numbers) bits.push_back(static_cast<std::uint32_t>(number));
  }
  return bits;
}

TrainOptions on_cpu(int threads = 2, InstructionSet set = InstructionSet::automatic) {
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  options.threads = threads;
  options.instruction_set = set;
  return options;
}

TEST(Bits, DoNotDependOnThreadsOrInstructionSet) {
  for (const Shape& shape : {Shape{2, 1, 1, 1}, Shape{3, 2, 2, 1}, Shape{3, 1, 3, 1}, Shape{4, 2, 3, 2}}) {
    Sweep sweep = small_sweep();
    sweep.shape = shape;
    const auto expected = bits_of(train(sweep, on_cpu(1)));
    EXPECT_EQ(bits_of(train(sweep, on_cpu(2))), expected);
    EXPECT_EQ(bits_of(train(sweep, on_cpu(7))), expected);
    for (auto set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
      if (is_supported(set)) {
        EXPECT_EQ(bits_of(train(sweep, on_cpu(2, set))), expected) << to_string(set);
      }
    }
  }
}

TEST(Bits, ACellAloneEqualsItselfInTheGrid) {
  const Sweep grid = small_sweep();
  const Results all = train(grid, on_cpu());
  for (std::size_t s = 0; s < 3; ++s) {
    for (std::size_t r = 0; r < 2; ++r) {
      Sweep alone = grid;
      alone.axes.clear();
      alone.data.sparsity = grid.axes[0].values[s];
      alone.data.last_importance = grid.axes[1].values[r];
      const Results one = train(alone, on_cpu());
      const std::size_t cell = s * 2 + r;
      EXPECT_EQ(std::bit_cast<std::uint32_t>(one.final_losses[0]),
                std::bit_cast<std::uint32_t>(all.final_losses[cell]));
      EXPECT_EQ(one.kept[0], all.kept[cell]);
      const auto here = all.expert_weights(cell);
      EXPECT_TRUE(std::ranges::equal(one.expert_weights(0), here));
      EXPECT_TRUE(std::ranges::equal(one.router_weights(0), all.router_weights(cell)));
      EXPECT_TRUE(std::ranges::equal(one.biases(0), all.biases(cell)));
    }
  }
}

TEST(Bits, DoNotDependOnOrderOrCompany) {
  Sweep a = small_sweep(), b = small_sweep();
  b.name = "other";
  b.shape = {2, 1, 2, 1};
  std::ranges::reverse(b.axes[0].values);
  const auto alone = bits_of(train(a, on_cpu()));
  const std::vector<Results> together = train(std::vector<Sweep>{b, a}, on_cpu());
  EXPECT_EQ(bits_of(together[1]), alone);
  // The reversed axis holds the same cells, reversed.
  std::ranges::reverse(b.axes[0].values);
  const Results forward = train(b, on_cpu());
  for (std::size_t s = 0; s < 3; ++s) EXPECT_EQ(forward.final_losses[s * 2], together[0].final_losses[(2 - s) * 2]);
}

TEST(Bits, FewerRestartsAreThoseOfMore) {
  Sweep few = small_sweep(), many = small_sweep();
  many.restarts = 5;
  const Results a = train(few, on_cpu()), b = train(many, on_cpu());
  for (std::size_t cell = 0; cell < a.cells(); ++cell) {
    for (std::size_t r = 0; r < 3; ++r) EXPECT_EQ(a.all_losses[cell * 3 + r], b.all_losses[cell * 5 + r]);
  }
}

TEST(Bits, TheSeedChangesThem) {
  Sweep a = small_sweep(), b = small_sweep();
  b.seed = 1;
  EXPECT_NE(bits_of(train(a, on_cpu())), bits_of(train(b, on_cpu())));
}

TEST(Train, EverySettingChangesTheResult) {
  const Sweep base = small_sweep();
  const Results before = train(base, on_cpu());
  auto expect_change = [&](const char* what, auto change) {
    Sweep sweep = base;
    change(sweep);
    EXPECT_NE(train(sweep, on_cpu()).final_losses[0], before.final_losses[0]) << what;
  };
  expect_change("steps", [](Sweep& s) { s.train.steps = 61; });
  expect_change("batch", [](Sweep& s) { s.train.batch = 101; });
  expect_change("learning_rate", [](Sweep& s) { s.train.learning_rate = 2e-3; });
  expect_change("weight_decay", [](Sweep& s) { s.train.weight_decay = 0.5; });
  expect_change("load_balance", [](Sweep& s) { s.train.load_balance = 0.5; });
  expect_change("loss", [](Sweep& s) { s.train.loss = Loss::sum; });
  expect_change("keep", [](Sweep& s) { s.train.keep = Keep::last_batch; });
  expect_change("importance", [](Sweep& s) { s.data.importance = {1, 0.5, 1}; });
  expect_change("top_k", [](Sweep& s) { s.shape.top_k = 2; });
}

TEST(Train, KeepEvaluationComparesAllRestartsOnOneBatch) {
  // With learning rate 0 a model stays what it was initialised to: with `evaluation` two sweeps that differ in steps
  // alone see the same fresh batch, with `last-batch` they see different ones.
  Sweep sweep = small_sweep();
  sweep.train.learning_rate = 0;
  sweep.train.keep = Keep::evaluation;
  Sweep longer = sweep;
  longer.train.steps = 90;
  EXPECT_EQ(train(sweep, on_cpu()).all_losses, train(longer, on_cpu()).all_losses);
  sweep.train.keep = longer.train.keep = Keep::last_batch;
  EXPECT_NE(train(sweep, on_cpu()).all_losses, train(longer, on_cpu()).all_losses);
}

TEST(Train, WithoutLoadBalanceTop1LeavesTheRouterButForDecay) {
  Sweep sweep = small_sweep();
  sweep.restarts = 1;
  sweep.train.load_balance = 0;
  const Results results = train(sweep, on_cpu());
  Sweep one_step = sweep;
  one_step.train.steps = 1;
  const Results first = train(one_step, on_cpu());
  const float decay = static_cast<float>(1.0 - 1e-3 * 0.01);
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    for (std::size_t i = 0; i < results.router_weights(cell).size(); ++i) {
      float expected = first.router_weights(cell)[i];
      for (int step = 1; step < sweep.train.steps; ++step) expected *= decay;
      EXPECT_EQ(results.router_weights(cell)[i], expected);
    }
  }
  // With it the router learns.
  sweep.train.load_balance = 0.01;
  one_step.train.load_balance = 0.01;
  const auto moved = train(sweep, on_cpu()), start = train(one_step, on_cpu());
  EXPECT_GT(std::abs(moved.router_weights(0)[0] - start.router_weights(0)[0]), 1e-3f);
}

TEST(Train, AModelThatDivergesIsNeverKeptAndHarmsNobody) {
  Sweep sweep = small_sweep();
  sweep.train.steps = 400;
  sweep.axes.push_back({AxisName::learning_rate, {1e-3, 1e8}});
  const Results mixed = train(sweep, on_cpu());
  Sweep sound = sweep;
  sound.axes.pop_back();
  sound.train.learning_rate = 1e-3;
  const Results alone = train(sound, on_cpu());
  int diverged = 0;
  for (std::size_t cell = 0; cell < mixed.cells(); ++cell) {
    if (cell % 2 == 0) {
      EXPECT_EQ(mixed.final_losses[cell], alone.final_losses[cell / 2]);
      continue;
    }
    for (std::size_t r = 0; r < 3; ++r) {
      const std::int32_t status = mixed.status[cell * 3 + r];
      if (status == kTrained) continue;
      ++diverged;
      EXPECT_GT(status, 1);  // the first step's loss is that of the initial model
      EXPECT_LE(status, sweep.train.steps);
      EXPECT_FALSE(std::isfinite(mixed.all_losses[cell * 3 + r]));
      EXPECT_NE(mixed.kept[cell], static_cast<std::int32_t>(r));
    }
    if (mixed.kept[cell] < 0) {
      EXPECT_TRUE(std::isnan(mixed.final_losses[cell]));
      EXPECT_TRUE(std::isnan(mixed.expert_weights(cell)[0]));
    }
  }
  EXPECT_GT(diverged, 0);
}

TEST(Train, GoesOnFromWhatIsFinished) {
  Sweep sweep = small_sweep();
  const Results whole = train(sweep, on_cpu());
  // Half of the models of a run, in no order.
  Results half(sweep);
  std::vector<std::size_t> models(half.status.size());
  for (std::size_t i = 0; i < models.size(); ++i) models[i] = i;
  std::shuffle(models.begin(), models.end(), std::mt19937(4));
  Sweep single = sweep;
  for (std::size_t i = 0; i < models.size() / 2; ++i) {
    const std::size_t cell = models[i] / 3;
    const auto restart = static_cast<int>(models[i] % 3);
    // The kept model is at hand; others are taken in by their loss alone.
    const bool kept = whole.kept[cell] == restart;
    std::vector<float> parameters(static_cast<std::size_t>(sweep.shape.parameter_count()), 0.0f);
    if (kept) {
      std::copy_n(whole.parameters.begin() + static_cast<std::ptrdiff_t>(cell * parameters.size()), parameters.size(),
                  parameters.begin());
    }
    half.take(cell, restart, {whole.all_losses[models[i]], whole.all_reconstruction_losses[models[i]]},
              whole.status[models[i]], parameters);
  }
  EXPECT_FALSE(half.complete());
  TrainOptions options = on_cpu();
  const std::vector<Results> earlier = {half};
  options.resume = earlier;
  Progress last;
  options.progress = [&](const Progress& progress) { last = progress; };
  const auto resumed = train(std::span(&sweep, 1), options);
  EXPECT_EQ(bits_of(resumed[0]), bits_of(whole));
  // Models of other settings or bits are none of it; another name is no other setting.
  const auto refusal = [&](Sweep changed, int bits) -> std::string {
    std::vector<Results> others = {half};
    others[0].bits = bits;
    TrainOptions with_others = on_cpu();
    with_others.resume = others;
    try {
      return bits_of(train(std::span(&changed, 1), with_others)[0]) == bits_of(whole) ? "" : "other bits";
    } catch (const InputError& error) {
      return error.what();
    }
  };
  Sweep renamed = sweep, decayed = sweep;
  renamed.name = "renamed";
  decayed.train.weight_decay = 0.125;
  EXPECT_EQ(refusal(renamed, kBits), "");
  EXPECT_NE(refusal(decayed, kBits).find("are of other settings: train.weight_decay is 0.01, not 0.125"),
            std::string::npos) << refusal(decayed, kBits);
  EXPECT_NE(refusal(sweep, kBits + 1).find("(bits 3), whose numbers are others"), std::string::npos);
  EXPECT_EQ(last.models_done, static_cast<std::int64_t>(models.size()));
  EXPECT_EQ(last.models_total, static_cast<std::int64_t>(models.size()));
  EXPECT_DOUBLE_EQ(last.share_done, 1.0);
}

TEST(Train, ShardsTogetherAreTheWhole) {
  // Both mappings, snapshots and a seed axis; in company, for shards are dealt out over all sweeps of a call.
  Sweep tiny = small_sweep(), block = small_sweep();
  tiny.train.snapshots = {0, 30};
  tiny.axes.push_back({AxisName::seed, {0, 7}});
  block.name = "block";
  block.shape = {12, 3, 4, 2};
  block.train.steps = 20;
  const std::vector<Sweep> sweeps = {tiny, block};
  const std::vector<Results> whole = train(sweeps, on_cpu());
  std::vector<Results> tiny_parts, block_parts;
  std::int64_t models = 0;
  for (int index = 1; index <= 3; ++index) {
    TrainOptions options = on_cpu();
    options.shard = {index, 3};
    Progress last;
    options.progress = [&](const Progress& progress) { last = progress; };
    std::vector<Results> parts = train(sweeps, options);
    EXPECT_EQ(last.models_done, last.models_total);
    EXPECT_DOUBLE_EQ(last.share_done, 1.0);
    models += last.models_total;
    EXPECT_FALSE(parts[0].complete());
    // Going on from a finished shard trains nothing and changes nothing.
    options.resume = parts;
    EXPECT_EQ(bits_of(train(sweeps, options)[0]), bits_of(parts[0]));
    tiny_parts.push_back(std::move(parts[0]));
    block_parts.push_back(std::move(parts[1]));
  }
  EXPECT_EQ(models, 12 * 3 + 6 * 3);
  EXPECT_EQ(bits_of(merge_results(tiny_parts)), bits_of(whole[0]));
  EXPECT_EQ(merge_results(tiny_parts).snapshot_losses, whole[0].snapshot_losses);
  EXPECT_EQ(merge_results(tiny_parts).snapshot_parameters, whole[0].snapshot_parameters);
  EXPECT_EQ(bits_of(merge_results(block_parts)), bits_of(whole[1]));
  TrainOptions options = on_cpu();
  options.shard = {4, 3};
  EXPECT_THROW(train(sweeps, options), InputError);
}

TEST(Train, AShardWithoutCellsTrainsNothing) {
  TrainOptions options = on_cpu();
  options.shard = {7, 7};  // of 6 cells
  const Results results = train(small_sweep(), options);
  EXPECT_EQ(std::ranges::count(results.status, kNotTrained), 18);
}

TEST(Train, StopsSoonWithWhatIsFinished) {
  Sweep sweep = small_sweep();
  sweep.restarts = 1000;
  sweep.train.steps = 3000;
  std::stop_source stop;
  TrainOptions options = on_cpu();
  options.stop = stop.get_token();
  options.progress = [&](const Progress& progress) {
    if (progress.models_done > 0) stop.request_stop();
  };
  const Results results = train(sweep, options);
  EXPECT_FALSE(results.complete());
  EXPECT_GT(std::ranges::count(results.status, kTrained), 0);
  for (std::size_t i = 0; i < results.status.size(); ++i) {
    EXPECT_EQ(results.status[i] == kNotTrained, std::isnan(results.all_losses[i]));
  }
}

TEST(Train, RefusesWhatItCannotTrain) {
  Sweep sweep = small_sweep();
  sweep.shape = {1100, 2, 2, 1};
  EXPECT_THROW(train(sweep, on_cpu()), InputError);
  sweep.shape = {3, 2, 2, 3};  // top_k > n_experts
  EXPECT_THROW(train(sweep, on_cpu()), InputError);
  EXPECT_THROW(train(small_sweep(), on_cpu(-1)), InputError);
  Sweep other = small_sweep();
  other.restarts = 4;
  const std::vector<Results> earlier = {Results(other)};
  TrainOptions options = on_cpu();
  options.resume = earlier;
  EXPECT_THROW(train(small_sweep(), options), InputError);
}

TEST(Train, AnExceptionFromACallbackComesOutAfterTheWorkersEnd) {
  Sweep sweep = small_sweep();
  sweep.restarts = 300;
  sweep.train.steps = 3000;
  TrainOptions options = on_cpu();
  options.progress = [](const Progress&) { throw std::runtime_error("from the callback"); };
  EXPECT_THROW(train(sweep, options), std::runtime_error);
}

// The load balance is a term of the training loss alone, and only of mixtures.
TEST(Train, ReconstructionLossesLeaveTheLoadBalanceOut) {
  for (const Shape& shape :
       {Shape{2, 1, 1, 1}, Shape{3, 2, 3, 1}, Shape{3, 2, 3, 2}, Shape{20, 4, 1, 1}, Shape{20, 4, 4, 2}}) {
    Sweep sweep;
    sweep.shape = shape;
    sweep.restarts = 2;
    sweep.train.steps = 200;
    sweep.train.load_balance = 0.1;
    sweep.train.snapshots = {0, 200};
    sweep.data.sparsity = 0.8;
    const Results results = train(sweep, on_cpu());
    // alpha E sum f_e P_e is alpha k where all experts are used alike.
    const float term = 0.1f * static_cast<float>(shape.top_k);
    auto expect = [&](const std::vector<float>& training, const std::vector<float>& reconstruction) {
      ASSERT_EQ(training.size(), reconstruction.size());
      for (std::size_t i = 0; i < training.size(); ++i) {
        EXPECT_GT(reconstruction[i], 0);
        if (shape.n_experts == 1) { EXPECT_EQ(training[i], reconstruction[i]); }
        if (shape.n_experts == 1) continue;
        EXPECT_GT(training[i] - reconstruction[i], 0.5f * term);
        EXPECT_LT(training[i] - reconstruction[i], 3 * term);
      }
    };
    expect(results.final_losses, results.reconstruction_losses);
    expect(results.all_losses, results.all_reconstruction_losses);
    expect(results.snapshot_losses, results.snapshot_reconstruction_losses);
    EXPECT_EQ(results.reconstruction_losses[0],
              results.all_reconstruction_losses[static_cast<std::size_t>(results.kept[0])]);
    // What the kept model's error is on other inputs of the same kind.
    const ModelView model = kept_model(results, 0);
    const auto n = static_cast<std::size_t>(shape.n_features);
    const std::vector<float> inputs = draw_inputs(std::vector<double>(n, 0.8), 20000, 5);
    double error = 0;
    for (std::size_t at = 0; at < inputs.size(); at += n) {
      const std::vector<double> output = reconstruct(model, std::span(inputs).subspan(at, n));
      for (std::size_t f = 0; f < n; ++f) error += std::pow(output[f] - static_cast<double>(inputs[at + f]), 2);
    }
    error /= static_cast<double>(inputs.size());
    EXPECT_NEAR(results.reconstruction_losses[0], error, 0.06 * error);
  }
}

// The best of four models built by hand (m = n - 1, dense; p = density, r = last importance) has the summed loss
// min(p/3 - p^2/4, r (p/3 - p^2/4), p^2/3 [only n >= 3], (1 + r) p^2 / 6); see experiments.md, Figure 4.
TEST(Train, DenseModelsAreNeverWorseThanThoseBuiltByHand) {
  for (const Shape& shape : {Shape{2, 1, 1, 1}, Shape{3, 2, 1, 1}}) {
    Sweep sweep;
    sweep.shape = shape;
    sweep.restarts = 10;
    sweep.train.keep = Keep::evaluation;
    sweep.axes = {{AxisName::sparsity, {0.05, 0.3, 0.6, 0.8, 0.95}}, {AxisName::last_importance, {0.2, 0.8, 1.4, 2.5}}};
    const Results results = train(sweep, on_cpu());
    const Grid grid(sweep);
    for (std::size_t c = 0; c < grid.cells(); ++c) {
      const Cell cell = grid.cell(c);
      const double p = 1 - cell.sparsity[0], r = cell.importance.back(), alone = p / 3 - p * p / 4;
      double best = std::min({alone, r * alone, (1 + r) * p * p / 6});
      if (shape.n_features >= 3) best = std::min(best, p * p / 3);
      const double exact = best / shape.n_features;
      // 2 %, and four standard errors of a mean over 16,384 samples whose spread is at most that of one error.
      const double noise = 4 * std::sqrt(best * std::max(1.0, r) / 16384) / shape.n_features;
      EXPECT_LT(results.final_losses[c], exact + 0.02 * exact + noise)
          << "n " << shape.n_features << " S " << cell.sparsity[0] << " r " << r;
    }
  }
}

}  // namespace
}  // namespace phasegrid
