// A dense model (one expert, which takes every sample) in the block mapping. Its tile lies by columns: the lanes are
// samples, so that h = W^T x, z = D h + b and dL/dh = D^T g, with g = dL/dz, are plain chains of fma, and only dL/dW,
// dL/dD and dL/db sum over lanes, once a tile. (Where weights are tied D is W, and their gradients are summed together.)
#pragma once

#include "tile_inputs.hpp"
#include "rows.hpp"
#include "storage.hpp"
#include "totals.hpp"
#include "common/job.hpp"
#include "common/activation.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Weights of a product, for row r and term d. Either the terms of a row lie side by side, or the rows of a term; in fours
// of them, aligned, also behind the last, where they count for nothing. four_terms: body(t, weight(i)) for the terms
// d + t, t < 4, and weights weight(i) of rows row + i.
struct WeightsByRow {
  const float* first;
  int stride, rows;
  PG_INLINE float operator()(int row, int d) const { return first[row * stride + d]; }
  template <int kRows, class Body>
  PG_INLINE void four_terms(int row, int d, Body&& body) const {
    Numbers<4> weights[kRows];
    PG_UNROLL
    for (int i = 0; i < kRows; ++i) weights[i] = Numbers<4>(first + smaller(row + i, rows - 1) * stride + d);
    PG_UNROLL
    for (int t = 0; t < 4; ++t) body(t, [&](int i) PG_INLINE_LAMBDA { return weights[i][t]; });
  }
};
struct WeightsByTerm {
  const float* first;
  int stride, rows;
  PG_INLINE float operator()(int row, int d) const { return first[d * stride + row]; }
  template <int kRows, class Body>
  PG_INLINE void four_terms(int row, int d, Body&& body) const {
    PG_UNROLL
    for (int t = 0; t < 4; ++t) {
      const Numbers<kRows> weights(first + (d + t) * stride + row);
      body(t, [&](int i) PG_INLINE_LAMBDA { return weights[i]; });
    }
  }
};

// sums[i][c] += weight(i) values[column of register r + c].
template <int kRows, int kRegisters, class Weight>
PG_INLINE void add_term(const float* values, int r, Weight&& weight, Floats (&sums)[kRows][kRegisters]) {
  Floats here[kRegisters];
  PG_UNROLL
  for (int c = 0; c < kRegisters; ++c) here[c] = in_register(load(values + column_of(r + c)));
  PG_UNROLL
  for (int i = 0; i < kRows; ++i) {
    const Floats one = in_register(Floats(weight(i)));
    PG_UNROLL
    for (int c = 0; c < kRegisters; ++c) sums[i][c] = fma(one, here[c], sums[i][c]);
  }
}

// A part of a product: kRows rows from `row` on, of which those below weights.rows count, by kRegisters registers.
template <int kRows, int kRegisters, class Start, class Weights, class In, class Finish>
PG_INLINE void product_part(int row, int r, int depth, Start&& start, const Weights& weights, In&& in, Finish&& finish) {
  constexpr bool kWhole = kSideBySide == 1;  // all of the part's rows count
  const auto row_at = [&](int i) PG_INLINE_LAMBDA { return kWhole ? row + i : smaller(row + i, weights.rows - 1); };
  Floats sums[kRows][kRegisters];
  PG_UNROLL
  for (int i = 0; i < kRows; ++i) {
    const Floats first = start(row_at(i));
    PG_UNROLL
    for (int c = 0; c < kRegisters; ++c) sums[i][c] = first;
  }
  int d = 0;
  if constexpr (kSideBySide == 4) {
    PG_NO_UNROLL
    for (; d + 4 <= depth; d += 4) {
      weights.template four_terms<kRows>(
          row, d, [&](int t, auto&& weight) PG_INLINE_LAMBDA { add_term(in(d + t), r, weight, sums); });
    }
  }
  PG_NO_UNROLL
  for (; d < depth; ++d) add_term(in(d), r, [&](int i) PG_INLINE_LAMBDA { return weights(row_at(i), d); }, sums);
  PG_UNROLL
  for (int i = 0; i < kRows; ++i) {
    PG_UNROLL
    for (int c = 0; c < kRegisters; ++c) {
      if (kWhole || row + i < weights.rows) finish(row + i, column_of(r + c), sums[i][c]);
    }
  }
}

// body(row, r): all parts of kRows rows by kRegisters registers, of which there are whole ones, shared out to the workers.
template <int kRows, int kRegisters, class Body>
PG_INLINE void for_each_part(int rows, int registers, BlockTeam team, Body&& body) {
  const int across = registers / kRegisters, tasks = (rows + kRows - 1) / kRows * across;
  PG_NO_UNROLL
  for (int task = team.worker(); task < tasks; task += team.workers()) {
    body(task / across * kRows, task % across * kRegisters);
  }
}

// finish(row, column, start(row) + sum over d < depth of weight(row, d) in(d)[column]) for every row < weights.rows and
// every register of columns: in(d) are the samples' values of one feature or hidden unit.
template <class Start, class Weights, class In, class Finish>
PG_INLINE void for_each_product(Weights weights, int depth, int registers, BlockTeam team, Start&& start, In&& in,
                                Finish&& finish) {
  if constexpr (kSideBySide == 1) {
    // A CPU's one worker: as many sums as registers hold, and parts at the ends that are as small as what is left.
    constexpr int kSampleRegisters = kGroups <= 2 ? 4 : kGroups == 4 ? 2 : 1;
    for_each_block<kSampleRegisters>(registers, [&](int r, auto register_count) PG_INLINE_LAMBDA {
      for_each_block<4>(weights.rows, [&](int row, auto row_count) PG_INLINE_LAMBDA {
        product_part<decltype(row_count)::value, decltype(register_count)::value>(row, r, depth, start, weights, in,
                                                                                  finish);
      });
    });
  } else {
    // A GPU's warps: of 8 x 4 sums, where there is enough for half of the warps, 12 loads bring the operands of 32 fma;
    // of 4 x 2, 6 those of 8.
    const auto share_out = [&](auto row_count, auto register_count) PG_INLINE_LAMBDA {
      constexpr int kRows = decltype(row_count)::value, kRegisters = decltype(register_count)::value;
      for_each_part<kRows, kRegisters>(weights.rows, registers, team, [&](int row, int r) PG_INLINE_LAMBDA {
        product_part<kRows, kRegisters>(row, r, depth, start, weights, in, finish);
      });
    };
    if (registers % 4 == 0 && (weights.rows + 7) / 8 * (registers / 4) * 2 >= team.workers()) {
      share_out(Count<8>{}, Count<4>{});
    } else if (registers % 2 == 0) {
      share_out(Count<4>{}, Count<2>{});
    } else {
      share_out(Count<4>{}, Count<1>{});
    }
  }
  team.barrier();
}

// out(j) = sum over f of row first_row + j of the parameters, times in(f): h = W^T x, and dL/dh = D^T g.
template <class In, class Out>
PG_STAGE void through_dense_weights(BlockStorage s, int first_row, int registers, BlockTeam team, In in, Out out) {
  for_each_product(
      WeightsByRow{s.parameter_row(0, first_row), s.l.n_padded, s.l.m}, s.l.n, registers, team,
      [](int) PG_INLINE_LAMBDA { return 0.0f; }, in,
      [&](int j, int column, Floats sum) PG_INLINE_LAMBDA { store(out(j) + column, sum); });
}

// Of hidden units with a ReLU: keeps to(j) where open(j), which may be the same, is above 0 (or NaN).
template <class Open, class To>
PG_STAGE void close_dense_units(BlockStorage s, int registers, BlockTeam team, Open open, To to) {
  PG_NO_UNROLL
  for (int j = team.worker(); j < s.l.m; j += team.workers()) {
    PG_NO_UNROLL
    for (int r = 0; r < registers; ++r) {
      const int column = column_of(r);
      store(to(j) + column, PlainOutput::back(AllLanes{}, load(open(j) + column), load(to(j) + column)));
    }
  }
  team.barrier();
}

// finish(f, column, z) for z = D h + b.
template <class Finish>
PG_STAGE void dense_outputs(BlockStorage s, int registers, BlockTeam team, Finish finish) {
  for_each_product(
      WeightsByTerm{s.parameter_row(0, s.l.decoder_row(0)), s.l.n_padded, s.l.n}, s.l.m, registers, team,
      [&](int f) PG_INLINE_LAMBDA { return s.parameter_row(0, s.l.bias_row())[f]; },
      [&](int j) PG_INLINE_LAMBDA { return s.unit(j); }, finish);
}

// body(samples, registers): every tile of the batch, with its inputs x and hidden units h; `samples` of it belong to
// the batch, and that many registers hold them.
template <class Body>
PG_INLINE void for_each_dense_tile(const BlockStorage& s, Activation hidden, const Batch& batch, BlockTeam team,
                                   Body&& body) {
  for_each_tile_of(s, batch, team, [&](int first, int samples) PG_INLINE_LAMBDA {
    const int rows = (samples + kLanes - 1) / kLanes, registers = registers_of(rows * kLanes);
    draw_columns(s, batch, first / kLanes, rows, team);
    const auto unit = [=](int j) PG_INLINE_LAMBDA { return s.unit(j); };
    through_dense_weights(
        s, s.l.encoder_row(0), registers, team, [=](int f) PG_INLINE_LAMBDA { return s.feature(f); }, unit);
    if (hidden == Activation::relu) close_dense_units(s, registers, team, unit, unit);
    body(samples, registers);
  });
}

// ---------------------------------------------------------------- the loss

// sample_loss[i] = sum of I_f error_f^2 (or another power), the errors being in place of g.
template <class Output>
PG_STAGE void sum_dense_errors(BlockStorage s, Output output, int registers, BlockTeam team) {
  PG_NO_UNROLL
  for (int r = team.worker(); r < registers; r += team.workers()) {
    Floats sum = 0.0f;
    PG_NO_UNROLL
    for (int f = 0; f < s.l.n; ++f) {
      const Floats error = load(s.slope(f) + column_of(r));
      sum = fma(output.raised(Floats(s.importance()[f]) * error, error), error, sum);
    }
    store(s.sample_loss() + column_of(r), sum);
  }
  team.barrier();
}

// scale * sum of I_f (x'_f - target_f)^2. One expert has no load to balance.
template <class Output>
PG_STAGE float dense_loss(BlockStorage s, Activation hidden, Output output, const Batch& batch, float scale,
                          BlockTeam team) {
  clear_totals(s, team);
  for_each_dense_tile(s, hidden, batch, team, [&](int samples, int registers) PG_INLINE_LAMBDA {
    dense_outputs(s, registers, team, [=](int f, int column, Floats z) PG_INLINE_LAMBDA {
      store(s.slope(f) + column, output.value(z) - output.target(load(s.feature(f) + column)));
    });
    sum_dense_errors(s, output, registers, team);
    if (team.worker() == 0) add_to_lanes(s.sample_loss(), samples, s.total(0), team);
    team.barrier();  // the next tile overwrites what was added
  });
  const float loss = sum_of_lanes(s.total(0)) * scale;
  team.barrier();  // all threads have read the totals: what is called next may clear them
  return loss;
}

// ---------------------------------------------------------------- the gradient

// g = 2 scale I (x' - target) times the output's slope, and 0 beyond the batch.
template <class Output>
PG_INLINE void dense_slopes(const BlockStorage& s, Output output, float scale, int samples, int registers,
                            BlockTeam team) {
  const float factor = output.power() * scale;
  dense_outputs(s, registers, team, [=](int f, int column, Floats z) PG_INLINE_LAMBDA {
    const Floats weight = factor * s.importance()[f];
    const Floats error = output.value_if_active(z) - output.target(load(s.feature(f) + column));
    store(s.slope(f) + column, output.back(AllLanes{}, z, output.raised(weight * error, error)));
  });
  if (samples % kLanes == 0) return;
  for (int f = team.thread(); f < s.l.n; f += team.threads()) {
    for (int i = samples; i < round_up(samples, kLanes); ++i) s.slope(f)[i] = 0.0f;
  }
  team.barrier();
}

// Adds the products of kPairs pairs of a(f + i) and b(j + i), each a row of the tile's samples, summed over the pairs and
// the tile (in 32 lanes, then in one tree), to column f of row to(j) of the gradient. kRows: of samples in the tile, or 0
// where `registers` says it. Returns the number of tasks from `task` on.
template <int kRows, int kPairs, class A, class B>
PG_INLINE int add_dense_products(const BlockStorage& s, int first_row, int task, int registers, BlockTeam team, A&& a,
                                 B&& b) {
  const int n = s.l.n, m = s.l.m;
  PG_NO_UNROLL
  for (int f = 0; f < n; f += 4) {
    PG_NO_UNROLL
    for (int j = 0; j < m; j += 4) {  // the units' samples stay in a first-level cache
      if (task++ % team.workers() != team.worker()) continue;
      FourRows units[kPairs], features[kPairs];
      PG_UNROLL
      for (int pair = 0; pair < kPairs; ++pair) {
        PG_UNROLL
        for (int i = 0; i < 4; ++i) units[pair].row[i] = b(pair, j + i), features[pair].row[i] = a(pair, f + i);
      }
      Floats sums[16];
      dot_four_by_four<kRows>(units, features, 4, registers, sums);
      team.add_sixteen(sums, m - j,
                       [&](int i) PG_INLINE_LAMBDA { return s.gradient_row(0, first_row + j + i) + f; });
    }
  }
  return task;
}

// x (dL/dh)^T to dL/dW and g h^T to dL/dD: to the same where weights are tied.
template <int kRows>
PG_INLINE int add_weight_gradients(const BlockStorage& s, int registers, BlockTeam team) {
  const auto x = [&](int, int f) PG_INLINE_LAMBDA { return s.feature(f); };
  const auto unit_slope = [&](int, int j) PG_INLINE_LAMBDA { return s.unit_slope(j); };
  const auto g = [&](int, int f) PG_INLINE_LAMBDA { return s.slope(f); };
  const auto h = [&](int, int j) PG_INLINE_LAMBDA { return s.unit(j); };
  if (s.l.tied()) {
    return add_dense_products<kRows, 2>(
        s, s.l.encoder_row(0), 0, registers, team,
        [&](int pair, int f) PG_INLINE_LAMBDA { return pair == 0 ? x(0, f) : g(0, f); },
        [&](int pair, int j) PG_INLINE_LAMBDA { return pair == 0 ? unit_slope(0, j) : h(0, j); });
  }
  const int task = add_dense_products<kRows, 1>(s, s.l.encoder_row(0), 0, registers, team, x, unit_slope);
  return add_dense_products<kRows, 1>(s, s.l.decoder_row(0), task, registers, team, g, h);
}

// The same, and g to dL/db.
PG_STAGE void add_dense_gradients(BlockStorage s, bool bias, int registers, BlockTeam team) {
  const int n = s.l.n, columns = bias ? n : 0;
  int task = registers == registers_of(kDenseTile) ? add_weight_gradients<kDenseTile / kLanes>(s, registers, team)
                                                   : add_weight_gradients<0>(s, registers, team);
  PG_NO_UNROLL
  for (int f = 0; f < columns; f += 16) {
    if (task++ % team.workers() != team.worker()) continue;
    Floats sums[16];
    PG_UNROLL
    for (int i = 0; i < 16; ++i) {
      sums[i] = 0.0f;
      if (f + i < n) {
        sums[i] = sum_along_row(
            registers, [&](int column, Floats sum) PG_INLINE_LAMBDA { return sum + load(s.slope(f + i) + column); });
      }
    }
    team.add_sixteen(sums, 4, [&](int i) PG_INLINE_LAMBDA { return s.gradient_row(0, s.l.bias_row()) + f + 4 * i; });
  }
  team.barrier();
}

template <class Output>
PG_STAGE void dense_gradient(BlockStorage s, const Shape& shape, Output output, const CellSettings& cell,
                             const Batch& batch, BlockTeam team) {
  clear_gradient(s, team);
  for_each_dense_tile(s, shape.hidden, batch, team, [&](int samples, int registers) PG_INLINE_LAMBDA {
    dense_slopes(s, output, cell.loss_scale, samples, registers, team);
    const auto unit_slope = [=](int j) PG_INLINE_LAMBDA { return s.unit_slope(j); };
    through_dense_weights(
        s, s.l.decoder_row(0), registers, team, [=](int f) PG_INLINE_LAMBDA { return s.slope(f); }, unit_slope);
    if (shape.hidden == Activation::relu) {
      close_dense_units(s, registers, team, [=](int j) PG_INLINE_LAMBDA { return s.unit(j); }, unit_slope);
    }
    add_dense_gradients(s, shape.bias, registers, team);
  });
}

}  // namespace phasegrid::PHASEGRID_MACHINE
