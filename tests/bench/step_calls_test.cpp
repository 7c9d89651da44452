// What the counting machine counts of a training step, against counts by hand for shapes small enough to write down.
// Each number is of one register of samples (tiny mapping) or of a tile (block mapping).
#include "step_calls.hpp"

#include <gtest/gtest.h>

namespace phasegrid::bench {
namespace {

void expect_calls(const char* stage, const Calls& counted, const Calls& by_hand, long times) {
  const char* names[] = {"fma",       "arithmetic", "special",     "compare",  "logic",
                         "keep",      "mask",       "convert",     "load",     "store",
                         "broadcast", "blocks",     "store_calls", "sixteens", "added_fours"};
  int i = 0;
  for (long Calls::*call : kEveryCall) EXPECT_EQ(counted.*call, times * (by_hand.*call)) << stage << ' ' << names[i++];
}

// Numbers that all lanes share are weights and settings, which stay in registers.
Calls without_broadcasts(Calls calls) {
  calls.broadcast = 0;
  return calls;
}

// n = 2, m = 1, dense.
//   random    a feature: at_most, to_float, fma, keep; half a block of four words a sample
//   expert    h = w_0 x_0 + w_1 x_1: a product and an fma; z_f = b_f + w_f h: two fma
//   backward  a feature: is it open, z - x, keep; the sums of g_f and of g_f x_0, g_f x_1
TEST(StepCalls, TinyDense) {
  for (const int lanes : {8, 16, 32}) {
    const StepCalls step = tiny_step_calls({2, 1, 1, 1}, true, lanes);
    const long registers = step.counted;
    expect_calls("random", without_broadcasts(step.random),
                 {.fma = 4, .compare = 4, .keep = 4, .convert = 4, .blocks = 1}, registers / 2);
    expect_calls("router", step.router, {}, registers);
    expect_calls("expert", without_broadcasts(step.expert), {.fma = 3, .arithmetic = 1}, registers);
    expect_calls("backward", without_broadcasts(step.backward),
                 {.fma = 2 * 2, .arithmetic = 2 * (1 + 1), .compare = 2, .keep = 2}, registers);
    EXPECT_EQ(step.values, 2 * 2 + 2);
  }
}

// n = 3, m = 2, three experts of which one answers, with a load balance. The exponential is 8 fma, 3 of arithmetic (a
// difference, a negation, a product) and 2 of logic; the reciprocal 6 fma, a negation and 1 of logic.
//   router    scores of experts 1 and 2: a product and 2 fma each
//             the best: a comparison and a selection each; chosen_0 = !w_1 & !w_2, chosen_1 = w_1 & !w_2, chosen_2 =
//             w_2 the two others' scores: a selection each, less the best; their exponentials terms: 1 for the chosen
//             one, 3 selections, and 1 of what is left for expert 1; 2 sums, the reciprocal, 3 products; of 3 pairs the
//             product and 3 sums with x; samples of experts 1 and 2, hidden from lanes
//   expert    w and b looked up: 2 selections for each of 3 * 2 + 3; h: 2 products and 2 * 2 fma; z: 3 * 2 fma
//   backward  a feature as above; for each expert 3 sums of g and 9 of g x, with g hidden once a feature
TEST(StepCalls, TinyThreeExperts) {
  for (const int lanes : {8, 16, 32}) {
    const StepCalls step = tiny_step_calls({3, 2, 3, 1}, true, lanes);
    const Calls router{.fma = 2 * 2 + 2 * 8 + 6 + 3 * 3,
                       .arithmetic = 2 + 2 + 2 * 3 + 2 + 1 + 3 + 3 + 2,
                       .compare = 2,
                       .logic = 2 + 2 + 2 + 2 * 2 + (3 + 1) + 1,
                       .mask = 2};
    expect_calls("router", without_broadcasts(step.router), router, step.counted);
    expect_calls("expert", without_broadcasts(step.expert), {.fma = 4 + 6, .arithmetic = 2, .logic = 2 * 9},
                 step.counted);
    expect_calls("backward", without_broadcasts(step.backward),
                 {.fma = 3 * 9, .arithmetic = 3 + 3 * 3, .compare = 3, .keep = 3, .mask = 3 * 3}, step.counted);
    EXPECT_EQ(step.values, 27 + 9 + 9 + 2);
  }
}

// n = 2, m = 1, two experts that both answer, no load balance.
//   router    the score: a product, an fma; the best: a comparison, a selection; which of two comes first: a
//   comparison,
//             and both outcomes counted; softmax of two: -|s|, the exponential, 1 + it, the reciprocal, a product, and
//             by the comparison of the best two selections; a probability: active?, summed if so; 1 / sum; gates, kept
//   expert    each as in TinyDense
//   backward  y: is z open, keep; x' - x: -x, and an fma an expert; I (x' - x) once a feature, and for each expert and
//             feature dL/dgate, gate (x' - x), is y open, keep, sums of g, of g x_0 and of g x_1; for each expert two
//             means over the experts, three numbers less or times them, the slope, and its sums with x
TEST(StepCalls, TinySeveralActiveExperts) {
  const StepCalls step = tiny_step_calls({2, 1, 2, 2}, false, 16);
  const Calls router{.fma = 1 + 8 + 6,
                     .arithmetic = 1 + 2 + 3 + 1 + 1 + 1 + 2 + 2,
                     .special = 1,
                     .compare = 1 + 1 + 2,
                     .logic = 1 + 1 + 2 + 1 + 2,
                     .keep = 2,
                     .mask = 2 + 2};
  expect_calls("router", without_broadcasts(step.router), router, step.counted);
  expect_calls("expert", without_broadcasts(step.expert), {.fma = 2 * 3, .arithmetic = 2}, step.counted);
  const Calls backward{.fma = 2 * 2 + 4 * (1 + 2) + 2 * (2 + 1 + 2),
                       .arithmetic = 2 + 2 + 4 * (1 + 1) + 2 * 3,
                       .compare = 4 + 4,
                       .keep = 4 + 4};
  expect_calls("backward", without_broadcasts(step.backward), backward, step.counted);
}

// AdamW: the first moment an fma and a product, cut off by two comparisons; the second an fma and two products, cut off
// by one; denominator and step an fma each, root and quotient, decay a product; two comparisons for what is too large.
TEST(StepCalls, Optimiser) {
  const StepCalls step = tiny_step_calls({2, 1, 1, 1}, true, 8);
  expect_calls("optimiser", without_broadcasts(step.optimiser),
               {.fma = 4,
                .arithmetic = 1 + 2 + 1,
                .special = 2,
                .compare = 2 + 1 + 2,
                .logic = 2 + 1 + 1,
                .load = 4,
                .store = 3},
               1);
}

// 32 features, 4 units, dense, 32 lanes, a tile of 128 samples: 4 registers of each feature and unit.
//   random    of 32 x 4 registers of features each is stored, its scale and offset read for all lanes
//   expert    h and z are 4 x 32 products of 4 registers; 4 registers are read for every 4 rows, a weight once
//   backward  2 scale I (z - x), kept; dL/dh as h; dL/dW: 8 x 1 blocks of 4 x 4, each of two pairs of rows, 4 + 4
//             registers of which make 16 fma; dL/db: 32 x 4 sums, in two sixteens
TEST(StepCalls, BlockDense) {
  const StepCalls step = block_step_calls({32, 4, 1, 1}, false, 128, 32);
  EXPECT_EQ(step.counted, 128);
  constexpr long kFeatures = 32 * 4, kUnits = 4 * 4, kProducts = 4 * 32 * 4;
  expect_calls("random", step.random,
               {.fma = kFeatures,
                .compare = kFeatures,
                .keep = kFeatures,
                .convert = kFeatures,
                .store = kFeatures,
                .broadcast = 2 * kFeatures,
                .blocks = kFeatures / 4},
               1);
  expect_calls("router", step.router, {}, 1);
  expect_calls("expert", step.expert,
               {.fma = 2 * kProducts, .load = 2 * kProducts / 4, .store = kUnits, .broadcast = 2 * 4 * 32}, 1);
  expect_calls("backward", step.backward,
               {.fma = 3 * kProducts,
                .arithmetic = 2 * kFeatures + kFeatures,
                .compare = kFeatures,
                .keep = kFeatures,
                .load = kFeatures + kProducts / 4 + 8 * 2 * 4 * (4 + 4) + kFeatures,
                .store = kFeatures + kUnits,
                .broadcast = 4 * 32,
                .sixteens = 8 + 2,
                .added_fours = 4 * (8 + 2)},
               1);
}

// The same with four experts, of which one answers: a row of features is one register, samples go four at a time. A
// four takes 16 fma for the scores, for h, for z and for dL/dh, each but z summed over the lanes; a sample 2 x 4 for
// dL/dW.
TEST(StepCalls, BlockMixture) {
  const StepCalls step = block_step_calls({32, 4, 4, 1}, false, 128, 32);
  constexpr long kFours = 128 / 4;
  EXPECT_EQ(step.router.fma, 16 * kFours);
  EXPECT_EQ(step.router.sixteens, kFours);
  EXPECT_EQ(step.expert.fma, 2 * 16 * kFours);
  EXPECT_EQ(step.expert.sixteens, kFours);
  EXPECT_EQ(step.backward.fma, 16 * kFours + 2 * 4 * 128);
  EXPECT_EQ(step.backward.sixteens, kFours);
  // 128 samples are 4 registers: 4 experts are read, compared, and marked as chosen.
  EXPECT_EQ(step.router.keep, 4 * 4);
  EXPECT_EQ(step.random.convert, 128);
}

// Of 33 features 7 of 8 lanes are padding in the last register; 5 units are summed as 8, as four columns are at a time.
TEST(StepCalls, PaddingIsCounted) {
  const StepCalls even = block_step_calls({32, 4, 4, 1}, false, 128, 8);
  const StepCalls odd = block_step_calls({33, 5, 4, 1}, false, 128, 8);
  EXPECT_EQ(even.router.fma, 4 * 16 * 32);
  EXPECT_EQ(odd.router.fma, 5 * 16 * 32);
  EXPECT_EQ(odd.expert.sixteens, 2 * even.expert.sixteens);
}

// The shares of the experts are needed before any gradient, so the batch is drawn and routed twice.
TEST(StepCalls, LoadBalanceDrawsTwice) {
  const StepCalls with = block_step_calls({20, 5, 4, 1}, true, 128, 16);
  const StepCalls without = block_step_calls({20, 5, 4, 1}, false, 128, 16);
  EXPECT_EQ(with.random.blocks, 2 * without.random.blocks);
  EXPECT_EQ(with.router.sixteens, 2 * without.router.sixteens);
}

}  // namespace
}  // namespace phasegrid::bench
