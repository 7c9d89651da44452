// What is summed over a batch's tiles: the gradient, and lanes of totals. Lanes: 0 the loss, 1 + e the probabilities of
// expert e; 1 + E + e (lane 0) how many samples were routed to it.
#pragma once

#include "storage.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

PG_INLINE void clear_gradient(const BlockStorage& s, BlockTeam team) {
  for (int i = team.thread(); i < s.l.parameter_floats; i += team.threads()) s.gradient_row(0, 0)[i] = 0.0f;
}

PG_INLINE void clear_totals(const BlockStorage& s, BlockTeam team) {
  for (int i = team.thread(); i < (1 + 2 * s.l.E) * kLanes; i += team.threads()) s.total(0)[i] = 0.0f;
  team.barrier();
}

// Adds numbers [samples] of a tile to 32 lanes; sample i belongs to lane i % 32.
PG_INLINE void add_to_lanes(const float* numbers, int samples, float* lanes, BlockTeam team) {
  team.for_each_group([&](int lane) PG_INLINE_LAMBDA {
    Floats sum = load(lanes + lane);
    PG_NO_UNROLL
    for (int row = 0; row < samples; row += kLanes) {
      sum = sum + keep(lanes_below(row + lane, samples), load(numbers + row + lane));
    }
    store(lanes + lane, sum);
  });
}

// The sum of lanes [32] in the order of Team::reduce: lane l of kWide lanes is l and l + kWide of twice as many.
template <int kWide = 1>
PG_INLINE float sum_of_lanes(const float* lanes) {
  if constexpr (kWide == kLanes) {
    return *lanes;
  } else {
    return sum_of_lanes<2 * kWide>(lanes) + sum_of_lanes<2 * kWide>(lanes + kWide);
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
