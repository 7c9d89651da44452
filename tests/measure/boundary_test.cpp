// How abrupt the boundaries of a field are: by hand, by definition, and whether its intervals cover.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "phasegrid/error.hpp"
#include "phasegrid/metrics.hpp"

namespace phasegrid {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kRows = 39, kColumns = 58;  // those of Figure 4

struct Field {
  std::size_t rows = kRows, columns = kColumns;
  std::vector<double> values;

  Sharpness sharpness(std::uint64_t seed = 0) const { return boundary_sharpness(values, rows, columns, seed); }
};

// value(y, x) with y and x from 0 to 1, and normal noise.
Field field_of(const std::function<double(double, double)>& value, double noise = 0, unsigned seed = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 1);
  Field field;
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t c = 0; c < kColumns; ++c) {
      const double clean = value(static_cast<double>(r) / (kRows - 1), static_cast<double>(c) / (kColumns - 1));
      field.values.push_back(clean + noise * normal(random));
    }
  }
  return field;
}
double step(double y, double x) { return y + 0.7 * x > 0.8 ? 1 : 0; }
double ramp(double y, double x) { return (y + x) / 2; }
double nothing(double, double) { return 0; }

void expect_ordered(const Estimate& estimate) {
  EXPECT_LE(estimate.low, estimate.value);
  EXPECT_LE(estimate.value, estimate.high);
}

TEST(Boundaries, ByHand) {
  // Lines along columns: 0 1 4 (V 4, J 3, net 4) and 2 0 2 (V 4, J 2, net 0); along rows: 0 2, 1 0, 4 2.
  const Sharpness sharp = boundary_sharpness(std::vector<double>{0, 1, 4, 2, 0, 2}, 2, 3);
  EXPECT_DOUBLE_EQ(sharp.concentration.value, (3 + 2 + 2 + 1 + 2) / (4 + 4 + 2 + 1 + 2.0));
  EXPECT_DOUBLE_EQ(sharp.jump.value, 10 / 5.0);
  EXPECT_DOUBLE_EQ(sharp.roughness.value, 4 / 5.0);
}

TEST(Boundaries, MissingCellsMakeNoJumps) {
  // Along columns 0 1 _ 9 7: V 3, J 2, net 1 + 2. Along rows: no line has two cells.
  for (double missing : {kNan, static_cast<double>(INFINITY), -static_cast<double>(INFINITY)}) {
    const Sharpness sharp = boundary_sharpness(std::vector<double>{0, 1, missing, 9, 7}, 1, 5);
    EXPECT_DOUBLE_EQ(sharp.concentration.value, 2.0 / 3);
    EXPECT_DOUBLE_EQ(sharp.jump.value, 2);
    EXPECT_DOUBLE_EQ(sharp.roughness.value, 0);
  }
  // Along columns 5 _ _ and _ 1 2 (V 1, J 1); along rows 5 _, _ 1, _ 2: one line counts.
  const Sharpness sharp = boundary_sharpness(std::vector<double>{5, kNan, kNan, kNan, 1, 2}, 2, 3);
  EXPECT_DOUBLE_EQ(sharp.jump.value, 1);
  // 3 1 _ 1 3: up and down, but each run goes one way.
  EXPECT_DOUBLE_EQ(boundary_sharpness(std::vector<double>{3, 1, kNan, 1, 3}, 5, 1).roughness.value, 0);
  EXPECT_DOUBLE_EQ(boundary_sharpness(std::vector<double>{3, 1, 1, 3}, 4, 1).roughness.value, 4);
}

// A line without cells is none: it is not drawn by the bootstrap either.
TEST(Boundaries, MissingLinesDoNotCount) {
  const auto with_missing_rows = [](int missing_after_each) {
    Field field{0, 2, {}};
    for (int r = 0; r < 10; ++r) {
      field.values.insert(field.values.end(), {0, static_cast<double>(r)});
      for (int i = 0; i < missing_after_each; ++i) field.values.insert(field.values.end(), {kNan, kNan});
    }
    field.rows = field.values.size() / 2;
    return field.sharpness().jump;
  };
  const Estimate few = with_missing_rows(1), many = with_missing_rows(50);
  EXPECT_DOUBLE_EQ(few.value, 4.5);
  EXPECT_GT(few.low, 2);
  EXPECT_EQ(few.low, many.low);
  EXPECT_EQ(few.high, many.high);
}

TEST(Boundaries, NothingToMeasure) {
  const Field gone{2, 2, std::vector<double>(4, kNan)}, single{1, 1, {3}}, none{0, 0, {}};
  for (const Field* field : {&gone, &single, &none}) {
    const Sharpness sharp = field->sharpness();
    for (const Estimate& estimate : {sharp.concentration, sharp.jump, sharp.roughness}) {
      EXPECT_TRUE(std::isnan(estimate.value) && std::isnan(estimate.low) && std::isnan(estimate.high));
    }
  }
  const Sharpness flat = field_of([](double, double) { return 0.3; }).sharpness();
  EXPECT_TRUE(std::isnan(flat.concentration.value));
  EXPECT_EQ(flat.jump.value, 0);
  EXPECT_EQ(flat.jump.high, 0);
  EXPECT_EQ(flat.roughness.value, 0);
  EXPECT_THROW(boundary_sharpness(std::vector<double>(5), 2, 3), InputError);
}

TEST(Boundaries, ByDefinition) {
  const Field field = field_of(step, 0.3, 5);
  const auto at = [&](std::size_t r, std::size_t c) { return field.values[r * kColumns + c]; };
  double J = 0, V = 0, net = 0;
  for (std::size_t r = 0; r < kRows; ++r) {
    double largest = 0;
    for (std::size_t c = 1; c < kColumns; ++c) {
      V += std::abs(at(r, c) - at(r, c - 1));
      largest = std::max(largest, std::abs(at(r, c) - at(r, c - 1)));
    }
    J += largest;
    net += std::abs(at(r, kColumns - 1) - at(r, 0));
  }
  for (std::size_t c = 0; c < kColumns; ++c) {
    double largest = 0;
    for (std::size_t r = 1; r < kRows; ++r) {
      V += std::abs(at(r, c) - at(r - 1, c));
      largest = std::max(largest, std::abs(at(r, c) - at(r - 1, c)));
    }
    J += largest;
    net += std::abs(at(kRows - 1, c) - at(0, c));
  }
  const Sharpness sharp = field.sharpness();
  EXPECT_NEAR(sharp.concentration.value, J / V, 1e-12);
  EXPECT_NEAR(sharp.jump.value, J / (kRows + kColumns), 1e-12);
  EXPECT_NEAR(sharp.roughness.value, (V - net) / (kRows + kColumns), 1e-12);
}

TEST(Boundaries, KnownFields) {
  const Sharpness stepped = field_of(step).sharpness();
  EXPECT_EQ(stepped.concentration.value, 1);
  EXPECT_EQ(stepped.concentration.low, 1);
  EXPECT_EQ(stepped.roughness.high, 0);
  const Sharpness ramped = field_of(ramp).sharpness();
  // Each of 39 lines rises by 1/2 in 57 equal steps, each of 58 in 38.
  EXPECT_NEAR(ramped.concentration.value, (39 / 57.0 + 58 / 38.0) / 97, 1e-9);
  EXPECT_NEAR(ramped.jump.value, (39 / 57.0 + 58 / 38.0) / 97 / 2, 1e-9);
  EXPECT_NEAR(ramped.roughness.value, 0, 1e-9);
  // Of noise of deviation 1: E|difference| = 2 / sqrt(pi), and the same for |last - first|.
  const Sharpness noisy = field_of(nothing, 1, 3).sharpness();
  const double differences = (39 * 57 + 58 * 38) / 97.0;
  EXPECT_NEAR(noisy.roughness.value, (differences - 1) * 2 / std::sqrt(M_PI), 2);
  for (const Sharpness* sharp : {&stepped, &ramped, &noisy}) {
    expect_ordered(sharp->concentration);
    expect_ordered(sharp->jump);
  }
}

// A step under noise is told from a ramp under the same noise, and both from noise alone, by intervals that are apart.
TEST(Boundaries, IntervalsTellAStepFromARampAndFromNoise) {
  const Sharpness stepped = field_of(step, 0.02, 1).sharpness(), ramped = field_of(ramp, 0.02, 2).sharpness(),
                  noisy = field_of(nothing, 0.3, 3).sharpness();
  EXPECT_GT(stepped.concentration.low, ramped.concentration.high);
  EXPECT_GT(stepped.concentration.low, noisy.concentration.high);
  EXPECT_GT(stepped.jump.low, ramped.jump.high);
  EXPECT_GT(noisy.roughness.low, ramped.roughness.high);
  EXPECT_GT(noisy.roughness.low, stepped.roughness.high);
  for (const Sharpness* sharp : {&stepped, &ramped, &noisy}) {
    for (const Estimate& estimate : {sharp->concentration, sharp->jump, sharp->roughness}) {
      expect_ordered(estimate);
      EXPECT_LT(estimate.low, estimate.high);
    }
  }
}

TEST(Boundaries, SeedsChangeTheIntervalsALittleAndNothingElse) {
  const Field field = field_of(step, 0.1, 4);
  const Sharpness a = field.sharpness(1), b = field.sharpness(2), again = field.sharpness(1);
  EXPECT_EQ(a.jump.value, b.jump.value);
  EXPECT_NE(a.jump.low, b.jump.low);
  EXPECT_EQ(a.jump.low, again.jump.low);
  const double width = a.jump.high - a.jump.low;
  EXPECT_NEAR(a.jump.low, b.jump.low, 0.1 * width);
  EXPECT_NEAR(a.jump.high, b.jump.high, 0.1 * width);
}

// How often an interval holds the mean of the values over many fields.
template <class MakeField>
std::vector<double> coverage(MakeField make_field) {
  constexpr unsigned kFields = 400;
  std::vector<Sharpness> all;
  for (unsigned i = 0; i < kFields; ++i) all.push_back(make_field(i).sharpness(i));
  std::vector<double> shares;
  for (const auto number : {&Sharpness::concentration, &Sharpness::jump, &Sharpness::roughness}) {
    double mean = 0, held = 0;
    for (const Sharpness& sharp : all) mean += (sharp.*number).value / kFields;
    for (const Sharpness& sharp : all) held += (sharp.*number).low <= mean && mean <= (sharp.*number).high;
    shares.push_back(held / kFields);
  }
  return shares;
}

// Lines that have nothing in common: every other row is missing, so no line runs along the rows. Each holds a step of
// its own height at its own place, and noise.
TEST(Boundaries, IntervalsCoverForIndependentLines) {
  const auto shares = coverage([](unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(0, 0.05);
    std::uniform_real_distribution<double> uniform(0, 1);
    Field field{99, 30, {}};
    for (std::size_t r = 0; r < field.rows; ++r) {
      const double height = uniform(random), place = uniform(random) * 30;
      for (std::size_t c = 0; c < field.columns; ++c) {
        const double value = (static_cast<double>(c) > place ? height : 0) + normal(random);
        field.values.push_back(r % 2 == 0 ? value : kNan);
      }
    }
    return field;
  });
  for (double share : shares) {
    EXPECT_GT(share, 0.90);
    EXPECT_LT(share, 0.98);
  }
}

// What the header says of whole grids: a little too narrow for noise alone.
TEST(Boundaries, IntervalsCoverLessForNoiseAlone) {
  const auto shares = coverage([](unsigned seed) { return field_of(nothing, 1, seed); });
  for (double share : shares) {
    EXPECT_GT(share, 0.84);
    EXPECT_LT(share, 0.95);
  }
}

}  // namespace
}  // namespace phasegrid
