// Statistics of verdicts, against values known from elsewhere.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "program/reproduce/statistics.hpp"

namespace phasegrid::reproduce {
namespace {

TEST(ReproduceStatistics, MeanAndDeviationOfASample) {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(mean(values), 5);
  EXPECT_DOUBLE_EQ(standard_deviation(values), std::sqrt(32.0 / 7));
  EXPECT_TRUE(std::isnan(standard_deviation(std::vector<double>{3})));
}

// Tables of textbooks: Fisher's tea (3 of 4 against 1 of 4) and [[8, 2], [1, 5]].
TEST(ReproduceStatistics, FishersExactTest) {
  EXPECT_NEAR(fisher_p_value(3, 4, 1, 4), 34.0 / 70, 1e-12);
  EXPECT_NEAR(fisher_p_value(8, 10, 1, 6), 0.034965034965, 1e-9);
  EXPECT_NEAR(fisher_p_value(5, 10, 5, 10), 1, 1e-12);
  EXPECT_NEAR(fisher_p_value(0, 5, 5, 5), 2.0 / 252, 1e-12);
}

TEST(ReproduceStatistics, FishersTestDoesNotMindWhichSideComesFirst) {
  for (int x = 0; x <= 6; ++x) {
    for (int y = 0; y <= 9; ++y) {
      const double p = fisher_p_value(x, 6, y, 9);
      EXPECT_NEAR(p, fisher_p_value(y, 9, x, 6), 1e-12);
      EXPECT_NEAR(p, fisher_p_value(6 - x, 6, 9 - y, 9), 1e-12);
      EXPECT_GT(p, 0);
      EXPECT_LE(p, 1);
    }
  }
}

TEST(ReproduceStatistics, CompatibleCountsAreThoseThatTheTestAllows) {
  for (const auto& [x, n, m] : {std::tuple(461, 1000, 1000), std::tuple(0, 1000, 1000), std::tuple(1, 1000, 160),
                                std::tuple(1000, 1000, 40), std::tuple(13, 1000, 320)}) {
    const CountRange range = compatible_counts(x, n, m);
    for (int y = 0; y <= m; ++y) {
      EXPECT_EQ(range.low <= y && y <= range.high, fisher_p_value(x, n, y, m) >= 0.01) << x << " " << y << " of " << m;
    }
  }
}

// Of two equal experiments with none in 1,000, the other has (1/2)^y: 2^-6 > 0.01 > 2^-7, but the test has two sides.
TEST(ReproduceStatistics, CompatibleCountsOfNone) {
  EXPECT_EQ(compatible_counts(0, 1000, 1000).low, 0);
  EXPECT_EQ(compatible_counts(0, 1000, 1000).high, 7);
  EXPECT_EQ(compatible_counts(0, 1000, 1000, 0.95).high, 5);
}

TEST(ReproduceStatistics, WilsonsInterval) {
  EXPECT_NEAR(wilson_interval(5, 10).low, 0.236593, 1e-6);
  EXPECT_NEAR(wilson_interval(5, 10).high, 0.763407, 1e-6);
  EXPECT_NEAR(wilson_interval(0, 10).low, 0, 1e-12);
  EXPECT_NEAR(wilson_interval(0, 10).high, 0.277533, 1e-6);
  EXPECT_NEAR(wilson_interval(10, 10).low, 1 - 0.277533, 1e-6);
  EXPECT_LE(wilson_interval(10, 10).high, 1);
}

TEST(ReproduceStatistics, Correlation) {
  const std::vector<double> x = {1, 2, 3, 4, 5}, y = {2, 1, 4, 3, 5}, falling = {5, 4, 3, 2, 1}, same = {1, 1, 1, 1, 1};
  EXPECT_NEAR(correlation(x, y), 0.8, 1e-12);
  EXPECT_NEAR(correlation(x, falling), -1, 1e-12);
  EXPECT_TRUE(std::isnan(correlation(x, same)));
  EXPECT_TRUE(std::isnan(correlation(std::vector<double>(5, 0.1), y)));  // whose mean is not quite 0.1
  // r = 0.5 of 28 pairs: tanh(atanh(0.5) -+ 1.959964 / 5).
  EXPECT_NEAR(correlation_interval(0.5, 28).low, 0.156028, 1e-6);
  EXPECT_NEAR(correlation_interval(0.5, 28).high, 0.735818, 1e-6);
}

}  // namespace
}  // namespace phasegrid::reproduce
