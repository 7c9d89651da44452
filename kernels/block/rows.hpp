// Rows, the operands of the matrix products of the block mapping: how they are cut into registers, and the dot products
// of four rows with four others. A row's columns are the lanes. A mixture's row is one sample's features, so that rows can
// be picked by an index and nothing is copied when samples are gathered for an expert; a dense model's is one feature or
// hidden unit of a tile's samples.
#pragma once

#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Registers of a row that one pass of a product keeps sums of, and columns of four rows of dot products. As many
// sums as hide the latency of fma and fit the registers beside their operands: 16 of 32 on AVX-512, 8 of 16 on AVX2.
constexpr int kBlockRegisters = kGroups <= 2 ? 4 : 2;
constexpr int kDotColumns = kGroups <= 2 ? 4 : 2;

PG_INLINE int smaller(int a, int b) { return a < b ? a : b; }

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

struct FourRows {
  const float* row[4];
};

// Register r of rows i of a, times that of rows j0 + j of b.
template <int kColumns>
PG_INLINE void add_products(const FourRows& a, const FourRows& b, int j0, int r, Floats (&sums)[4][kColumns]) {
  const int column = column_of(r);
  Floats other[kColumns];
  PG_UNROLL
  for (int j = 0; j < kColumns; ++j) other[j] = in_register(load(b.row[j0 + j] + column));
  PG_UNROLL
  for (int i = 0; i < 4; ++i) {
    const Floats mine = in_register(load(a.row[i] + column));
    PG_UNROLL
    for (int j = 0; j < kColumns; ++j) sums[i][j] = fma(mine, other[j], sums[i][j]);
  }
}

// out[4 i + j] of columns j0 .. j0 + kColumns - 1: the products of rows i of a and j of b, over every kGroups-th
// register from `first` on: kSteps of them, or, if that is 0, as many as `registers` holds.
template <int kColumns, int kSteps, int kPairs>
PG_INLINE void dot_group(const FourRows (&a)[kPairs], const FourRows (&b)[kPairs], int j0, int first, int registers,
                         Floats (&out)[16]) {
  Floats sums[4][kColumns];
  PG_UNROLL
  for (int i = 0; i < 4; ++i) {
    PG_UNROLL
    for (int j = 0; j < kColumns; ++j) sums[i][j] = 0.0f;
  }
  PG_UNROLL
  for (int pair = 0; pair < kPairs; ++pair) {
    if constexpr (kSteps > 0) {
      PG_UNROLL
      for (int step = 0; step < kSteps; ++step) add_products(a[pair], b[pair], j0, first + step * kGroups, sums);
    } else {
      PG_NO_UNROLL
      for (int r = first; r < registers; r += kGroups) add_products(a[pair], b[pair], j0, r, sums);
    }
  }
  PG_UNROLL
  for (int i = 0; i < 4; ++i) {
    PG_UNROLL
    for (int j = 0; j < kColumns; ++j) out[4 * i + j0 + j] = sums[i][j];
  }
}

// out[4 i + j]: the dot product of rows i of a and j of b before its lanes are summed, for j < columns; of several
// pairs a and b, the sum of theirs. One group of registers after the other, so that sums stay in registers. Rows of
// kSteps times 32 columns, or, if that is 0, of `registers`.
template <int kSteps = 0, int kPairs>
PG_INLINE void dot_four_by_four(const FourRows (&a)[kPairs], const FourRows (&b)[kPairs], int columns, int registers,
                                Floats (&out)[16]) {
  Floats groups[kGroups][16];
  PG_UNROLL
  for (int g = 0; g < kGroups; ++g) {
    if (kDotColumns == 4 && columns > 2) {
      dot_group<4, kSteps>(a, b, 0, g, registers, groups[g]);
    } else {
      dot_group<2, kSteps>(a, b, 0, g, registers, groups[g]);
      if (columns > 2) {
        dot_group<2, kSteps>(a, b, 2, g, registers, groups[g]);
      } else {
        PG_UNROLL
        for (int i = 0; i < 4; ++i) groups[g][4 * i + 2] = groups[g][4 * i + 3] = 0.0f;
      }
    }
  }
  PG_UNROLL
  for (int i = 0; i < 16; ++i) {
    Floats one[kGroups];
    PG_UNROLL
    for (int g = 0; g < kGroups; ++g) one[g] = groups[g][i];
    out[i] = in_register(fold(one));
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
