// The counted operations against counts by hand, for shapes small enough to write down, and the floor made of them.
#include "operations.hpp"

#include <gtest/gtest.h>

#include "floor.hpp"

namespace phasegrid::bench {
namespace {

constexpr CounterWord kCall{.by_call = true, .by_lane = false}, kLane{.by_call = false, .by_lane = true};
constexpr CounterWord kBoth{.by_call = true, .by_lane = true}, kShared{};

// A GPU, all counter words of a lane's own: two products and two exclusive ors a round.
TEST(Philox, AllWordsOfALane) {
  const Operations count = philox_operations({kBoth, kBoth, kBoth, kBoth}, Machine::cuda);
  EXPECT_EQ(count.wide, 14);
  EXPECT_EQ(count.logic, 14);
  EXPECT_EQ(count.total(), 28);
}

// Counter (call, lane, step, stream), by hand: what both call and lane change is, in round 2, the exclusive or of word
// 2; in round 3 a product and both exclusive ors; then everything.
TEST(Philox, TinyMappingOnAGpu) {
  const Operations count = philox_operations({kCall, kLane, kShared, kShared}, Machine::cuda);
  EXPECT_EQ(count.wide, 1 + 3 * 2 + 2);
  EXPECT_EQ(count.logic, 1 + 2 + 3 * 2 + 2);
}

TEST(Philox, NothingThatAllShare) {
  EXPECT_EQ(philox_operations({kShared, kShared, kShared, kShared}, Machine::avx512).total(), 0);
  EXPECT_EQ(philox_operations({kLane, kLane, kLane, kLane}, Machine::avx2).total(), 0);
}

// On a CPU a product takes two registers of 64-bit slots.
TEST(Philox, SlotsOfACpu) {
  EXPECT_EQ(philox_operations({kCall, kLane, kShared, kShared}, Machine::avx512).wide, 2 * 9);
  EXPECT_EQ(philox_operations({kBoth, kBoth, kBoth, kBoth}, Machine::avx2).wide, 2 * 14);
}

// n = 2, m = 1, dense. h: a product, an fma; z: two fma. Of each feature: is_open, z - x, keep; g and two g x'.
TEST(Tiny, DenseOnAGpu) {
  const Count count = count_tiny({2, 1, 1, 1}, {512, true}, Machine::cuda);
  EXPECT_DOUBLE_EQ(32 * count.expert.fma, 3);
  EXPECT_DOUBLE_EQ(32 * count.expert.arithmetic, 1);
  EXPECT_DOUBLE_EQ(32 * count.backward.fma, 4);
  EXPECT_DOUBLE_EQ(32 * count.backward.arithmetic, 4);
  EXPECT_DOUBLE_EQ(32 * count.backward.logic, 4);
  EXPECT_EQ(count.router.total(), 0);
  // Half a block of Philox, and of each feature: convert, fma, compare, keep.
  EXPECT_DOUBLE_EQ(32 * count.random.wide, 4.5);
  EXPECT_DOUBLE_EQ(32 * count.random.logic, 5.5 + 4);
  EXPECT_DOUBLE_EQ(32 * count.random.convert, 2);
  EXPECT_DOUBLE_EQ(32 * count.random.fma, 2);
}

// The load balance alone needs the softmax; the choice of an expert does not. (The exponents are made without it, too.)
TEST(Tiny, LoadBalanceCosts) {
  for (Machine machine : {Machine::avx2, Machine::avx512, Machine::cuda}) {
    const Count with = count_tiny({3, 2, 2, 1}, {512, true}, machine),
                without = count_tiny({3, 2, 2, 1}, {512, false}, machine);
    // exponential 13, reciprocal 8, 1 + 1 + 1 around them, 3 sums with x, and the count of expert 1.
    const double more = 13 + 8 + 3 + 3 + 1 + (machine == Machine::avx2 ? 1 : 0);
    EXPECT_NEAR(lanes_of(machine) * (with.router.total() - without.router.total()), more, 1e-9) << to_string(machine);
    EXPECT_DOUBLE_EQ(with.expert.total(), without.expert.total());
  }
}

// Of three experts two exponentials, 13 each, reciprocal 8, 2 + 3 to sum and scale; selections: 3 for the term of the
// expert chosen and 1 between the others; 3 products of pairs, 9 sums with x, 2 counts.
TEST(Tiny, LoadBalanceOfThreeExperts) {
  for (Machine machine : {Machine::avx2, Machine::avx512, Machine::cuda}) {
    const Count with = count_tiny({3, 2, 3, 1}, {512, true}, machine),
                without = count_tiny({3, 2, 3, 1}, {512, false}, machine);
    const double more = 2 * 13 + 8 + 5 + 4 + 3 + 9 + 2 + (machine == Machine::avx2 ? 2 : 0);
    EXPECT_NEAR(lanes_of(machine) * (with.router.total() - without.router.total()), more, 1e-9) << to_string(machine);
  }
}

TEST(Tiny, StepIsSharedOutOverTheBatch) {
  const Count small = count_tiny({3, 2, 3, 1}, {512, true}, Machine::avx2);
  const Count large = count_tiny({3, 2, 3, 1}, {1024, true}, Machine::avx2);
  EXPECT_NEAR(small.step.total(), 2 * large.step.total(), 1e-9);
  EXPECT_DOUBLE_EQ(small.per_sample().total(), large.per_sample().total());
}

// The reduction of 4 n^2 .. numbers: 32 numbers of a warp take 31 shuffles (kernels/machine/README.md). 323 has
// 27 + 9 + 9 + 2 = 47 sums: a chunk of 32 and one of 16, of 8 + 4 + 2 + 1 + 1 shuffles.
TEST(Tiny, ReductionOnAGpu) {
  const Count count = count_tiny({3, 2, 3, 1}, {1, true}, Machine::cuda);
  EXPECT_EQ(count.step.shuffle, 31 + 16);
}

// 32 features, 4 units, dense, on a GPU: h, z, dL/dh and two outer products of 32 x 4; sums of 32 x 4 weights and 32
// biases over the lanes, a shuffle each, once in 128 samples.
TEST(Block, DenseOnAGpu) {
  const Shape shape{32, 4, 1, 1};
  const Count count = count_block(shape, {512, false}, Machine::cuda);
  EXPECT_DOUBLE_EQ(count.expert.fma + count.backward.fma, 5 * 4);
  EXPECT_EQ(count.expert.shuffle, 0);
  EXPECT_DOUBLE_EQ(count.backward.shuffle, (32 * 4 + 32) / 128.0);
  EXPECT_EQ(count.router.total(), 0);
  EXPECT_DOUBLE_EQ(32 * (count.expert.fma + count.backward.fma), dense_multiply_adds(shape));
}

// The same mixture: a row is one register; a dot product takes a shuffle.
TEST(Block, MixtureOnAGpu) {
  const Count count = count_block({32, 4, 4, 1}, {512, false}, Machine::cuda);
  EXPECT_EQ(count.expert.fma + count.backward.fma, 5 * 4);
  EXPECT_EQ(count.router.shuffle, 4);
  EXPECT_EQ(count.expert.shuffle, 4);
  EXPECT_EQ(count.backward.shuffle, 4);
}

// Where nothing is padded, the count holds the multiply-adds of a dense step on every machine, and none is left out.
TEST(Block, HoldsTheDenseStep) {
  for (Machine machine : {Machine::avx2, Machine::avx512, Machine::cuda}) {
    for (const Shape& shape : {Shape{64, 8, 1, 1}, Shape{32, 4, 4, 1}, Shape{128, 4, 8, 1}}) {
      const Count count = count_block(shape, {1024, false}, machine);
      const double fma = count.router.fma + count.expert.fma + count.backward.fma;
      EXPECT_NEAR(lanes_of(machine) * fma, dense_multiply_adds(shape), 1e-6) << to_string(machine);
    }
  }
}

TEST(Block, LoadBalanceDrawsTwice) {
  const Count with = count_block({20, 5, 4, 1}, {1024, true}, Machine::avx512);
  const Count without = count_block({20, 5, 4, 1}, {1024, false}, Machine::avx512);
  EXPECT_DOUBLE_EQ(with.random.total(), 2 * without.random.total());
  EXPECT_GT(with.router.total(), 2 * without.router.total());
}

TEST(Floor, IsTheSlowestPart) {
  CudaRates rates = data_sheet_rates(100, 1.0);
  Operations count{.fma = 1, .shuffle = 1};
  EXPECT_EQ(cuda_floor(count, rates).limit, "shuffles");  // a quarter of the rate
  EXPECT_DOUBLE_EQ(cuda_floor(count, rates).seconds, 1 / rates.shuffle);
  count.shuffle = 0;
  count.logic = 1;
  EXPECT_EQ(cuda_floor(count, rates).limit, "issue slots");  // two instructions, and logic at half the rate: a tie
  EXPECT_DOUBLE_EQ(cuda_floor(count, rates).seconds, 2 / rates.issue);
}

TEST(Floor, PortsOfACpu) {
  EXPECT_DOUBLE_EQ(cpu_floor({.logic = 6}, Machine::avx512, 1.0).seconds, 3e-9);
  EXPECT_DOUBLE_EQ(cpu_floor({.logic = 6}, Machine::avx2, 1.0).seconds, 2e-9);
  EXPECT_DOUBLE_EQ(cpu_floor({.fma = 6}, Machine::avx2, 2.0).seconds, 1.5e-9);
  EXPECT_EQ(cpu_floor({.fma = 6}, Machine::avx2, 2.0).limit, "product ports");
  EXPECT_EQ(cpu_floor({.fma = 6, .special = 6}, Machine::avx2, 2.0).limit, "divider");
}

}  // namespace
}  // namespace phasegrid::bench
