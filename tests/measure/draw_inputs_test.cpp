// The inputs that measures are taken over.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "phasegrid/error.hpp"
#include "phasegrid/metrics.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;

constexpr int kSamples = 40000;

// Five standard deviations of a share of `of` draws.
double tolerance(double share, double of) { return 5 * std::sqrt(share * (1 - share) / of); }

TEST(DrawInputs, EveryFeatureHasItsDensityAndIsUniform) {
  const std::vector<double> sparsity = {0, 0.1, 0.5, 0.9, 0.97};
  const std::size_t n = sparsity.size();
  const std::vector<float> inputs = draw_inputs(sparsity, kSamples, 11);
  ASSERT_EQ(inputs.size(), kSamples * n);
  for (std::size_t f = 0; f < n; ++f) {
    const double p = 1 - sparsity[f];
    std::vector<double> present;
    for (std::size_t i = f; i < inputs.size(); i += n) {
      ASSERT_TRUE(inputs[i] >= 0 && inputs[i] < 1) << inputs[i];
      if (inputs[i] != 0) present.push_back(static_cast<double>(inputs[i]));
    }
    const double count = static_cast<double>(present.size());
    EXPECT_NEAR(count / kSamples, p, tolerance(p, kSamples)) << f;
    // The largest distance of the distribution from a uniform one (Kolmogorov and Smirnov); 2.2 / sqrt(count) is passed
    // once in 8,000 draws.
    std::ranges::sort(present);
    double distance = 0;
    for (std::size_t i = 0; i < present.size(); ++i) {
      distance = std::max(
          {distance, static_cast<double>(i + 1) / count - present[i], present[i] - static_cast<double>(i) / count});
    }
    EXPECT_LT(distance, 2.2 / std::sqrt(count)) << f;
  }
}

TEST(DrawInputs, FeaturesAndSamplesAreIndependent) {
  constexpr std::size_t n = 9;  // more than two blocks of four words
  const std::vector<float> inputs = draw_inputs(std::vector<double>(n, 0.5), kSamples, 3);
  for (std::size_t lag = 1; lag <= 2 * n; ++lag) {
    double both = 0, product = 0, pairs = 0;
    for (std::size_t i = 0; i + lag < inputs.size(); ++i, ++pairs) {
      both += inputs[i] != 0 && inputs[i + lag] != 0;
      product += (static_cast<double>(inputs[i]) - 0.25) * (static_cast<double>(inputs[i + lag]) - 0.25);
    }
    EXPECT_NEAR(both / pairs, 0.25, tolerance(0.25, pairs)) << lag;
    const double variance = 1.0 / 6 - 1.0 / 16;  // of one feature
    EXPECT_NEAR(product / pairs, 0, 5 * variance / std::sqrt(pairs)) << lag;
  }
}

// Word / 2^32 of Random123's Philox4x32-10, counter {block, sample, 0, 16}, key {seed}: the same on every machine.
TEST(DrawInputs, TheBitsAreFixed) {
  const std::vector<float> dense = draw_inputs(std::vector<double>(5, 0), 2, 0x123456789abcdef0u);
  const std::vector<float> sparse = draw_inputs(std::vector<double>(5, 0.5), 2, 0x123456789abcdef0u);
  const std::vector<float> expected = {0x1.281a62p-3f, 0x1.97043ep-1f, 0x1.1264aep-1f, 0x1.94deb8p-1f, 0x1.d4290ep-1f,
                                       0x1.98dbc2p-5f, 0x1.4014ep-1f,  0x1.e576b6p-1f, 0x1.ecb0d2p-1f, 0x1.16b268p-1f};
  EXPECT_EQ(dense, expected);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    EXPECT_FLOAT_EQ(sparse[i], dense[i] < 0.5f ? 2 * dense[i] : 0.0f) << i;
  }
}

TEST(DrawInputs, SeedsDifferAndMoreSamplesBeginWithFewer) {
  const std::vector<double> sparsity(7, 0.3);
  const std::vector<float> few = draw_inputs(sparsity, 10, 5), many = draw_inputs(sparsity, 100, 5);
  EXPECT_TRUE(std::ranges::equal(few, std::span(many).first(few.size())));
  EXPECT_NE(few, draw_inputs(sparsity, 10, 6));
  EXPECT_NE(few, draw_inputs(sparsity, 10, 5 + (std::uint64_t{1} << 32)));
  EXPECT_TRUE(draw_inputs(sparsity, 0, 5).empty());
}

TEST(DrawInputs, ChosenFeaturesShareOneDraw) {
  constexpr std::size_t n = 6;
  const std::vector<double> sparsity(n, 0.9);
  const std::vector<int> chosen = {4, 1};
  const auto as_drawn = draw_inputs(sparsity, kSamples, 8, chosen);
  const auto together = draw_inputs(sparsity, kSamples, 8, chosen, Presence::together);
  const auto alone = draw_inputs(sparsity, kSamples, 8, chosen, Presence::alone);
  EXPECT_EQ(as_drawn, draw_inputs(sparsity, kSamples, 8));
  double sum = 0, square = 0, with_other[n] = {};
  for (std::size_t first = 0; first < together.size(); first += n) {
    const float common = together[first + 1];
    EXPECT_TRUE(common >= 0 && common < 1);
    sum += static_cast<double>(common);
    square += static_cast<double>(common) * static_cast<double>(common);
    for (std::size_t f = 0; f < n; ++f) {
      const bool is_chosen = f == 1 || f == 4;
      EXPECT_EQ(together[first + f], is_chosen ? common : as_drawn[first + f]);
      EXPECT_EQ(alone[first + f], is_chosen ? common : 0.0f);
      with_other[f] += static_cast<double>(common) * static_cast<double>(as_drawn[first + f]);
    }
  }
  EXPECT_NEAR(sum / kSamples, 1.0 / 2, 5 * std::sqrt(1.0 / 12 / kSamples));
  EXPECT_NEAR(square / kSamples, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kSamples));
  // Independent of what any feature had drawn: E[u x] = 1/2 x 0.1 / 2.
  for (double product : with_other) EXPECT_NEAR(product / kSamples, 0.025, 5 * std::sqrt(0.1 / 9 / kSamples));
}

TEST(DrawInputs, NoChosenFeatures) {
  const std::vector<double> sparsity(3, 0.5);
  EXPECT_EQ(draw_inputs(sparsity, 50, 1, {}, Presence::together), draw_inputs(sparsity, 50, 1));
  EXPECT_EQ(draw_inputs(sparsity, 50, 1, {}, Presence::alone), std::vector<float>(150, 0.0f));
}

TEST(DrawInputs, Refusals) {
  expect_refusal("data.sparsity must be", "not 1", [] { draw_inputs(std::vector<double>{0.5, 1}, 1, 0); });
  expect_refusal("data.sparsity must be", "not -0.5", [] { draw_inputs(std::vector<double>{-0.5}, 1, 0); });
  expect_refusal("data.sparsity must be", "not nan", [] { draw_inputs(std::vector<double>{NAN}, 1, 0); });
  expect_refusal("samples must be 0 or more", "not -1", [] { draw_inputs(std::vector<double>{0.5}, -1, 0); });
  for (int feature : {-1, 2}) {
    EXPECT_THROW(draw_inputs(std::vector<double>(2, 0.5), 1, 0, std::vector<int>{feature}), InputError);
  }
}

// Every pattern of present features has exactly its probability given that it is not empty.
TEST(DrawNonzeroInputs, PatternsHaveTheirConditionalProbability) {
  constexpr int kMany = 400000;
  const std::vector<std::vector<double>> cases = {{0.9, 0.99, 0.7}, {0.99, 0.99}, {0.9999, 0.2, 0}, {0, 0.5}, {0.97}};
  for (const auto& sparsity : cases) {
    const std::size_t n = sparsity.size();
    const std::vector<float> inputs = draw_nonzero_inputs(sparsity, kMany, 7);
    ASSERT_EQ(inputs.size(), kMany * n);
    std::vector<double> counts(std::size_t{1} << n);
    std::vector<double> values;
    for (std::size_t i = 0; i < inputs.size(); i += n) {
      std::size_t pattern = 0;
      for (std::size_t f = 0; f < n; ++f) {
        ASSERT_TRUE(inputs[i + f] >= 0 && inputs[i + f] < 1);
        pattern |= static_cast<std::size_t>(inputs[i + f] != 0) << f;
        if (inputs[i + f] != 0) values.push_back(static_cast<double>(inputs[i + f]));
      }
      counts[pattern] += 1;
    }
    EXPECT_EQ(counts[0], 0);
    double all_zero = 1;
    for (const double S : sparsity) all_zero *= S;
    for (std::size_t pattern = 1; pattern < counts.size(); ++pattern) {
      double share = 1 / (1 - all_zero);
      for (std::size_t f = 0; f < n; ++f) share *= (pattern >> f) % 2 != 0 ? 1 - sparsity[f] : sparsity[f];
      EXPECT_NEAR(counts[pattern] / kMany, share, tolerance(std::min(share, 1.0), kMany) + 1e-9) << pattern;
    }
    // Uniform, whether first or behind it.
    std::ranges::sort(values);
    const double count = static_cast<double>(values.size());
    double distance = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      distance = std::max(distance, std::abs(values[i] - static_cast<double>(i) / count));
    }
    EXPECT_LT(distance, 2.2 / std::sqrt(count));
  }
}

TEST(DrawNonzeroInputs, MoreSamplesBeginWithThoseOfFewerAndSeedsDiffer) {
  const std::vector<double> sparsity = {0.5, 0.9, 0.99, 0.3, 0.8};
  const std::vector<float> few = draw_nonzero_inputs(sparsity, 10, 5), many = draw_nonzero_inputs(sparsity, 100, 5);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_NE(few, draw_nonzero_inputs(sparsity, 10, 6));
  EXPECT_TRUE(draw_nonzero_inputs(sparsity, 0, 5).empty());
  expect_refusal("data.sparsity must be", "not 1", [] { draw_nonzero_inputs(std::vector<double>{0.5, 1}, 1, 0); });
  expect_refusal("at least one feature", "", [] { draw_nonzero_inputs({}, 1, 0); });
}

}  // namespace
}  // namespace phasegrid
