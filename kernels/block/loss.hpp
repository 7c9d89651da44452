// The loss of a batch in the block mapping: scale * sum of I_f (x'_f - x_f)^2 + alpha E sum_e f_e mean(P_e).
#pragma once

#include "block/data.hpp"
#include "block/experts.hpp"
#include "block/router.hpp"
#include "job.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// body(samples): every tile of the batch, drawn and routed; `samples` of it belong to the batch.
template <class Body>
PG_INLINE void for_each_tile(const BlockStorage& s, const Batch& batch, bool balance, BlockTeam team, Body&& body) {
  PG_NO_UNROLL
  for (int first = 0; first < batch.samples; first += s.l.tile) {
    const int samples = smaller(s.l.tile, batch.samples - first);
    draw_tile(s, batch, first / kLanes, (samples + kLanes - 1) / kLanes, team);
    route_tile(s, samples, balance, team);
    body(samples);
  }
}

// Lanes of totals: 0 the loss, 1 + e the probabilities of expert e; 1 + E + e (lane 0) how many samples were routed to
// it.
PG_INLINE void clear_totals(const BlockStorage& s, BlockTeam team) {
  for (int i = team.thread(); i < (1 + 2 * s.l.E) * kLanes; i += team.threads()) s.total(0)[i] = 0.0f;
  team.barrier();
}

PG_INLINE void add_counts(const BlockStorage& s, BlockTeam team) {
  for (int e = team.thread(); e < s.l.E; e += team.threads()) {
    s.total(1 + s.l.E + e)[0] = s.total(1 + s.l.E + e)[0] + static_cast<float>(s.counts()[e]);
  }
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

// sample_loss[i] = sum of I_f error_f^2, four times four samples at once.
PG_STAGE void sum_errors(const BlockStorage& s, int samples, BlockTeam team) {
  const int registers = registers_of(s.l.n);
  PG_NO_UNROLL
  for (int first = team.worker() * 16; first < samples; first += team.workers() * 16) {
    Floats sums[16];
    PG_UNROLL
    for (int i = 0; i < 16; ++i) {
      const int sample = smaller(first + i, samples - 1);
      const float* error = s.l.k == 1 ? s.row(sample) : s.error(sample);
      sums[i] = sum_along_row(registers, [&](int column, Floats sum) PG_INLINE_LAMBDA {
        const Floats e = load(error + column);
        return fma(load(s.importance() + column) * e, e, sum);
      });
    }
    team.sum_sixteen(sums, 4, [&](int i) PG_INLINE_LAMBDA { return s.sample_loss() + first + 4 * i; });
  }
  team.barrier();
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

PG_STAGE float block_loss(const BlockStorage& s, const CellSettings& cell, const Batch& batch, float scale,
                          BlockTeam team) {
  const bool balance = cell.load_balance != 0.0f;
  clear_totals(s, team);
  for_each_tile(s, batch, balance, team, [&](int samples) PG_INLINE_LAMBDA {
    hidden_units(s, team);
    if (s.l.k == 1) {  // row(sample) becomes the error
      outputs(
          s, team, [&](int, int sample) PG_INLINE_LAMBDA { return s.row(sample); },
          [](float* error, const float* x, int, Floats z) PG_INLINE_LAMBDA {
            store(error, keep(is_open(z), z) - load(x));
          });
    } else {
      combine_outputs(s, samples, team, [](Floats error, int) PG_INLINE_LAMBDA { return error; });
    }
    sum_errors(s, samples, team);
    add_counts(s, team);
    if (team.worker() == 0) add_to_lanes(s.sample_loss(), samples, s.total(0), team);
    if (balance && s.l.E > 1) {
      for (int e = team.worker(); e < s.l.E; e += team.workers()) {
        add_to_lanes(s.probability(e), samples, s.total(1 + e), team);
      }
    }
    team.barrier();  // the next tile overwrites what was added
  });
  float mixed = s.l.E == 1 ? 1.0f : 0.0f;
  if (balance && s.l.E > 1) {
    const float share = 1.0f / static_cast<float>(batch.samples);
    PG_NO_UNROLL
    for (int e = 0; e < s.l.E; ++e) {
      mixed = fma(s.total(1 + s.l.E + e)[0] * share, sum_of_lanes(s.total(1 + e)) * share, mixed);
    }
  }
  const float loss = fma(cell.load_balance * static_cast<float>(s.l.E), mixed, sum_of_lanes(s.total(0)) * scale);
  team.barrier();  // all threads have read the totals before they are used again
  return loss;
}

}  // namespace phasegrid::PHASEGRID_MACHINE
