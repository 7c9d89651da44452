// The vocabulary of one machine (kernels/machine/): compiled once for every instruction set, and for the CUDA header
// with g++ (tests/support/warp_emulator.hpp), so that the same checks speak for each.
#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "common/activation.hpp"
#include "common/optimiser.hpp"
#include "block/rows.hpp"
#include "common/inputs.hpp"
#include "common/init.hpp"
#include "common/math.hpp"
#include "common/philox.hpp"
#include "support/philox_known_answers.hpp"

namespace phasegrid::PHASEGRID_MACHINE {
namespace {

// Floats and Words of a machine as arrays.
std::vector<float> to_vector(Floats a) {
  std::vector<float> out(kWidth);
  store(out.data(), a);
  return out;
}
std::vector<std::uint32_t> to_vector_of_words(Words a) {
  std::vector<std::uint32_t> out(kWidth);
  std::memcpy(out.data(), &a, sizeof a);
  return out;
}
std::uint32_t bits_of(float a) {
  std::uint32_t word;
  std::memcpy(&word, &a, sizeof word);
  return word;
}

// A word per lane that is the same for all.
Wide wide(std::uint32_t word) { return xor3(xor3(lane_numbers(0), lane_numbers(0), 0u), word, 0u); }

TEST(Philox, GivesRandom123sKnownAnswersInEveryLane) {
  for (const auto& answer : testing::kPhiloxAnswers) {
    const std::uint32_t* c = answer.counter;
    const Key key{answer.key[0], answer.key[1]};
    const Block<Words> lanes = answer.rounds == 7 ? philox<7>(wide(c[0]), wide(c[1]), wide(c[2]), wide(c[3]), key)
                                                  : philox<10>(wide(c[0]), wide(c[1]), wide(c[2]), wide(c[3]), key);
    const auto shared =
        answer.rounds == 7 ? philox<7>(c[0], c[1], c[2], c[3], key) : philox<10>(c[0], c[1], c[2], c[3], key);
    for (int i = 0; i < 4; ++i) {
      for (std::uint32_t word : to_vector_of_words(lanes.w[i])) EXPECT_EQ(word, answer.expected[i]);
      EXPECT_EQ(shared.w[i], answer.expected[i]);
    }
  }
}

TEST(Philox, MixedCountersEqualRandom123) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const auto call = static_cast<std::uint32_t>(random()), step = static_cast<std::uint32_t>(random());
    const auto stream = static_cast<std::uint32_t>(random());
    const Key key{static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())};
    for (int first = 0; first < kLanes; first += kWidth) {
      const Block<Words> block = philox<kRounds>(call, lane_numbers(first), step, stream, key);
      for (int lane = 0; lane < kWidth; ++lane) {
        const r123::Philox4x32_R<kRounds>::ctr_type counter = {
            {call, static_cast<std::uint32_t>(first + lane), step, stream}};
        const auto expected = r123::Philox4x32_R<kRounds>()(counter, {{key.k0, key.k1}});
        for (std::size_t i = 0; i < 4; ++i) {
          EXPECT_EQ(to_vector_of_words(block.w[i])[static_cast<std::size_t>(lane)], expected[i]);
        }
      }
    }
  }
}

TEST(Lanes, FmaIsCorrectlyRounded) {
  std::mt19937 random(2);
  auto draw = [&] {
    // Any float, so that overflow, subnormal results, cancellation and NaN occur, or one near 1.
    const auto word = static_cast<std::uint32_t>(random());
    return bits_float(random() % 2 == 0 ? word : 0x3f000000u | (word & 0x81ffffffu));
  };
  for (int trial = 0; trial < 300000; ++trial) {
    const float a = draw(), b = draw();
    // Half of the time a sum that nearly cancels, where double rounding would show.
    const float c = trial % 2 == 0 ? draw() : -std::nextafter(a * b, draw());
    const float expected = std::fmaf(a, b, c);
    const float got = to_vector(fma(Floats(a), Floats(b), Floats(c)))[0];
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(got));
    } else {
      EXPECT_EQ(bits_of(got), bits_of(expected)) << a << " * " << b << " + " << c;
    }
  }
}

TEST(Lanes, MasksSelectAndAccumulate) {
  const Floats one = 1.0f, two = 2.0f, nan = std::nanf("");
  EXPECT_EQ(to_vector(select(greater(two, one), one, two))[0], 1.0f);
  EXPECT_EQ(to_vector(select(greater(one, one), one, two))[0], 2.0f);
  EXPECT_EQ(to_vector(keep(not_less_equal(nan, one), two))[0], 2.0f);  // NaN counts as open
  EXPECT_EQ(to_vector(keep(not_less_equal(one, one), two))[0], 0.0f);
  EXPECT_EQ(to_vector(keep(not_less(one, one), two))[0], 2.0f);
  EXPECT_EQ(to_vector(keep(negate(both(greater(two, one), greater(one, two))), two))[0], 2.0f);
  EXPECT_EQ(to_vector(add_if(greater(two, one), two, one))[0], 3.0f);
  EXPECT_EQ(to_vector(add_if(greater(one, two), two, one))[0], 1.0f);
  EXPECT_EQ(to_vector(fma_if(greater(two, one), two, two, one))[0], 5.0f);
  EXPECT_EQ(to_vector(fma_if(greater(one, two), two, two, one))[0], 1.0f);
  EXPECT_EQ(to_vector(fma_if(AllLanes{}, two, two, one))[0], 5.0f);
  EXPECT_EQ(to_vector(add_if(AllLanes{}, two, one))[0], 3.0f);
  EXPECT_EQ(to_vector(keep(AllLanes{}, two))[0], 2.0f);
  EXPECT_TRUE(any(greater(two, one)));
  EXPECT_FALSE(any(greater(one, two)));
}

TEST(Lanes, BelowALimit) {
  for (int first = 0; first < kLanes; first += kWidth) {
    for (int limit : {0, 1, 5, 17, 31, 32, 100}) {
      const auto kept = to_vector(keep(lanes_below(first, limit), Floats(1.0f)));
      for (int l = 0; l < kWidth; ++l) EXPECT_EQ(kept[static_cast<std::size_t>(l)], first + l < limit ? 1.0f : 0.0f);
    }
  }
}

TEST(Math, ExpOfNegative) {
  double worst = 0;
  for (int i = 0; i <= 200000; ++i) {
    const float x = -static_cast<float>(i) * 0.0004f;
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(to_vector(exp_of_negative(x))[0]) - exact) / exact);
  }
  EXPECT_LT(worst, 3e-7);
  EXPECT_EQ(to_vector(exp_of_negative(0.0f))[0], 1.0f);
  EXPECT_EQ(to_vector(exp_of_negative(-1e30f))[0], to_vector(exp_of_negative(-87.0f))[0]);
  for (const std::uint32_t nan : {0x7fc00000u, 0xffc00000u, 0x7fffffffu, 0xffffffffu, 0x7fc80000u}) {
    EXPECT_TRUE(std::isnan(to_vector(exp_of_negative(bits_float(nan)))[0])) << nan;
  }
}

TEST(Math, NormalNumbersFollowTheInverseDistribution) {
  for (std::uint32_t i = 0; i < 4000; ++i) {
    const std::uint32_t word = i * 1073741u + 700u;
    const double u = (2.0 * (word >> 9) + 1) / 16777216.0;
    const double x = static_cast<double>(normal_from(word));
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)), u, 4e-7);
  }
  EXPECT_NEAR(normal_from(0), -5.29, 0.05);  // the tails, by the other branch of erfinv
  EXPECT_NEAR(normal_from(0xffffffffu), 5.29, 0.05);
}

TEST(Data, FeaturesAreUniformBelowOne) {
  CellSettings cell{};
  cell.law.present_limit = static_cast<std::int32_t>(0.25 * 0x1p32 - 0x1p31 - 1);
  cell.law.scale = static_cast<float>(4 * 0x1p-32 * (1 - 1e-7));
  cell.law.offset = cell.law.scale * 0x1p31f;
  auto feature = [&](std::uint32_t word) {
    return feature_from(bits(bits_float(word)), cell.law.present_limit, cell.law.scale, cell.law.offset);
  };
  const Floats zero = feature(0x80000000u);     // the smallest word
  const Floats largest = feature(0xbfffffffu);  // the last present one
  const Floats absent = feature(0xc0000000u);   // the first absent one
  EXPECT_EQ(to_vector(zero)[0], 0.0f);
  EXPECT_LT(to_vector(largest)[0], 1.0f);
  EXPECT_GT(to_vector(largest)[0], 0.9999f);
  EXPECT_EQ(to_vector(absent)[0], 0.0f);
}

TEST(Activation, OfAReLU) {
  const float nan = bits_float(0x7fc00000u);
  for (float z : {-2.0f, -0.0f, 0.0f, 1e-30f, 3.0f, nan}) {
    const bool open = !(z <= 0.0f);  // a NaN passes
    const float y = to_vector(PlainOutput::value(Floats(z)))[0];
    EXPECT_EQ(float_bits(y), open ? float_bits(z) : 0u) << z;
    EXPECT_EQ(to_vector(PlainOutput::back(AllLanes{}, Floats(z), Floats(7.0f)))[0], open ? 7.0f : 0.0f) << z;
    EXPECT_EQ(to_vector(PlainOutput::back(AllLanes{}, Floats(y), Floats(7.0f)))[0], open ? 7.0f : 0.0f) << z;  // from y
    EXPECT_EQ(to_vector(PlainOutput::back(lanes_below(0, 0), Floats(z), Floats(7.0f)))[0], 0.0f) << z;
    if (open) { EXPECT_EQ(float_bits(to_vector(PlainOutput::value_if_active(Floats(z)))[0]), float_bits(z)) << z; }
  }
}

TEST(Math, HalfACosine) {
  for (int i = 0; i <= 100; ++i) {
    const double x = i / 100.0;
    EXPECT_NEAR(half_cosine(static_cast<float>(x)), 0.5 * (1 + std::cos(3.14159265358979 * x)), 2e-6);
  }
}

#if !defined(PHASEGRID_EMULATE_WARP)
TEST(Philox, HeldKeysAreThoseOfTheRounds) {
  const Key key{0x243f6a88u, 0x85a308d3u};
  const auto with_held = philox<kRounds>(1u, 2u, 3u, 4u, HeldKeys(key)), with_key = philox<kRounds>(1u, 2u, 3u, 4u, key);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(with_held.w[i], with_key.w[i]);
}

TEST(BlockTeam, StoredCallsStandOneAfterTheOther) {
  const Key key{3, 4};
  std::uint32_t stored[4 * kWidth];
  store_calls(stored, philox<kRounds>(call_numbers(70), 5u, 6u, 7u, key).w);
  for (std::uint32_t call = 0; call < kWidth; ++call) {
    const auto expected = philox<kRounds>(70 + call, 5u, 6u, 7u, key);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(stored[4 * call + i], expected.w[i]);
  }
}

TEST(BlockTeam, AppendsTheSetLanesInOrder) {
  const std::uint32_t patterns[] = {0u, 1u, 0x5u, 0x8001u, 0xffffu, 0xa5a5u};
  for (const std::uint32_t pattern : patterns) {
    float lanes[kWidth];
    std::vector<std::int32_t> expected = {-7};
    for (int l = 0; l < kWidth; ++l) {
      lanes[l] = (pattern >> l) % 2 != 0 ? 1.0f : -1.0f;
      if (lanes[l] > 0) expected.push_back(100 + l);
    }
    std::int32_t list[kWidth + 1] = {-7};
    const Mask set = greater(load(lanes), Floats(0.0f));
    EXPECT_EQ(BlockTeam::append(list, 1, set, 100), static_cast<int>(expected.size()));
    EXPECT_EQ(BlockTeam::count(set), static_cast<int>(expected.size()) - 1);
    EXPECT_EQ(std::vector<std::int32_t>(list, list + expected.size()), expected);
  }
}

TEST(BlockTeam, SumsSixteenInTheOrderOfTeam) {
  std::mt19937 random(4);
  std::uniform_real_distribution<float> uniform(-1, 1);
  float numbers[16][kLanes];
  Floats values[16];
  for (int v = 0; v < 16; ++v) {
    for (float& number : numbers[v]) number = uniform(random);
    Floats groups[kGroups];
    for (int g = 0; g < kGroups; ++g) groups[g] = load(&numbers[v][g * kWidth]);
    values[v] = fold(groups);
  }
  float out[4][8];
  BlockTeam::sum_sixteen(values, 4, [&](int i) { return out[i] + 2; });
  for (int v = 0; v < 16; ++v) {
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) numbers[v][l] += numbers[v][l + half];
    }
    EXPECT_EQ(bits_of(out[v / 4][2 + v % 4]), bits_of(numbers[v][0])) << v;
  }
}

TEST(Team, SumsInOneTreeWhateverTheWidth) {
  constexpr int kValues = 21;
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(-1, 1);
  static LaneSums<kValues> sums;
  float numbers[kValues][kLanes];
  for (auto& row : numbers) {
    for (float& number : row) number = uniform(random);
  }
  Team::for_each_group([&](int first) {
    Floats values[kValues];
    for (int v = 0; v < kValues; ++v) values[v] = load(&numbers[v][first]);
    Team::deposit(sums, first, values);
  });
  Team::reduce(sums);
  for (int v = 0; v < kValues; ++v) {
    float tree[kLanes];
    std::copy_n(numbers[v], kLanes, tree);
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) tree[l] += tree[l + half];
    }
    EXPECT_EQ(bits_of(sums.total[v]), bits_of(tree[0])) << v;
  }
}
#endif

}  // namespace
}  // namespace phasegrid::PHASEGRID_MACHINE
