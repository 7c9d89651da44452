// The gradient of a batch of a mixture in the block mapping, tile by tile. With g = dL/dz of an entry (z its output
// before the ReLU)
//   dL/dW = sum of x (D^T g)^T,   dL/dD = sum of g h^T,   dL/db = sum of g,   dL/dG_e = sum of (dL/ds_e) x,
// the first two together where weights are tied,
// each sum over the batch in the order of its samples, whatever the tile and the number of threads.
#pragma once

#include "mixture_loss.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// k = 1: the gate is exactly 1, so row(entry) becomes g = 2 scale I (x' - target) times the output's slope.
template <class Output>
PG_INLINE void output_slopes_top1(const BlockStorage& s, Output output, float scale, BlockTeam team) {
  const Floats factor = output.power() * scale;
  outputs(
      s, team, [=](int p, int) PG_INLINE_LAMBDA { return s.row(p); },
      [=](float* slope, const float* x, int column, Floats z) PG_INLINE_LAMBDA {
        const Floats weight = factor * load(s.importance() + column);
        const Floats error = output.value_if_active(z) - output.target(load(x));
        store(slope, output.back(AllLanes{}, z, output.raised(weight * error, error)));
      });
}

// k > 1: dL/dx' = 2 scale I (x' - target) of the tile's samples, in place of their errors. row(entry) holds z and becomes
// g = gate dL/dx' times the slope at z; entry_slope becomes dL/dgate = y . dL/dx'.
template <class Output>
PG_STAGE void output_slopes_top_k(BlockStorage s, Output output, int samples, float scale, BlockTeam team) {
  const int registers = registers_of(s.l.n), entries = s.first()[s.l.E];
  const Floats factor = output.power() * scale;
  combine_outputs(s, output, samples, team, [=](Floats error, int column) PG_INLINE_LAMBDA {
    return output.raised(factor * load(s.importance() + column) * error, error);
  });
  PG_NO_UNROLL
  for (int first = team.worker() * 16; first < entries; first += team.workers() * 16) {
    Floats sums[16];
    PG_UNROLL
    for (int i = 0; i < 16; ++i) sums[i] = 0.0f;
    PG_UNROLL
    for (int i = 0; i < 16; ++i) {
      const int p = first + i;
      if (p < entries) {
        const float* error = s.error(s.sample()[p]);
        const Floats gate = s.entry_gate()[p];
        sums[i] = sum_along_row(registers, [&](int column, Floats sum) PG_INLINE_LAMBDA {
          const Floats slope = load(error + column), z = load(s.row(p) + column);
          store(s.row(p) + column, output.back(AllLanes{}, z, gate * slope));
          return fma(slope, output.value(z), sum);
        });
      }
    }
    team.sum_sixteen(sums, 4, [&](int i) PG_INLINE_LAMBDA { return s.entry_slope() + first + 4 * i; });
  }
  team.barrier();
}

// entry_slope becomes dL/ds of the entry's expert: the gates are a softmax over the active experts, so
// dL/ds_e = gate_e (dL/dgate_e - sum over active a of gate_a dL/dgate_a). With a load balance it is added to that part
// of dL/ds instead (balance_tile): one sum over the samples, so that its order does not depend on the tile.
PG_STAGE void score_slopes(BlockStorage s, int samples, bool balance, BlockTeam team) {
  PG_NO_UNROLL
  for (int sample = team.thread(); sample < samples; sample += team.threads()) {
    const int32_t* slots = s.slots(sample);
    float mean = 0.0f;
    PG_NO_UNROLL
    for (int i = 0; i < s.l.k; ++i) mean = fma(s.entry_gate()[slots[i]], s.entry_slope()[slots[i]], mean);
    int e = 0;
    PG_NO_UNROLL
    for (int i = 0; i < s.l.k; ++i) {
      const int p = slots[i];
      const float slope = s.entry_gate()[p] * (s.entry_slope()[p] - mean);
      if (balance) {
        while (p >= s.first()[e + 1]) ++e;
        s.probability(e)[sample] = s.probability(e)[sample] + slope;
      } else {
        s.entry_slope()[p] = slope;
      }
    }
  }
  team.barrier();
}

// Adds an expert's entries to rows of its gradient, four hidden units by a block of registers at a time. Rows of
// W take dL/dh x, rows of D take h g, and where weights are tied W takes both.
enum class Side { encoder, decoder, tied };

template <Side kSide, int kUnits, int kCount>
PG_INLINE void add_outer_products(const BlockStorage& s, int e, int unit, int r) {
  const int row = kSide == Side::decoder ? s.l.decoder_row(unit) : s.l.encoder_row(unit);
  Floats sums[kUnits][kCount];
  PG_UNROLL
  for (int j = 0; j < kUnits; ++j) {
    PG_UNROLL
    for (int c = 0; c < kCount; ++c) sums[j][c] = load(s.gradient_row(e, row + j) + column_of(r + c));
  }
  const int end = s.first()[e + 1];
  PG_NO_UNROLL
  for (int p = s.first()[e]; p < end; ++p) {
    const float *x = s.x(s.sample()[p]), *g = s.row(p), *h = s.hidden(p) + unit, *slope = s.hidden_slope(p) + unit;
    Floats input[kCount], output[kCount];
    PG_UNROLL
    for (int c = 0; c < kCount; ++c) {
      if constexpr (kSide != Side::decoder) input[c] = load(x + column_of(r + c));
      if constexpr (kSide != Side::encoder) output[c] = load(g + column_of(r + c));
    }
    const Numbers<kUnits> unit_values(h), unit_slopes(slope);  // (of which a side may need one)
    PG_UNROLL
    for (int j = 0; j < kUnits; ++j) {
      const Floats unit_value = unit_values[j], unit_slope = unit_slopes[j];
      PG_UNROLL
      for (int c = 0; c < kCount; ++c) {
        if constexpr (kSide != Side::encoder) sums[j][c] = fma(unit_value, output[c], sums[j][c]);
        if constexpr (kSide != Side::decoder) sums[j][c] = fma(unit_slope, input[c], sums[j][c]);
      }
    }
  }
  PG_UNROLL
  for (int j = 0; j < kUnits; ++j) {
    PG_UNROLL
    for (int c = 0; c < kCount; ++c) store(s.gradient_row(e, row + j) + column_of(r + c), sums[j][c]);
  }
}

// Adds an expert's entries to dL/db, and where the router learns from them alone, to dL/dG. A model without biases keeps
// theirs at 0.
template <int kCount>
PG_INLINE void add_bias_and_router(const BlockStorage& s, int e, int r, bool has_bias, bool learns) {
  Floats bias[kCount], router[kCount];
  PG_UNROLL
  for (int c = 0; c < kCount; ++c) {
    bias[c] = load(s.gradient_row(e, s.l.bias_row()) + column_of(r + c));
    router[c] = load(s.gradient_row(e, s.l.router_row()) + column_of(r + c));
  }
  const int end = s.first()[e + 1];
  PG_NO_UNROLL
  for (int p = s.first()[e]; p < end; ++p) {
    const Floats slope = learns ? s.entry_slope()[p] : 0.0f;
    PG_UNROLL
    for (int c = 0; c < kCount; ++c) {
      bias[c] = bias[c] + load(s.row(p) + column_of(r + c));
      if (learns) router[c] = fma(slope, load(s.x(s.sample()[p]) + column_of(r + c)), router[c]);
    }
  }
  PG_UNROLL
  for (int c = 0; c < kCount; ++c) {
    if (has_bias) store(s.gradient_row(e, s.l.bias_row()) + column_of(r + c), bias[c]);
    store(s.gradient_row(e, s.l.router_row()) + column_of(r + c), router[c]);
  }
}

PG_STAGE void add_expert_gradients(BlockStorage s, bool has_bias, bool balance, BlockTeam team) {
  const int registers = registers_of(s.l.n), m = s.l.m;
  const bool learns = s.l.k > 1 && !balance;
  int task = 0;
  auto mine = [&] { return task++ % team.workers() == team.worker(); };
  PG_NO_UNROLL
  for (int e = 0; e < s.l.E; ++e) {
    if (s.counts()[e] == 0) continue;
    for_each_block<kBlockRegisters>(registers, [&](int r, auto count) PG_INLINE_LAMBDA {
      constexpr int kCount = decltype(count)::value;
      for_each_block<4>(m, [&](int unit, auto units) PG_INLINE_LAMBDA {
        constexpr int kUnits = decltype(units)::value;
        if (!mine()) return;
        if (s.l.tied()) return add_outer_products<Side::tied, kUnits, kCount>(s, e, unit, r);
        add_outer_products<Side::encoder, kUnits, kCount>(s, e, unit, r);
        add_outer_products<Side::decoder, kUnits, kCount>(s, e, unit, r);
      });
      if (mine()) add_bias_and_router<kCount>(s, e, r, has_bias, learns);
    });
  }
  team.barrier();
}

// ---------------------------------------------------------------- load balance

// balance[e] = alpha E f_e / batch, what the load balance adds to dL/dP_e of every sample (f_e, the share of the batch
// dispatched to e, has no gradient). f_e is needed first, so a pass over the same batch counts.
PG_INLINE void balance_slopes(const BlockStorage& s, const CellSettings& cell, Balance balance, const Batch& batch,
                              BlockTeam team) {
  clear_totals(s, team);
  const Balance counted = balance == Balance::nonzero ? balance : Balance::none;  // (all: no probability is asked for)
  for_each_tile(s, batch, counted, team, [&](int) PG_INLINE_LAMBDA {
    add_counts(s, counted, team);
    team.barrier();  // the next tile counts anew
  });
  const float share = balance_share(s, balance, batch);
  for (int e = team.thread(); e < s.l.E; e += team.threads()) {
    s.balance()[e] = cell.load_balance * static_cast<float>(s.l.E) * share * (s.total(1 + s.l.E + e)[0] * share);
  }
  team.barrier();
}

// The load balance's part of dL/ds_e, P_e (balance_e - sum_j P_j balance_j), in place of P_e.
PG_STAGE void balance_tile(BlockStorage s, BlockTeam team) {
  PG_NO_UNROLL
  for (int first = team.thread() * kWidth; first < s.l.tile; first += team.threads() * kWidth) {
    Floats mean = 0.0f;
    PG_NO_UNROLL
    for (int e = 0; e < s.l.E; ++e) mean = fma(load(s.probability(e) + first), Floats(s.balance()[e]), mean);
    PG_NO_UNROLL
    for (int e = 0; e < s.l.E; ++e) {
      const Floats probability = load(s.probability(e) + first);
      store(s.probability(e) + first, probability * (Floats(s.balance()[e]) - mean));
    }
  }
  team.barrier();
}

// Adds dL/ds_e x of every sample to dL/dG_e.
PG_STAGE void add_router_gradients(BlockStorage s, int samples, BlockTeam team) {
  const int E = s.l.E, registers = registers_of(s.l.n);
  int task = 0;
  PG_NO_UNROLL
  for (int e = 0; e < E; ++e) {
    for_each_block<kBlockRegisters>(registers, [&](int r, auto count) PG_INLINE_LAMBDA {
      constexpr int kCount = decltype(count)::value;
      if (task++ % team.workers() != team.worker()) return;
      Floats sums[kCount];
      PG_UNROLL
      for (int c = 0; c < kCount; ++c) sums[c] = load(s.gradient_row(e, s.l.router_row()) + column_of(r + c));
      PG_NO_UNROLL
      for (int sample = 0; sample < samples; ++sample) {
        const Floats slope = s.probability(e)[sample];
        PG_UNROLL
        for (int c = 0; c < kCount; ++c) sums[c] = fma(slope, load(s.x(sample) + column_of(r + c)), sums[c]);
      }
      PG_UNROLL
      for (int c = 0; c < kCount; ++c) store(s.gradient_row(e, s.l.router_row()) + column_of(r + c), sums[c]);
    });
  }
  team.barrier();
}

// ---------------------------------------------------------------- a step

template <class Output>
PG_STAGE void mixture_gradient(BlockStorage s, const Shape& shape, Output output, const CellSettings& cell,
                               const Batch& batch, BlockTeam team) {
  const Balance over = balance_of(cell);
  const bool balance = over != Balance::none;
  if (balance) balance_slopes(s, cell, over, batch, team);
  clear_gradient(s, team);
  for_each_tile(s, batch, over, team, [&](int samples) PG_INLINE_LAMBDA {
    if (balance) balance_tile(s, team);
    hidden_units(s, shape.hidden, team);
    if (s.l.k == 1) {
      output_slopes_top1(s, output, cell.loss_scale, team);
    } else {
      output_slopes_top_k(s, output, samples, cell.loss_scale, team);
      score_slopes(s, samples, balance, team);
    }
    through_weights(
        s, s.l.decoder_row(0), team, [=](int p) PG_INLINE_LAMBDA { return s.row(p); },
        [=](int p) PG_INLINE_LAMBDA { return s.hidden_slope(p); });
    if (shape.hidden == Activation::relu) close_units(s, s.hidden(0), s.hidden_slope(0), team);
    add_expert_gradients(s, shape.bias, balance, team);
    if (balance) add_router_gradients(s, samples, team);
  });
}

}  // namespace phasegrid::PHASEGRID_MACHINE
