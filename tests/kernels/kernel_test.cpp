// The training step of every instruction set against the definition in float64, and against itself.
#include <Random123/philox.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "train/instruction_sets.hpp"
#include "train/plan.hpp"
#include "support/reference_model.hpp"

namespace phasegrid {
namespace {

using testing::reference_loss;
using testing::ReferenceLoss;
using testing::ReferenceSettings;

std::vector<InstructionSet> machines() {
  std::vector<InstructionSet> sets;
  for (auto set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) sets.push_back(set);
  }
  return sets;
}

std::vector<Shape> all_shapes() {
  std::vector<Shape> shapes;
  for (int n = 1; n <= kMaxTinyFeatures; ++n) {
    for (int m = 1; m <= kMaxTinyHidden; ++m) {
      for (int E = 1; E <= kMaxTinyExperts; ++E) {
        for (int k = 1; k <= E; ++k) shapes.push_back({n, m, E, k});
      }
    }
  }
  return shapes;
}

std::string name(const Shape& s) {
  return fmt::format("n{} m{} E{} k{}", s.n_features, s.n_hidden, s.n_experts, s.top_k);
}

struct Trial {
  Shape shape;
  Cell cell;
  CellSettings settings;
  std::vector<float> parameters;
  std::vector<float> inputs;  // [batch][n]
};

Trial draw_trial(const Shape& shape, std::mt19937& random, Loss loss, double load_balance, int batch) {
  std::uniform_real_distribution<double> uniform(0, 1);
  std::normal_distribution<float> normal(0, 0.8f);
  Trial trial;
  trial.shape = shape;
  trial.cell.sparsity.assign(static_cast<std::size_t>(shape.n_features), 0.1 + 0.7 * uniform(random));
  for (int f = 0; f < shape.n_features; ++f) trial.cell.importance.push_back(0.2 + 2 * uniform(random));
  trial.cell.train.loss = loss;
  trial.cell.train.load_balance = load_balance;
  trial.cell.train.batch = batch;
  trial.cell.seed = random();
  trial.settings = cell_settings(shape, trial.cell);
  trial.parameters.resize(static_cast<std::size_t>(shape.parameter_count()));
  for (float& p : trial.parameters) p = normal(random);
  trial.inputs.assign(static_cast<std::size_t>(batch * shape.n_features), -1.0f);
  tiny_kernels(shape, InstructionSet::baseline).draw_batch({shape, &trial.settings}, 1, 5, trial.inputs.data());
  return trial;
}

ReferenceSettings reference_of(const Trial& trial) {
  // As the step sees them: in float32.
  ReferenceSettings settings{
      trial.shape, {}, static_cast<double>(trial.settings.load_balance), trial.cell.train.loss == Loss::mean};
  for (int f = 0; f < trial.shape.n_features; ++f) {
    settings.importance.push_back(static_cast<double>(trial.settings.importance[f]));
  }
  return settings;
}

TEST(Kernel, GradientsEqualCentralDifferencesInFloat64) {
  std::mt19937 random(11);
  int checked = 0, near_kinks = 0;
  for (const Shape& shape : all_shapes()) {
    for (const Loss loss : {Loss::mean, Loss::sum}) {
      for (const double load_balance : {0.0, 0.3}) {
        const int batch = 20 + static_cast<int>(random() % 80);
        const Trial trial = draw_trial(shape, random, loss, load_balance, batch);
        const ReferenceSettings settings = reference_of(trial);
        const std::vector<double> at(trial.parameters.begin(), trial.parameters.end());
        std::vector<double> expected(at.size());
        std::vector<bool> smooth(at.size());
        double largest = 0;
        for (std::size_t p = 0; p < at.size(); ++p) {
          constexpr double kStep = 1e-5;
          std::vector<double> above = at, below = at;
          above[p] += kStep;
          below[p] -= kStep;
          const ReferenceLoss up = reference_loss(settings, above, trial.inputs);
          const ReferenceLoss down = reference_loss(settings, below, trial.inputs);
          expected[p] = (up.loss - down.loss) / (2 * kStep);
          smooth[p] = up.pattern == down.pattern;
          largest = std::max(largest, std::abs(expected[p]));
        }
        for (InstructionSet set : machines()) {
          std::vector<float> gradient(at.size(), NAN);
          tiny_kernels(shape, set).gradient({shape, &trial.settings}, 1, 5, trial.parameters.data(), gradient.data());
          for (std::size_t p = 0; p < at.size(); ++p) {
            if (!smooth[p]) {
              ++near_kinks;
              continue;
            }
            ++checked;
            // 1e-4 relative; numbers that cancel to nearly nothing are held to the gradient's scale.
            EXPECT_NEAR(gradient[p], expected[p], 1e-4 * std::max(std::abs(expected[p]), 0.01 * largest) + 1e-9)
                << name(shape) << " parameter " << p << " " << to_string(set) << " alpha " << load_balance;
          }
        }
      }
    }
  }
  EXPECT_GT(checked, 14000 * static_cast<int>(machines().size()));
  EXPECT_LT(near_kinks, checked / 100);
}

TEST(Kernel, LossEqualsTheDefinition) {
  std::mt19937 random(12);
  for (const Shape& shape : all_shapes()) {
    for (const Loss loss : {Loss::mean, Loss::sum}) {
      const Trial trial = draw_trial(shape, random, loss, 0.3, 1 + static_cast<int>(random() % 200));
      const ReferenceLoss expected =
          reference_loss(reference_of(trial), {trial.parameters.begin(), trial.parameters.end()}, trial.inputs);
      for (InstructionSet set : machines()) {
        const Losses got = tiny_kernels(shape, set).loss({shape, &trial.settings}, 1, 5, trial.parameters.data());
        EXPECT_NEAR(got.training, expected.loss, 3e-6 * expected.loss) << name(shape) << " " << to_string(set);
        EXPECT_NEAR(got.reconstruction, expected.reconstruction, 3e-6 * expected.reconstruction) << name(shape);
        if (shape.n_experts == 1) { EXPECT_EQ(got.training, got.reconstruction); }
      }
    }
  }
}

TEST(Kernel, InputsComeFromOnePhiloxWordAFeature) {
  std::mt19937 random(13);
  for (int n = 1; n <= kMaxTinyFeatures; ++n) {
    const Shape shape{n, 1, 2, 1};
    const Trial trial = draw_trial(shape, random, Loss::mean, 0, 300);
    const double density = 1.0 - static_cast<double>(static_cast<float>(trial.cell.sparsity[0]));
    const auto model =
        r123::Philox4x32_R<10>()({{1, 0, 0, kStreamModelKey}}, {{trial.settings.key[0], trial.settings.key[1]}});
    for (std::uint32_t sample = 0; sample < 300; ++sample) {
      for (std::uint32_t f = 0; f < static_cast<std::uint32_t>(n); ++f) {
        const std::uint32_t lane = sample % 32, place = sample / 32 * static_cast<std::uint32_t>(n) + f;
        const auto block = r123::Philox4x32_R<7>()({{place / 4, lane, 5, kStreamTrain}}, {{model[0], model[1]}});
        const double u = (static_cast<double>(static_cast<std::int32_t>(block[place % 4])) + 0x1p31) * 0x1p-32;
        const float x = trial.inputs[sample * static_cast<std::size_t>(n) + f];
        EXPECT_NEAR(x, u < density ? u / density : 0.0, 3e-7);
        EXPECT_GE(x, 0.0f);
        EXPECT_LT(x, 1.0f);
      }
    }
  }
}

TEST(Kernel, InputsHaveTheRightDensityAndMoments) {
  for (const double sparsity : {0.0, 0.025, 0.5, 0.975}) {
    const Shape shape{3, 1, 1, 1};
    Cell cell;
    cell.seed = 3;
    cell.sparsity.assign(3, sparsity);
    cell.importance = {1, 1, 1};
    cell.train.batch = 100000;
    const CellSettings settings = cell_settings(shape, cell);
    std::vector<float> inputs(300000);
    tiny_kernels(shape, best_instruction_set()).draw_batch({shape, &settings}, 0, 1, inputs.data());
    double present = 0, sum = 0, squares = 0, neighbours = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const double x = static_cast<double>(inputs[i]);
      present += x > 0 ? 1 : 0;
      sum += x;
      squares += x * x;
      neighbours += i % 3 != 0 ? x * static_cast<double>(inputs[i - 1]) : 0;
    }
    const double p = 1 - sparsity, n = 300000;
    EXPECT_NEAR(present / n, p, 5 * std::sqrt(p * (1 - p) / n) + 1e-5);
    EXPECT_NEAR(sum / n, p / 2, 5 * std::sqrt(p / 3 / n));
    EXPECT_NEAR(squares / n, p / 3, 5 * std::sqrt(p / 5 / n));
    EXPECT_NEAR(neighbours / 200000, p * p / 4, 5 * std::sqrt(p * p / 9 / 200000));  // features are independent
  }
}

TEST(Kernel, InitialParametersAreXavierNormal) {
  for (const Shape& shape : {Shape{2, 1, 1, 1}, Shape{3, 2, 3, 1}, Shape{4, 3, 4, 2}}) {
    Cell cell;
    cell.seed = 9;
    cell.sparsity.assign(static_cast<std::size_t>(shape.n_features), 0.0);
    cell.importance.assign(static_cast<std::size_t>(shape.n_features), 1.0);
    const CellSettings settings = cell_settings(shape, cell);
    const int restarts = 20000;
    double squares[3] = {}, sums[3] = {}, fourth = 0;
    const double counts[3] = {1.0 * restarts * shape.weight_count(), 1.0 * restarts * shape.bias_count(),
                              1.0 * restarts * shape.router_count()};
    std::vector<float> parameters(static_cast<std::size_t>(shape.parameter_count()));
    for (int r = 0; r < restarts; ++r) {
      tiny_kernels(shape, best_instruction_set()).initial({shape, &settings}, r, parameters.data());
      for (int p = 0; p < shape.parameter_count(); ++p) {
        const int kind = p < shape.bias_offset() ? 0 : p < shape.router_offset() ? 1 : 2;
        const double x = static_cast<double>(parameters[static_cast<std::size_t>(p)]);
        sums[kind] += x;
        squares[kind] += x * x;
        if (kind == 2) fourth += x * x * x * x;
      }
    }
    const double spread = 2.0 / (shape.n_features + shape.n_experts);
    const double variances[3] = {spread / shape.n_hidden, spread, spread};
    for (int kind = 0; kind < 3; ++kind) {
      EXPECT_NEAR(squares[kind] / counts[kind], variances[kind], 5 * variances[kind] * std::sqrt(2 / counts[kind]));
      EXPECT_NEAR(sums[kind] / counts[kind], 0, 5 * std::sqrt(variances[kind] / counts[kind]));
    }
    EXPECT_NEAR(fourth / counts[2], 3 * spread * spread, 5 * spread * spread * std::sqrt(96 / counts[2]));
  }
}

TEST(Kernel, EveryInstructionSetGivesTheSameBits) {
  std::mt19937 random(14);
  for (const Shape& shape : all_shapes()) {
    const Trial trial = draw_trial(shape, random, Loss::mean, 0.1, 77);
    std::vector<std::uint32_t> first;
    for (InstructionSet set : machines()) {
      const CpuKernels kernels = tiny_kernels(shape, set);
      const auto size = static_cast<std::size_t>(shape.parameter_count());
      std::vector<float> gradient(size), initial(size), inputs(trial.inputs.size());
      kernels.gradient({shape, &trial.settings}, 1, 5, trial.parameters.data(), gradient.data());
      kernels.initial({shape, &trial.settings}, 1, initial.data());
      kernels.draw_batch({shape, &trial.settings}, 1, 5, inputs.data());
      std::vector<std::uint32_t> bits;
      for (const auto* numbers : {&gradient, &initial, &inputs}) {
        for (float number : *numbers) bits.push_back(std::bit_cast<std::uint32_t>(number));
      }
      const Losses losses = kernels.loss({shape, &trial.settings}, 1, 5, trial.parameters.data());
      for (const float loss : {losses.training, losses.reconstruction})
        bits.push_back(std::bit_cast<std::uint32_t>(loss));
      if (first.empty()) first = bits;
      EXPECT_EQ(bits, first) << name(shape) << " " << to_string(set);
    }
  }
}

// Inputs that are all zero score every expert 0: the lowest experts must win, and with k = 1 that is expert 0.
TEST(Kernel, TiesGoToTheLowestExpert) {
  for (const Shape& shape : all_shapes()) {
    Cell cell;
    cell.seed = 1;
    cell.sparsity.assign(static_cast<std::size_t>(shape.n_features), 0.3);
    cell.importance.assign(static_cast<std::size_t>(shape.n_features), 1.0);
    cell.train.batch = 64;
    cell.train.load_balance = 0;
    const CellSettings settings = cell_settings(shape, cell);
    // An all-zero router ties every input. Experts from k on must get no gradient, those below all of it.
    std::vector<float> parameters(static_cast<std::size_t>(shape.parameter_count()), 0.5f);
    for (int p = shape.router_offset(); p < shape.parameter_count(); ++p) parameters[static_cast<std::size_t>(p)] = 0;
    for (InstructionSet set : machines()) {
      std::vector<float> gradient(parameters.size());
      tiny_kernels(shape, set).gradient({shape, &settings}, 0, 1, parameters.data(), gradient.data());
      for (int e = 0; e < shape.n_experts; ++e) {
        for (int f = 0; f < shape.n_features; ++f) {
          const float slope = gradient[static_cast<std::size_t>(shape.bias_offset() + e * shape.n_features + f)];
          if (e < shape.top_k) {
            EXPECT_NE(slope, 0.0f) << name(shape);
          } else {
            EXPECT_EQ(slope, 0.0f) << name(shape);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace phasegrid
