// The experts of the block mapping, forward: hidden h = W^T x of every entry, outputs z = D h + b, and the errors
// x' - target of a tile. Entries of one expert go four at a time, so that a weight read is used four times; past an expert's
// last entry a four repeats it.
#pragma once

#include "mixture_router.hpp"
#include "rows.hpp"
#include "storage.hpp"
#include "common/activation.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// body(e, first, last): fours of entries of one expert, shared out to the workers; last is the expert's last entry. Four
// after four goes to worker after worker, over all experts.
template <class Body>
PG_INLINE void for_each_four(const BlockStorage& s, BlockTeam team, Body&& body) {
  const int workers = team.workers();
  int mine = team.worker();  // fours from the expert's first on to this worker's next one
  PG_NO_UNROLL
  for (int e = 0; e < s.l.E; ++e) {
    const int begin = s.first()[e], end = s.first()[e + 1];
    const int fours = (end - begin + 3) / 4;
    PG_NO_UNROLL
    for (; mine < fours; mine += workers) body(e, begin + 4 * mine, end - 1);
    mine -= fours;
  }
}

// out(entry)[j] = rows(entry) . W_j for the m columns W_j of the entry's expert, from row first_row on of its parameters:
// h = W^T x, and dL/dh = D^T g.
template <class Rows, class Out>
PG_STAGE void through_weights(BlockStorage s, int first_row, BlockTeam team, Rows rows, Out out) {
  const int registers = registers_of(s.l.n);
  for_each_four(s, team, [&](int e, int first, int last) PG_INLINE_LAMBDA {
    FourRows a[1], w[1];
    PG_UNROLL
    for (int i = 0; i < 4; ++i) a[0].row[i] = rows(smaller(first + i, last));
    PG_NO_UNROLL
    for (int j = 0; j < s.l.m; j += 4) {
      PG_UNROLL
      for (int i = 0; i < 4; ++i) w[0].row[i] = s.parameter_row(e, first_row + smaller(j + i, s.l.m - 1));
      Floats sums[16];
      dot_four_by_four(a, w, s.l.m - j, registers, sums);
      team.sum_sixteen(sums, last - first + 1, [&](int i) PG_INLINE_LAMBDA { return out(first + i) + j; });
    }
  });
  team.barrier();
}

// Of hidden units with a ReLU: keeps what is `to` where `open`, which may be the same, is above 0 (or NaN); both are
// hidden(0) or hidden_slope(0), of all entries of the tile.
PG_STAGE void close_units(BlockStorage s, const float* open, float* to, BlockTeam team) {
  const int count = s.first()[s.l.E] * s.l.m_padded;
  PG_NO_UNROLL
  for (int i = team.thread() * kWidth; i < count; i += team.threads() * kWidth) {
    store(to + i, PlainOutput::back(AllLanes{}, load(open + i), load(to + i)));
  }
  team.barrier();
}

PG_STAGE void hidden_units(BlockStorage s, Activation hidden, BlockTeam team) {
  through_weights(
      s, s.l.encoder_row(0), team, [=](int p) PG_INLINE_LAMBDA { return s.x(s.sample()[p]); },
      [=](int p) PG_INLINE_LAMBDA { return s.hidden(p); });
  if (hidden == Activation::relu) close_units(s, s.hidden(0), s.hidden(0), team);
}

// finish(to, x, column, z) for z = D h + b of every entry and register of columns; to and x are at that column of row
// to(entry, sample) and of the sample's input.
template <class To, class Finish>
PG_STAGE void outputs(BlockStorage s, BlockTeam team, To to, Finish finish) {
  const int registers = registers_of(s.l.n), m = s.l.m;
  for_each_four(s, team, [&](int e, int first, int last) PG_INLINE_LAMBDA {
    const float *h[4], *x[4];
    float* row[4];
    PG_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int p = smaller(first + i, last), sample = s.sample()[p];
      h[i] = s.hidden(p);
      x[i] = s.x(sample);
      row[i] = to(p, sample);
    }
    for_each_block<kBlockRegisters>(registers, [&](int r, auto count) PG_INLINE_LAMBDA {
      constexpr int kCount = decltype(count)::value;
      Floats z[4][kCount];
      PG_UNROLL
      for (int c = 0; c < kCount; ++c) {
        const Floats bias = load(s.parameter_row(e, s.l.bias_row()) + column_of(r + c));
        PG_UNROLL
        for (int i = 0; i < 4; ++i) z[i][c] = bias;
      }
      const float* w = s.parameter_row(e, s.l.decoder_row(0));
      PG_NO_UNROLL
      for (int first_unit = 0; first_unit < m; first_unit += kSideBySide) {
        using Units = Numbers<kSideBySide>;  // an entry has whole fours of hidden units
        const Units units[4] = {Units(h[0] + first_unit), Units(h[1] + first_unit), Units(h[2] + first_unit),
                                Units(h[3] + first_unit)};
        PG_UNROLL
        for (int j = 0; j < kSideBySide; ++j, w += s.l.n_padded) {
          if (kSideBySide > 1 && first_unit + j >= m) break;
          Floats unit[4];
          PG_UNROLL
          for (int i = 0; i < 4; ++i) unit[i] = units[i][j];
          PG_UNROLL
          for (int c = 0; c < kCount; ++c) {
            const Floats weight = load(w + column_of(r + c));
            PG_UNROLL
            for (int i = 0; i < 4; ++i) z[i][c] = fma(weight, unit[i], z[i][c]);
          }
        }
      }
      PG_UNROLL
      for (int i = 0; i < 4; ++i) {
        PG_UNROLL
        for (int c = 0; c < kCount; ++c) {
          const int column = column_of(r + c);
          finish(row[i] + column, x[i] + column, column, z[i][c]);
        }
      }
    });
  });
  team.barrier();
}

// k > 1: row(entry) becomes z, and error(sample) = weigh(sum of gate y over its entries, less the target, column).
template <class Output, class Weigh>
PG_STAGE void combine_outputs(BlockStorage s, Output output, int samples, BlockTeam team, Weigh weigh) {
  outputs(
      s, team, [=](int p, int) PG_INLINE_LAMBDA { return s.row(p); },
      [](float* row, const float*, int, Floats z) PG_INLINE_LAMBDA { store(row, z); });
  const int registers = registers_of(s.l.n), k = s.l.k;
  PG_NO_UNROLL
  for (int sample = team.worker(); sample < samples; sample += team.workers()) {
    const int32_t* slots = s.slots(sample);
    for_each_block<kBlockRegisters>(registers, [&](int r, auto count) PG_INLINE_LAMBDA {
      constexpr int kCount = decltype(count)::value;
      Floats error[kCount];
      PG_UNROLL
      for (int c = 0; c < kCount; ++c) {
        error[c] = Floats(0.0f) - output.target(load(s.x(sample) + column_of(r + c)));
      }
      PG_NO_UNROLL
      for (int slot = 0; slot < k; ++slot) {
        const int p = slots[slot];
        const Floats gate = s.entry_gate()[p];
        PG_UNROLL
        for (int c = 0; c < kCount; ++c) {
          error[c] = fma(gate, output.value(load(s.row(p) + column_of(r + c))), error[c]);
        }
      }
      PG_UNROLL
      for (int c = 0; c < kCount; ++c) store(s.error(sample) + column_of(r + c), weigh(error[c], column_of(r + c)));
    });
  }
  team.barrier();
}

}  // namespace phasegrid::PHASEGRID_MACHINE
