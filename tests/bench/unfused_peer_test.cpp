// The unfused peer (bench/unfused/peer/) computes phasegrid's model: its pipeline on the CPU here, and on a GPU where
// there is one, against the block mapping's gradients and the definition in reference_model.hpp.
#include <gtest/gtest.h>

#include <cmath>

#include "support/block_problem.hpp"
#include "host_machine.hpp"
#include "parameters.hpp"
#include "phasegrid/phasegrid.hpp"

#ifdef PHASEGRID_HAS_CUDA
#include "trainer.hpp"
#endif

namespace phasegrid {
namespace {

using testing::BlockTrial;
using unfused::HostMachine;
using unfused::HostMemory;
using unfused::Pipeline;

// Two models of one cell, and phasegrid's answers.
struct Twins {
  BlockTrial trial;
  std::vector<float> inputs, parameters, gradients, losses;

  Twins(const Shape& shape, std::mt19937& random, double load_balance, int batch)
      : trial(shape, random, Loss::mean, load_balance, batch, true) {
    const std::vector<float> x = trial.inputs(best_instruction_set());
    std::normal_distribution<float> normal(0, 0.6f);
    for (int model = 0; model < 2; ++model) {
      for (float& p : trial.parameters) p = normal(random);
      inputs.insert(inputs.end(), x.begin(), x.end());
      parameters.insert(parameters.end(), trial.parameters.begin(), trial.parameters.end());
      const std::vector<float> g = trial.gradient(best_instruction_set());
      gradients.insert(gradients.end(), g.begin(), g.end());
      losses.push_back(trial.loss(best_instruction_set()));
      const std::vector<double> doubles(trial.parameters.begin(), trial.parameters.end());
      EXPECT_NEAR(losses.back(), testing::reference_loss(trial.reference(), doubles, x).loss, 1e-5 * losses.back());
    }
  }

  unfused::Settings settings(int block_rows) const {
    unfused::Settings s;
    s.shape = trial.shape;
    s.models = 2;
    s.batch = trial.cell.train.batch;
    for (const FeatureSettings& feature : trial.features) s.importance.push_back(feature.importance);
    for (double sparsity : trial.cell.sparsity) s.density.push_back(static_cast<float>(1 - sparsity));
    s.loss_scale = trial.settings.loss_scale;
    s.load_balance = trial.settings.load_balance;
    s.learning_rate = trial.settings.learning_rate;
    s.block_rows = block_rows;
    return s;
  }
};

// ||a - b|| / ||b||, NaN where anything is.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

struct Case {
  Shape shape;
  double load_balance;
  int batch;
  int block_rows;
};
const std::vector<Case> kCases = {
    {{2, 1, 1, 1}, 0, 40, 0},         {{3, 2, 3, 1}, 0.05, 70, 0},  {{20, 6, 1, 1}, 0.05, 100, 0},
    {{20, 5, 4, 1}, 0, 96, 8},        {{20, 5, 4, 1}, 0.05, 96, 0}, {{33, 2, 10, 2}, 0, 130, 0},
    {{33, 2, 10, 2}, 0.05, 33, 5},    {{9, 1, 20, 5}, 0, 64, 0},    {{7, 3, 6, 6}, 0.05, 50, 64},
    {{100, 10, 10, 1}, 0.01, 256, 0}, {{4, 2, 64, 3}, 0, 31, 1}};

std::vector<float> copy(const float* from, int count) { return {from, from + count}; }

TEST(UnfusedPeer, HasPhasegridsLossesAndGradients) {
  std::mt19937 random(71);
  for (const auto& [shape, load_balance, batch, block_rows] : kCases) {
    SCOPED_TRACE(::testing::Message() << shape.n_features << " " << shape.n_hidden << " " << shape.n_experts << " "
                                      << shape.top_k << " balance " << load_balance);
    Twins twins(shape, random, load_balance, batch);
    HostMemory memory(twins.settings(block_rows));
    HostMachine machine;
    Pipeline<HostMachine> pipeline(machine, memory.sizes, memory.arrays);
    std::ranges::copy(unfused::to_peer(shape, 2, twins.parameters), memory.arrays.parameters);
    std::ranges::copy(twins.inputs, memory.arrays.x);
    for (int repeat = 0; repeat < 2; ++repeat) {  // no step may lean on what the one before left
      pipeline.forward();
      pipeline.loss();
      EXPECT_LT(distance(copy(memory.arrays.loss, 2), twins.losses), 1e-5);
      pipeline.backward();
      const auto gradient = unfused::from_peer(shape, 2, copy(memory.arrays.gradient, memory.sizes.parameters));
      EXPECT_LT(distance(gradient, twins.gradients), 2e-5);
    }
  }
}

TEST(UnfusedPeer, DrawsTheDistribution) {
  unfused::Settings settings;
  settings.shape = {3, 1, 1, 1};
  settings.models = 2;
  settings.batch = 20000;
  settings.density = {0.1f, 0.5f, 1.0f};
  settings.importance = {1, 1, 1};
  HostMemory memory(settings);
  HostMachine machine;
  Pipeline<HostMachine> pipeline(machine, memory.sizes, memory.arrays);
  pipeline.draw();
  const std::vector<float> first = copy(memory.arrays.x, memory.sizes.samples * 3);
  for (std::size_t f = 0; f < 3; ++f) {
    double present = 0, sum = 0, squares = 0;
    for (std::size_t i = f; i < first.size(); i += 3) {
      ASSERT_GE(first[i], 0.0f);
      ASSERT_LE(first[i], 1.0f);
      present += first[i] > 0 ? 1 : 0;
      sum += static_cast<double>(first[i]);
      squares += static_cast<double>(first[i]) * static_cast<double>(first[i]);
    }
    const double p = static_cast<double>(settings.density[f]), count = 40000;  // 5 standard deviations
    EXPECT_NEAR(present / count, p, 5 * std::sqrt(p * (1 - p) / count) + 1e-6);
    EXPECT_NEAR(sum / present, 0.5, 5 * std::sqrt(1.0 / 12 / present));
    EXPECT_NEAR(squares / present, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / present));
  }
  machine.for_each(1, unfused::Tick{memory.arrays});
  pipeline.draw();  // another step, other numbers; and another model's differ too
  EXPECT_NE(copy(memory.arrays.x, 60000), std::vector<float>(first.begin(), first.begin() + 60000));
  EXPECT_NE(std::vector<float>(first.begin(), first.begin() + 60000),
            std::vector<float>(first.begin() + 60000, first.end()));
}

// PyTorch's AdamW in float64.
TEST(UnfusedPeer, UpdatesAsAdamWSays) {
  float parameter = 0.5f, first = 0, second = 0;
  double p = 0.5, m = 0, v = 0;
  for (int t = 1; t <= 5; ++t) {
    const double g = 0.3 - 0.1 * t;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    p -= 0.02 * 0.1 * p;
    p -= 0.02 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
    unfused::adamw(0.02f, 0.1f, static_cast<float>(1 - std::pow(0.9, t)), static_cast<float>(1 - std::pow(0.999, t)),
                   static_cast<float>(g), parameter, first, second);
    EXPECT_NEAR(parameter, p, 1e-5);
  }
}

double mean(const std::vector<float>& numbers) {
  double sum = 0;
  for (float number : numbers) sum += static_cast<double>(number) / static_cast<double>(numbers.size());
  return sum;
}
double standard_error(const std::vector<float>& numbers) {
  double squares = 0;
  for (float number : numbers) squares += std::pow(static_cast<double>(number) - mean(numbers), 2);
  return std::sqrt(squares) / static_cast<double>(numbers.size());
}

// A small cell, its restarts trained to the end by both: the same mean loss within chance.
struct Race {
  Sweep sweep;
  unfused::Settings settings;
  std::vector<float> ours;

  Race(const Shape& shape, int restarts, int steps) {
    sweep.shape = shape;
    sweep.restarts = restarts;
    sweep.data.sparsity = 0.6;
    sweep.train.steps = steps;
    sweep.train.batch = 64;
    sweep.train.learning_rate = 0.02;
    sweep.train.load_balance = 0.01;
    sweep.train.keep = Keep::last_batch;
    settings.shape = shape;
    settings.models = restarts;
    settings.batch = 64;
    settings.density.assign(static_cast<std::size_t>(shape.n_features), 0.4f);
    settings.importance.assign(static_cast<std::size_t>(shape.n_features), 1.0f);
    settings.loss_scale = 1.0f / static_cast<float>(64 * shape.n_features);
    settings.learning_rate = 0.02f;
    settings.load_balance = 0.01f;
    TrainOptions options;
    options.device = DeviceChoice::cpu;
    ours = train(sweep, options).all_losses;
  }
  std::vector<float> start() const { return unfused::xavier(settings.shape, settings.models, 5); }
  void expect_same_loss(const std::vector<float>& theirs) const {
    EXPECT_NEAR(mean(theirs), mean(ours), 4 * std::hypot(standard_error(theirs), standard_error(ours)));
    EXPECT_LT(4 * standard_error(ours), 0.3 * mean(ours));  // or the line above could not fail
  }
};

TEST(UnfusedPeer, ReachesPhasegridsLoss) {
  for (const Shape& shape : {Shape{3, 2, 1, 1}, Shape{4, 1, 3, 2}}) {
    const Race race(shape, 250, 300);
    HostMemory memory(race.settings);
    HostMachine machine;
    Pipeline<HostMachine> pipeline(machine, memory.sizes, memory.arrays);
    std::ranges::copy(unfused::to_peer(shape, 250, race.start()), memory.arrays.parameters);
    for (int step = 1; step < 300; ++step) pipeline.step();
    pipeline.draw();
    pipeline.forward();
    pipeline.loss();
    race.expect_same_loss(copy(memory.arrays.loss, 250));
  }
}

TEST(UnfusedPeer, SaysWhatIsTooLarge) {
  unfused::Settings settings;
  settings.shape = {100, 10, 10, 1};
  settings.models = 100000;
  settings.batch = 1 << 20;
  EXPECT_THROW(unfused::sizes_of(settings), std::invalid_argument);
}

#ifdef PHASEGRID_HAS_CUDA
TEST(UnfusedPeerOnGpu, HasPhasegridsLossesAndGradients) {
  if (const std::string problem = unfused::gpu_problem(); !problem.empty())
    GTEST_SKIP() << "not run on a GPU: " << problem;
  std::mt19937 random(72);
  for (const auto& [shape, load_balance, batch, block_rows] : kCases) {
    SCOPED_TRACE(::testing::Message() << shape.n_features << " " << shape.n_hidden << " " << shape.n_experts << " "
                                      << shape.top_k << " balance " << load_balance);
    Twins twins(shape, random, load_balance, batch);
    unfused::Trainer trainer(twins.settings(block_rows));
    trainer.set_parameters(twins.parameters);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const auto [gradient, losses] = trainer.gradient(twins.inputs);
      EXPECT_LT(distance(losses, twins.losses), 1e-5);
      EXPECT_LT(distance(gradient, twins.gradients), 2e-5);
    }
  }
}

TEST(UnfusedPeerOnGpu, ReachesPhasegridsLossByReplayingItsGraph) {
  if (const std::string problem = unfused::gpu_problem(); !problem.empty())
    GTEST_SKIP() << "not run on a GPU: " << problem;
  for (const Shape& shape : {Shape{3, 2, 1, 1}, Shape{4, 1, 3, 2}}) {
    const Race race(shape, 250, 300);
    unfused::Trainer trainer(race.settings);
    trainer.set_parameters(race.start());
    trainer.steps(299);
    race.expect_same_loss(trainer.losses());
  }
}
#endif

}  // namespace
}  // namespace phasegrid
