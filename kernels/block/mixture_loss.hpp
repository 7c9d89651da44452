// The losses of a batch of a mixture in the block mapping: reconstruction, scale * sum of I_f (x'_f - target_f)^2, and
// training, that and alpha E sum_e f_e mean(P_e).
#pragma once

#include "tile_inputs.hpp"
#include "mixture_experts.hpp"
#include "mixture_router.hpp"
#include "totals.hpp"
#include "common/job.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// What the load balance asks of a batch: nothing, the probabilities of all samples, or of those whose input is not all
// zero.
enum class Balance { none, all, nonzero };
PG_INLINE Balance balance_of(const CellSettings& cell) {
  if (cell.load_balance == 0.0f) return Balance::none;
  return cell.balance_over == BalanceOver::all ? Balance::all : Balance::nonzero;
}

// nonzero[i] of the tile's samples, and probability[e][i] of the others becomes 0.
PG_STAGE void leave_out_zero_inputs(BlockStorage s, int samples, BlockTeam team) {
  const int registers = registers_of(s.l.n);
  PG_NO_UNROLL
  for (int sample = team.worker(); sample < samples; sample += team.workers()) {
    bool found = false;
    PG_NO_UNROLL
    for (int r = 0; r < registers; ++r) {
      const Floats x = load(s.x(sample) + column_of(r));
      found = mask_bits(greater(Floats(0.0f), minus_magnitude(x))) != 0 || found;
    }
    if (Team::rank() == 0) s.nonzero()[sample] = found ? 1.0f : 0.0f;
  }
  team.barrier();
  PG_NO_UNROLL
  for (int first = team.thread() * kWidth; first < s.l.tile; first += team.threads() * kWidth) {
    const Mask counted = both(lanes_below(first, samples), greater(load(s.nonzero() + first), Floats(0.0f)));
    PG_NO_UNROLL
    for (int e = 0; e < s.l.E; ++e) store(s.probability(e) + first, keep(counted, load(s.probability(e) + first)));
  }
  team.barrier();
}

// body(samples): every tile of the batch, drawn and routed; `samples` of it belong to the batch.
template <class Body>
PG_INLINE void for_each_tile(const BlockStorage& s, const Batch& batch, Balance balance, BlockTeam team, Body&& body) {
  for_each_tile_of(s, batch, team, [&](int first, int samples) PG_INLINE_LAMBDA {
    draw_rows(s, batch, first / kLanes, (samples + kLanes - 1) / kLanes, team);
    route_tile(s, samples, balance != Balance::none, team);
    if (balance == Balance::nonzero) leave_out_zero_inputs(s, samples, team);
    body(samples);
  });
}

// Adds the samples sent to each expert to its total; with Balance::nonzero, those whose input is not all zero.
PG_INLINE void add_counts(const BlockStorage& s, Balance balance, BlockTeam team) {
  if (balance != Balance::nonzero) {
    for (int e = team.thread(); e < s.l.E; e += team.threads()) {
      s.total(1 + s.l.E + e)[0] = s.total(1 + s.l.E + e)[0] + static_cast<float>(s.counts()[e]);
    }
    return;
  }
  PG_NO_UNROLL
  for (int e = team.thread(); e < s.l.E; e += team.threads()) {
    float sum = s.total(1 + s.l.E + e)[0];
    PG_NO_UNROLL
    for (int p = s.first()[e]; p < s.first()[e + 1]; ++p) sum = sum + s.nonzero()[s.sample()[p]];
    s.total(1 + s.l.E + e)[0] = sum;
  }
}

// 1 / the samples that the load balance's means are over, once all were counted; 0 where there is none. Every one of
// them was sent to k experts.
PG_INLINE float balance_share(const BlockStorage& s, Balance balance, const Batch& batch) {
  if (balance != Balance::nonzero) return 1.0f / static_cast<float>(batch.samples);
  float sent = 0.0f;
  PG_NO_UNROLL
  for (int e = 0; e < s.l.E; ++e) sent = sent + s.total(1 + s.l.E + e)[0];
  return sent > 0.0f ? static_cast<float>(s.l.k) / sent : 0.0f;
}

// sample_loss[i] = sum of I_f error_f^2 (or another power), four times four samples at once.
template <class Output>
PG_STAGE void sum_errors(BlockStorage s, Output output, int samples, BlockTeam team) {
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
        return fma(output.raised(load(s.importance() + column) * e, e), e, sum);
      });
    }
    team.sum_sixteen(sums, 4, [&](int i) PG_INLINE_LAMBDA { return s.sample_loss() + first + 4 * i; });
  }
  team.barrier();
}

template <class Output>
PG_STAGE Losses mixture_loss(BlockStorage s, Activation hidden, Output output, const CellSettings& cell,
                             const Batch& batch, float scale, BlockTeam team) {
  const Balance balance = balance_of(cell);
  clear_totals(s, team);
  for_each_tile(s, batch, balance, team, [&](int samples) PG_INLINE_LAMBDA {
    hidden_units(s, hidden, team);
    if (s.l.k == 1) {  // row(sample) becomes the error
      outputs(
          s, team, [=](int, int sample) PG_INLINE_LAMBDA { return s.row(sample); },
          [=](float* error, const float* x, int, Floats z)
              PG_INLINE_LAMBDA { store(error, output.value(z) - output.target(load(x))); });
    } else {
      combine_outputs(s, output, samples, team, [](Floats error, int) PG_INLINE_LAMBDA { return error; });
    }
    sum_errors(s, output, samples, team);
    add_counts(s, balance, team);
    if (team.worker() == 0) add_to_lanes(s.sample_loss(), samples, s.total(0), team);
    if (balance != Balance::none) {
      for (int e = team.worker(); e < s.l.E; e += team.workers()) {
        add_to_lanes(s.probability(e), samples, s.total(1 + e), team);
      }
    }
    team.barrier();  // the next tile overwrites what was added
  });
  float mixed = 0.0f;
  if (balance != Balance::none) {
    const float share = balance_share(s, balance, batch);
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
