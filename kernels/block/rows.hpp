// Rows of features, the operands of all matrix products of the block mapping: how they are cut into registers, and the
// dot products of four rows with four others. A row's columns are the lanes, so rows can be picked by an index and
// nothing is copied when samples are gathered for an expert.
#pragma once

#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Registers of a row that one pass of a product keeps sums of, and rows and columns of a tile of dot products. As many
// sums as hide the latency of fma and fit the registers beside their operands: 16 of 32 on AVX-512, 8 of 16 on AVX2.
constexpr int kBlockRegisters = kGroups <= 2 ? 4 : 2;
constexpr int kDotRows = kGroups <= 2 ? 4 : kGroups == 4 ? 2 : 1;
constexpr int kDotColumns = kGroups == 1 ? 4 : kGroups == 2 ? 2 : 1;

template <int kCount>
struct Count {
  static constexpr int value = kCount;
};

// body(r, Count): blocks of at most kMost registers from r on, of `registers` in all. Count is known at compile time,
// so that sums stay in registers.
template <int kMost, class Body>
PG_INLINE void for_each_block(int registers, Body&& body) {
  int r = 0;
  PG_NO_UNROLL
  for (; r + kMost <= registers; r += kMost) body(r, Count<kMost>{});
  if constexpr (kMost > 3) {
    if (registers - r == 3) body(r, Count<3>{});
  }
  if constexpr (kMost > 2) {
    if (registers - r == 2) body(r, Count<2>{});
  }
  if constexpr (kMost > 1) {
    if (registers - r == 1) body(r, Count<1>{});
  }
}

// The 32 lanes' registers of one sum, added to one: l with l ^ 16, and so on, down to the lanes of a register.
PG_INLINE Floats fold(Floats (&groups)[kGroups]) {
  PG_UNROLL
  for (int half = kGroups / 2; half > 0; half /= 2) {
    PG_UNROLL
    for (int g = 0; g < half; ++g) groups[g] = groups[g] + groups[g + half];
  }
  return groups[0];
}

// The sum of term(column) over a row's registers, before its lanes are summed: sum' = term(column, sum).
template <class Term>
PG_INLINE Floats sum_along_row(int registers, Term&& term) {
  Floats groups[kGroups];
  PG_UNROLL
  for (int g = 0; g < kGroups; ++g) groups[g] = 0.0f;
  PG_NO_UNROLL
  for (int r = 0; r < registers; r += kGroups) {
    PG_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      if (r + g < registers) groups[g] = term(column_of(r + g), groups[g]);
    }
  }
  return fold(groups);
}

// out[4 i + j]: the dot product of rows a[i] and b[j] before its lanes are summed, for j < columns.
PG_INLINE void dot_four_by_four(const float* const (&a)[4], const float* const (&b)[4], int columns, int registers,
                                Floats (&out)[16]) {
  PG_UNROLL
  for (int i0 = 0; i0 < 4; i0 += kDotRows) {
    PG_UNROLL
    for (int j0 = 0; j0 < 4; j0 += kDotColumns) {
      if (j0 < columns) {
        Floats sums[kDotRows][kDotColumns][kGroups];
        PG_UNROLL
        for (int i = 0; i < kDotRows; ++i) {
          PG_UNROLL
          for (int j = 0; j < kDotColumns; ++j) {
            PG_UNROLL
            for (int g = 0; g < kGroups; ++g) sums[i][j][g] = 0.0f;
          }
        }
        auto add = [&](int r, int g) PG_INLINE_LAMBDA {
          const int column = column_of(r + g);
          Floats other[kDotColumns];
          PG_UNROLL
          for (int j = 0; j < kDotColumns; ++j) other[j] = in_register(load(b[j0 + j] + column));
          PG_UNROLL
          for (int i = 0; i < kDotRows; ++i) {
            const Floats mine = in_register(load(a[i0 + i] + column));
            PG_UNROLL
            for (int j = 0; j < kDotColumns; ++j) sums[i][j][g] = fma(mine, other[j], sums[i][j][g]);
          }
        };
        int r = 0;
        PG_NO_UNROLL
        for (; r + kGroups <= registers; r += kGroups) {
          PG_UNROLL
          for (int g = 0; g < kGroups; ++g) add(r, g);
        }
        PG_UNROLL
        for (int g = 0; g < kGroups - 1; ++g) {
          if (r + g < registers) add(r, g);
        }
        PG_UNROLL
        for (int i = 0; i < kDotRows; ++i) {
          PG_UNROLL
          for (int j = 0; j < kDotColumns; ++j) out[4 * (i0 + i) + j0 + j] = in_register(fold(sums[i][j]));
        }
      } else {
        PG_UNROLL
        for (int i = 0; i < kDotRows; ++i) {
          PG_UNROLL
          for (int j = 0; j < kDotColumns; ++j) out[4 * (i0 + i) + j0 + j] = 0.0f;
        }
      }
    }
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
