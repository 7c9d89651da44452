// The losses of a batch of a mixture in the block mapping: reconstruction, scale * sum of I_f (x'_f - x_f)^2, and
// training, that and alpha E sum_e f_e mean(P_e).
#pragma once

#include "tile_inputs.hpp"
#include "mixture_experts.hpp"
#include "mixture_router.hpp"
#include "totals.hpp"
#include "common/job.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// body(samples): every tile of the batch, drawn and routed; `samples` of it belong to the batch.
template <class Body>
PG_INLINE void for_each_tile(const BlockStorage& s, const Batch& batch, bool balance, BlockTeam team, Body&& body) {
  for_each_tile_of(s, batch, team, [&](int first, int samples) PG_INLINE_LAMBDA {
    draw_rows(s, batch, first / kLanes, (samples + kLanes - 1) / kLanes, team);
    route_tile(s, samples, balance, team);
    body(samples);
  });
}

PG_INLINE void add_counts(const BlockStorage& s, BlockTeam team) {
  for (int e = team.thread(); e < s.l.E; e += team.threads()) {
    s.total(1 + s.l.E + e)[0] = s.total(1 + s.l.E + e)[0] + static_cast<float>(s.counts()[e]);
  }
}

// sample_loss[i] = sum of I_f error_f^2, four times four samples at once.
PG_STAGE void sum_errors(BlockStorage s, int samples, BlockTeam team) {
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

template <class Output>
PG_STAGE Losses mixture_loss(BlockStorage s, const CellSettings& cell, const Batch& batch, float scale,
                             BlockTeam team) {
  const bool balance = cell.load_balance != 0.0f;
  clear_totals(s, team);
  for_each_tile(s, batch, balance, team, [&](int samples) PG_INLINE_LAMBDA {
    hidden_units(s, team);
    if (s.l.k == 1) {  // row(sample) becomes the error
      outputs(
          s, team, [=](int, int sample) PG_INLINE_LAMBDA { return s.row(sample); },
          [](float* error, const float* x, int, Floats z)
              PG_INLINE_LAMBDA { store(error, Output::value(z) - load(x)); });
    } else {
      combine_outputs<Output>(s, samples, team, [](Floats error, int) PG_INLINE_LAMBDA { return error; });
    }
    sum_errors(s, samples, team);
    add_counts(s, team);
    if (team.worker() == 0) add_to_lanes(s.sample_loss(), samples, s.total(0), team);
    if (balance) {
      for (int e = team.worker(); e < s.l.E; e += team.workers()) {
        add_to_lanes(s.probability(e), samples, s.total(1 + e), team);
      }
    }
    team.barrier();  // the next tile overwrites what was added
  });
  float mixed = 0.0f;
  if (balance) {
    const float share = 1.0f / static_cast<float>(batch.samples);
    PG_NO_UNROLL
    for (int e = 0; e < s.l.E; ++e) {
      mixed = fma(s.total(1 + s.l.E + e)[0] * share, sum_of_lanes(s.total(1 + e)) * share, mixed);
    }
  }
  const float reconstruction = sum_of_lanes(s.total(0)) * scale;
  team.barrier();  // all threads have read the totals before they are used again
  return {fma(cell.load_balance * static_cast<float>(s.l.E), mixed, reconstruction), reconstruction};
}

}  // namespace phasegrid::PHASEGRID_MACHINE
