// What a setting of words can say, where the kernels read it too.
#pragma once

#include <cstdint>

namespace phasegrid {

// How the learning rate changes over the steps, t = 0 .. steps - 1: not at all; falling linearly, 1 - t / steps; along
// half a cosine, (1 + cos(pi t / steps)) / 2; or along a quarter of one, cos(pi t / (2 steps)).
enum class Schedule : std::int32_t { constant, linear, cosine, quarter_cosine };

// How a router starts: Xavier normal; all zero; G[e][e] = 1 (experts beyond n start at zero); expert e on features
// e n/E .. (e + 1) n/E - 1 (E divides n); or each expert on n/E features of a random partition, drawn for every model.
// Paper section 5.
enum class RouterInit : std::int32_t { xavier, zero, diagonal, ordered_k_hot, random_k_hot };
enum class BiasInit : std::int32_t { xavier, zero, normal };
enum class WeightInit : std::int32_t { xavier, normal };
// Of an untied model: the decoder from random numbers of its own, or equal to the encoder at the start.
enum class DecoderInit : std::int32_t { independent, transpose };

// AdamW: decay apart from the gradient. Adam: added to it, as PyTorch's Adam. SGD: v = momentum v + (g + decay w),
// w -= rate v, as PyTorch's.
enum class Optimizer : std::int32_t { adamw, adam, sgd };
// Which parameters decay: all, or those of encoders and decoders alone.
enum class DecayOn : std::int32_t { all, weights };
// The samples over which the load balance takes its means: all, or those whose input is not all zero.
enum class BalanceOver : std::int32_t { all, nonzero };

// Value of a present feature: uniform in a range (of one number: that number), or standard normal.
enum class ValueLaw : std::int32_t { uniform, normal };
// Which features are present together: each on its own; a block of neighbours as a whole; at most one of a block; or
// exactly so many of all, every subset equally likely.
enum class PresenceLaw : std::int32_t { independent, correlated, anticorrelated, active };
// What is to be reconstructed from x, feature by feature: x, |x|, or max(x, 0).
enum class Target : std::int32_t { identity, absolute, relu };
// Which models see the same inputs: none; the restarts of a cell, which then differ in their initial parameters alone; or
// the cells of a grid, restart by restart, which then start at the same random numbers too.
enum class SharedData : std::int32_t { none, restarts, cells };

}  // namespace phasegrid
