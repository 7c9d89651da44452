// The block mapping of every instruction set against the definition in float64, against the tiny mapping, and against
// itself with other tiles.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "support/block_problem.hpp"
#include "support/gradient_check.hpp"

namespace phasegrid {
namespace {

using testing::BlockTrial;
using testing::check_gradient;
using testing::machines;
using testing::reference_loss;
using testing::ReferenceLoss;

std::string name(const Shape& s) {
  return fmt::format("n{} m{} E{} k{}", s.n_features, s.n_hidden, s.n_experts, s.top_k);
}

std::vector<Shape> some_shapes() {
  std::vector<Shape> shapes = {{1, 1, 1, 1},   {2, 1, 3, 1},  {5, 6, 1, 1},  {16, 3, 1, 1},
                               {17, 4, 4, 1},  {20, 6, 1, 1}, {20, 5, 4, 1}, {33, 2, 10, 2},
                               {40, 1, 20, 5}, {23, 7, 5, 3}, {50, 9, 3, 2}};
  for (int k = 1; k <= 6; ++k) shapes.push_back({7, 3, 6, k});
  std::mt19937 random(20);
  for (int i = 0; i < 12; ++i) {
    const int E = 1 + static_cast<int>(random() % 12);
    shapes.push_back({1 + static_cast<int>(random() % 45), 1 + static_cast<int>(random() % 9), E,
                      1 + static_cast<int>(random() % static_cast<unsigned>(E))});
  }
  return shapes;
}

TEST(Block, GradientsEqualCentralDifferencesInFloat64) {
  std::mt19937 random(21);
  int checked = 0, asked = 0;
  for (const Shape& shape : some_shapes()) {
    for (const Loss loss : {Loss::mean, Loss::sum}) {
      for (const double load_balance : {0.0, 0.3}) {
        BlockTrial trial(shape, random, loss, load_balance, 20 + static_cast<int>(random() % 80), random() % 2 == 0);
        const int most = std::min(24, shape.parameter_count());
        checked += check_gradient(trial, random, most, fmt::format("{} alpha {}", name(shape), load_balance));
        asked += most;
      }
    }
  }
  EXPECT_GT(checked, asked * 9 / 10);
}

TEST(Block, GradientsAtTies) {
  // An all-zero router scores every expert 0: the k lowest experts are active and share the gate evenly. Where the
  // reconstruction's gradient is zero (k = 1) or the difference crosses a tie there is nothing to compare, so W and b.
  std::mt19937 random(22);
  for (const int k : {1, 2, 4}) {
    BlockTrial trial({9, 2, 5, k}, random, Loss::sum, 0.2, 70);
    for (int e = 0; e < 5; ++e) std::ranges::fill(trial.router(e), 0.0f);
    trial.parameters.resize(static_cast<std::size_t>(trial.shape.parameter_count()));
    EXPECT_GT(check_gradient(trial, random, 60, fmt::format("tie, k {}", k)), 20);
    // Experts that no sample reaches learn nothing.
    for (InstructionSet set : machines()) {
      const auto gradient = trial.gradient(set);
      for (int e = k; e < 5; ++e) {
        for (int i = 0; i < 18; ++i) EXPECT_EQ(gradient[static_cast<std::size_t>(e * 18 + i)], 0.0f);
      }
    }
  }
}

// Experts in groups of equal routers tie above, at and below the k-th score; each k takes another way through the router.
TEST(Block, TiesGoToTheLowestExpertForEveryK) {
  std::mt19937 random(30);
  for (int k = 1; k <= 12; ++k) {
    BlockTrial trial({7, 2, 12, k}, random, Loss::sum, 0.2, 90);
    for (int e = 0; e < 12; ++e) std::ranges::copy(trial.router(e % 4), trial.router(e).begin());
    const ReferenceLoss expected = reference_loss(
        trial.reference(), {trial.parameters.begin(), trial.parameters.end()}, trial.inputs(InstructionSet::baseline));
    for (InstructionSet set : machines()) {
      const Losses got = trial.losses(set);
      EXPECT_NEAR(got.reconstruction, expected.reconstruction, 1e-5 * expected.reconstruction) << "k " << k;
      EXPECT_NEAR(got.training, expected.loss, 1e-5 * expected.loss) << "k " << k;
    }
  }
}

TEST(Block, LossEqualsTheDefinition) {
  std::mt19937 random(23);
  for (const Shape& shape : some_shapes()) {
    for (const Loss loss : {Loss::mean, Loss::sum}) {
      BlockTrial trial(shape, random, loss, 0.3, 1 + static_cast<int>(random() % 300), random() % 2 == 0);
      const std::vector<float> inputs = trial.inputs(InstructionSet::baseline);
      const ReferenceLoss expected =
          reference_loss(trial.reference(), {trial.parameters.begin(), trial.parameters.end()}, inputs);
      for (InstructionSet set : machines()) {
        const Losses got = trial.losses(set);
        EXPECT_NEAR(got.training, expected.loss, 1e-5 * expected.loss) << name(shape);
        EXPECT_NEAR(got.reconstruction, expected.reconstruction, 1e-5 * expected.reconstruction) << name(shape);
        if (shape.n_experts == 1) { EXPECT_EQ(got.training, got.reconstruction); }
      }
    }
  }
}

TEST(Block, OneExpertThatGetsAllAndOthersThatGetNone) {
  std::mt19937 random(24);
  for (const int favourite : {0, 2, 5}) {
    BlockTrial trial({12, 3, 6, 1}, random, Loss::mean, 0.0, 90);
    for (int e = 0; e < 6; ++e) std::ranges::fill(trial.router(e), e == favourite ? 1.0f : -1.0f);
    // The all-zero input still goes to expert 0.
    const std::vector<float> inputs = trial.inputs(InstructionSet::baseline);
    int zeros = 0;
    for (std::size_t i = 0; i < 90; ++i) {
      zeros += std::all_of(inputs.begin() + static_cast<int>(i) * 12, inputs.begin() + static_cast<int>(i) * 12 + 12,
                           [](float x) { return x == 0; });
    }
    const std::vector<double> at(trial.parameters.begin(), trial.parameters.end());
    const double expected = reference_loss(trial.reference(), at, inputs).loss;
    for (InstructionSet set : machines()) {
      EXPECT_NEAR(trial.loss(set), expected, 1e-5 * expected);
      const auto gradient = trial.gradient(set);
      for (int e = 0; e < 6; ++e) {
        bool moved = false;
        for (int i = 0; i < 36; ++i) moved = moved || gradient[static_cast<std::size_t>(e * 36 + i)] != 0.0f;
        EXPECT_EQ(moved, e == favourite || (e == 0 && zeros > 0 && moved)) << e;
      }
    }
    EXPECT_GT(check_gradient(trial, random, 40, "one expert gets all"), 30);
  }
}

TEST(Block, BitsDoNotDependOnTheTileOrTheInstructionSet) {
  std::mt19937 random(25);
  for (const Shape& shape : some_shapes()) {
    BlockTrial trial(shape, random, Loss::mean, 0.05, 333);
    const auto expected = trial.gradient(InstructionSet::baseline);
    const float loss = trial.loss(InstructionSet::baseline);
    for (InstructionSet set : machines()) {
      // A dense model's tile is part of its order of sums.
      for (const int tile : shape.n_experts == 1 ? std::vector{kDenseTile} : std::vector{128, 256, 384}) {
        const auto gradient = trial.gradient(set, tile);
        for (std::size_t p = 0; p < gradient.size(); ++p) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(gradient[p] + 0.0f), std::bit_cast<std::uint32_t>(expected[p] + 0.0f))
              << name(shape) << " tile " << tile << " parameter " << p;
        }
        EXPECT_EQ(trial.loss(set, tile), loss);
      }
    }
  }
}

TEST(Block, AgreesWithTheTinyMapping) {
  std::mt19937 random(26);
  for (int n = 1; n <= kMaxTinyFeatures; ++n) {
    for (int E = 1; E <= kMaxTinyExperts; ++E) {
      for (int k = 1; k <= E; ++k) {
        const Shape shape{n, 1 + static_cast<int>(random() % 3), E, k};
        BlockTrial trial(shape, random, Loss::mean, 0.1, 200);
        for (InstructionSet set : machines()) {
          const CpuKernels tiny = tiny_kernels(shape, set);
          std::vector<float> inputs(static_cast<std::size_t>(200 * n)), gradient(trial.parameters.size());
          tiny.draw_batch({shape, &trial.settings}, 1, 5, inputs.data());
          EXPECT_EQ(inputs, trial.inputs(set)) << name(shape);  // the very same numbers
          const float loss = tiny.loss({shape, &trial.settings}, 1, 5, trial.parameters.data()).training;
          EXPECT_NEAR(trial.loss(set), loss, 1e-5 * static_cast<double>(loss)) << name(shape);
          tiny.gradient({shape, &trial.settings}, 1, 5, trial.parameters.data(), gradient.data());
          const auto block = trial.gradient(set);
          float largest = 0;
          for (float g : gradient) largest = std::max(largest, std::abs(g));
          for (std::size_t p = 0; p < gradient.size(); ++p) {
            EXPECT_NEAR(block[p], gradient[p], 1e-5f * largest) << name(shape) << " " << p;
          }
          std::vector<float> tiny_start(gradient.size()), block_start(gradient.size());
          tiny.initial({shape, &trial.settings}, 3, tiny_start.data());
          block_kernels(set).initial(trial.problem(), 3, block_start.data());
          EXPECT_EQ(tiny_start, block_start);
        }
      }
    }
  }
}

TEST(Block, EachFeatureHasItsOwnDensity) {
  std::mt19937 random(27);
  BlockTrial trial({10, 2, 1, 1}, random, Loss::mean, 0, 60000, true);
  const std::vector<float> inputs = trial.inputs(machines().back());
  for (std::size_t f = 0; f < 10; ++f) {
    const double density = 1 - trial.cell.sparsity[f];
    double present = 0, sum = 0;
    for (std::size_t i = 0; i < 60000; ++i) {
      present += inputs[i * 10 + f] != 0 ? 1 : 0;
      sum += static_cast<double>(inputs[i * 10 + f]);
    }
    EXPECT_NEAR(present / 60000, density, 5 * std::sqrt(density * (1 - density) / 60000));
    EXPECT_NEAR(sum / present, 0.5, 5 * std::sqrt(1 / 12.0 / present));
  }
}

TEST(Block, RoutersStartAsAsked) {
  std::mt19937 random(28);
  BlockTrial trial({12, 2, 4, 1}, random, Loss::mean, 0, 10);
  auto start = [&](RouterInit router, BiasInit bias, int restart) {
    trial.cell.init.router = router, trial.cell.init.bias = bias;
    trial.update();
    block_kernels(machines().back()).initial(trial.problem(), restart, trial.parameters.data());
  };
  start(RouterInit::zero, BiasInit::zero, 0);
  for (int e = 0; e < 4; ++e) {
    for (float g : trial.router(e)) EXPECT_EQ(g, 0.0f);
  }
  for (int b = 0; b < 48; ++b)
    EXPECT_EQ(trial.parameters[static_cast<std::size_t>(trial.shape.bias_offset() + b)], 0.0f);
  const std::vector<float> experts(trial.parameters.begin(), trial.parameters.begin() + trial.shape.weight_count());

  start(RouterInit::diagonal, BiasInit::xavier, 0);
  for (int e = 0; e < 4; ++e) {
    for (int f = 0; f < 12; ++f) EXPECT_EQ(trial.router(e)[static_cast<std::size_t>(f)], e == f ? 1.0f : 0.0f);
  }
  EXPECT_NE(trial.parameters[static_cast<std::size_t>(trial.shape.bias_offset())], 0.0f);
  // Experts start alike whatever the router.
  EXPECT_TRUE(std::equal(experts.begin(), experts.end(), trial.parameters.begin()));

  start(RouterInit::ordered_k_hot, BiasInit::zero, 0);
  for (int e = 0; e < 4; ++e) {
    for (int f = 0; f < 12; ++f) EXPECT_EQ(trial.router(e)[static_cast<std::size_t>(f)], f / 3 == e ? 1.0f : 0.0f);
  }

  std::vector<std::vector<float>> partitions;
  std::vector<int> first_expert(4);
  for (int restart = 0; restart < 200; ++restart) {
    start(RouterInit::random_k_hot, BiasInit::zero, restart);
    partitions.emplace_back(trial.parameters.begin() + trial.shape.router_offset(), trial.parameters.end());
    for (int e = 0; e < 4; ++e) {
      EXPECT_EQ(std::ranges::count(trial.router(e), 1.0f), 3);
      EXPECT_EQ(std::ranges::count(trial.router(e), 0.0f), 9);
      first_expert[static_cast<std::size_t>(e)] += trial.router(e)[0] == 1.0f ? 1 : 0;
    }
    for (std::size_t f = 0; f < 12; ++f) {
      float owners = 0;
      for (int e = 0; e < 4; ++e) owners += trial.router(e)[f];
      EXPECT_EQ(owners, 1.0f);
    }
  }
  std::ranges::sort(partitions);
  EXPECT_GT(std::unique(partitions.begin(), partitions.end()) - partitions.begin(), 190);  // of 369,600
  for (int count : first_expert) EXPECT_NEAR(count, 50, 5 * std::sqrt(200 * 0.25 * 0.75));
}

}  // namespace
}  // namespace phasegrid
