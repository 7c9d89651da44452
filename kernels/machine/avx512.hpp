// Lanes on AVX-512: 16 a register.
#pragma once

#include <immintrin.h>

#define PHASEGRID_MACHINE avx512
#define PHASEGRID_LANES_AHEAD 16  // rows of samples made before they are used (tiny/samples.hpp)

namespace phasegrid::avx512 {

constexpr int kWidth = 16;

// ---------------------------------------------------------------- floats and masks
struct Mask {
  __mmask16 m;
};
struct Floats {
  __m512 v;
  PG_INLINE Floats() = default;
  PG_INLINE Floats(__m512 x) : v(x) {}
  PG_INLINE Floats(float x) : v(_mm512_set1_ps(x)) {}
};
PG_INLINE Floats operator+(Floats a, Floats b) { return _mm512_add_ps(a.v, b.v); }
PG_INLINE Floats operator-(Floats a, Floats b) { return _mm512_sub_ps(a.v, b.v); }
PG_INLINE Floats operator*(Floats a, Floats b) { return _mm512_mul_ps(a.v, b.v); }
PG_INLINE Floats operator/(Floats a, Floats b) { return _mm512_div_ps(a.v, b.v); }
PG_INLINE Floats square_root(Floats a) { return _mm512_sqrt_ps(a.v); }
PG_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
// The larger of the two; a NaN in `a` stays.
PG_INLINE Floats at_least(float floor, Floats a) { return _mm512_max_ps(_mm512_set1_ps(floor), a.v); }
PG_INLINE Floats minus_magnitude(Floats a) { return _mm512_or_ps(a.v, _mm512_set1_ps(-0.0f)); }
PG_INLINE Floats load(const float* p) { return _mm512_loadu_ps(p); }
// A number that is used several times: gcc would else read it again from memory for every use.
PG_INLINE Floats in_register(Floats a) {
  __asm__ volatile("" : "+v"(a.v));
  return a;
}
PG_INLINE void store(float* p, Floats a) { _mm512_storeu_ps(p, a.v); }

PG_INLINE Mask greater(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
PG_INLINE Mask not_less_equal(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NLE_UQ)}; }
PG_INLINE Mask not_less(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NLT_UQ)}; }
PG_INLINE Mask both(Mask a, Mask b) { return {static_cast<__mmask16>(a.m & b.m)}; }
PG_INLINE Mask negate(Mask a) { return {static_cast<__mmask16>(~a.m)}; }
PG_INLINE bool any(Mask a) { return a.m != 0; }
PG_INLINE uint32_t mask_bits(Mask a) { return a.m; }
PG_INLINE Floats select(Mask m, Floats a, Floats b) { return _mm512_mask_blend_ps(m.m, b.v, a.v); }
PG_INLINE Floats keep(Mask m, Floats a) { return _mm512_maskz_mov_ps(m.m, a.v); }
PG_INLINE Floats add_if(Mask m, Floats a, Floats sum) { return _mm512_mask_add_ps(sum.v, m.m, sum.v, a.v); }
PG_INLINE Floats fma_if(Mask m, Floats a, Floats b, Floats c) { return _mm512_mask3_fmadd_ps(a.v, b.v, c.v, m.m); }

// ---------------------------------------------------------------- words
struct Words {
  __m512i v;
};
PG_INLINE Floats to_float(Words a) { return _mm512_cvtepi32_ps(a.v); }
PG_INLINE Mask at_most(Words a, int32_t limit) { return {_mm512_cmple_epi32_mask(a.v, _mm512_set1_epi32(limit))}; }
PG_INLINE Mask at_most(Words a, Words limit) { return {_mm512_cmple_epi32_mask(a.v, limit.v)}; }
PG_INLINE Words load_words(const void* p) { return {_mm512_loadu_si512(p)}; }
PG_INLINE Words bits(Floats a) { return {_mm512_castps_si512(a.v)}; }
PG_INLINE Floats from_bits(Words a) { return _mm512_castsi512_ps(a.v); }
PG_INLINE Words operator+(Words a, Words b) { return {_mm512_add_epi32(a.v, b.v)}; }
PG_INLINE Words minus(uint32_t a, Words b) { return {_mm512_sub_epi32(_mm512_set1_epi32(static_cast<int>(a)), b.v)}; }
PG_INLINE Words to_exponent(Words a) { return {_mm512_slli_epi32(a.v, 23)}; }
PG_INLINE Words xor3(Words a, Words b, uint32_t c) {
  return {_mm512_ternarylogic_epi32(a.v, b.v, _mm512_set1_epi32(static_cast<int>(c)), 0x96)};
}

// Wide: lane l stands in the low half of 64-bit slot l / 2 of `even` or `odd`; the high halves hold anything.
struct Wide {
  __m512i even, odd;
};
struct Product {
  __m512i even, odd;
};
PG_INLINE Product multiply(uint32_t a, Wide b) {
  const __m512i factor = _mm512_set1_epi64(a);
  return {_mm512_mul_epu32(b.even, factor), _mm512_mul_epu32(b.odd, factor)};
}
// A shift and a shuffle, as each has a port of its own.
PG_INLINE Wide high(Product a) { return {_mm512_srli_epi64(a.even, 32), _mm512_shuffle_epi32(a.odd, _MM_PERM_DDBB)}; }
PG_INLINE Wide low(Product a) { return {a.even, a.odd}; }
PG_INLINE Wide xor3(Wide a, Wide b, uint32_t c) {
  const __m512i k = _mm512_set1_epi64(c);
  return {_mm512_ternarylogic_epi64(a.even, b.even, k, 0x96), _mm512_ternarylogic_epi64(a.odd, b.odd, k, 0x96)};
}
PG_INLINE Wide xor3(Wide a, uint32_t b, uint32_t c) {
  const __m512i k = _mm512_set1_epi64(b ^ c);
  return {_mm512_xor_si512(a.even, k), _mm512_xor_si512(a.odd, k)};
}
PG_INLINE Wide xor3(uint32_t a, Wide b, uint32_t c) { return xor3(b, a, c); }
PG_INLINE Words pack(Wide a) { return {_mm512_mask_shuffle_epi32(a.even, 0xaaaa, a.odd, _MM_PERM_CCAA)}; }
PG_INLINE Wide widen(Words a) { return {a.v, _mm512_srli_epi64(a.v, 32)}; }
PG_INLINE Words pack_low(Product a) { return pack(low(a)); }
PG_INLINE Words pack_high(Product a) { return {_mm512_mask_shuffle_epi32(a.odd, 0x5555, a.even, _MM_PERM_DDBB)}; }
PG_INLINE Words xor3(Words a, uint32_t b, uint32_t c) {
  return {_mm512_xor_si512(a.v, _mm512_set1_epi32(static_cast<int>(b ^ c)))};
}

// Lane numbers first .. first + 15.
PG_INLINE Wide lane_numbers(int first) {
  const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  const __m512i base = _mm512_set1_epi64(first);
  return {_mm512_add_epi64(even, base), _mm512_add_epi64(even, _mm512_set1_epi64(first + 1))};
}
// Sixteen calls of a generator from `first` on, in the order that store_calls() undoes: lane 4 q + i is call 4 i + q.
PG_INLINE Wide call_numbers(uint32_t first) {
  const __m512i base = _mm512_set1_epi64(first);
  return {_mm512_add_epi64(_mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), base),
          _mm512_add_epi64(_mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), base)};
}
// The four words of each call of call_numbers(), call after call.
PG_INLINE void store_calls(uint32_t* p, const Words (&w)[4]) {
  const __m512i t0 = _mm512_unpacklo_epi32(w[0].v, w[1].v), t1 = _mm512_unpackhi_epi32(w[0].v, w[1].v);
  const __m512i t2 = _mm512_unpacklo_epi32(w[2].v, w[3].v), t3 = _mm512_unpackhi_epi32(w[2].v, w[3].v);
  _mm512_storeu_si512(p, _mm512_unpacklo_epi64(t0, t2));
  _mm512_storeu_si512(p + 16, _mm512_unpackhi_epi64(t0, t2));
  _mm512_storeu_si512(p + 32, _mm512_unpacklo_epi64(t1, t3));
  _mm512_storeu_si512(p + 48, _mm512_unpackhi_epi64(t1, t3));
}
PG_INLINE Mask lanes_below(int first, int limit) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return {_mm512_cmplt_epi32_mask(lanes, _mm512_set1_epi32(limit - first))};
}

// ---------------------------------------------------------------- sums
// Lane v of the result is the sum over the lanes of values[v], in the order l + (l ^ 8), then 4, 2, 1. A level adds l to
// l ^ d of two values at once: lanes with bit d clear carry on with `a`, the others with `b`. Of its two operands one is
// a blend, which more ports take than a shuffle.
PG_INLINE Floats sum_lanes(const Floats (&values)[kWidth]) {
  const __m512i across4 = _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
  const __m512i across1 = _mm512_setr_epi32(1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30);
  __m512 eight[8], four[4], two[2];
  PG_UNROLL
  for (int i = 0; i < 8; ++i) {
    const __m512 a = values[i].v, b = values[i + 8].v;
    eight[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xff00, a, b), _mm512_shuffle_f32x4(a, b, 0x4e));
  }
  PG_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m512 a = eight[i], b = eight[i + 4];
    four[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xf0f0, a, b), _mm512_permutex2var_ps(a, across4, b));
  }
  PG_UNROLL
  for (int i = 0; i < 2; ++i) {
    const __m512 a = four[i], b = four[i + 2];
    two[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xcccc, a, b), _mm512_shuffle_ps(a, b, 0x4e));
  }
  return _mm512_add_ps(_mm512_mask_blend_ps(0xaaaa, two[0], two[1]),
                       _mm512_permutex2var_ps(two[0], across1, two[1]));
}

}  // namespace phasegrid::avx512

#include "cpu_team.hpp"
