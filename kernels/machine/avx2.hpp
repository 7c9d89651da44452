// Lanes on AVX2 with FMA: 8 a register.
#pragma once

#include <immintrin.h>

#define PHASEGRID_MACHINE avx2
#define PHASEGRID_LANES_AHEAD 16  // rows of samples made before they are used (tiny/samples.hpp)

namespace phasegrid::avx2 {

constexpr int kWidth = 8;

// ---------------------------------------------------------------- floats and masks
struct Mask {
  __m256 m;  // all bits of a lane set or clear
};
struct Floats {
  __m256 v;
  PG_INLINE Floats() = default;
  PG_INLINE Floats(__m256 x) : v(x) {}
  PG_INLINE Floats(float x) : v(_mm256_set1_ps(x)) {}
};
PG_INLINE Floats operator+(Floats a, Floats b) { return _mm256_add_ps(a.v, b.v); }
PG_INLINE Floats operator-(Floats a, Floats b) { return _mm256_sub_ps(a.v, b.v); }
PG_INLINE Floats operator*(Floats a, Floats b) { return _mm256_mul_ps(a.v, b.v); }
PG_INLINE Floats operator/(Floats a, Floats b) { return _mm256_div_ps(a.v, b.v); }
PG_INLINE Floats square_root(Floats a) { return _mm256_sqrt_ps(a.v); }
PG_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
// The larger of the two; a NaN in `a` stays.
PG_INLINE Floats at_least(float floor, Floats a) { return _mm256_max_ps(_mm256_set1_ps(floor), a.v); }
PG_INLINE Floats minus_magnitude(Floats a) { return _mm256_or_ps(a.v, _mm256_set1_ps(-0.0f)); }
PG_INLINE Floats load(const float* p) { return _mm256_loadu_ps(p); }
// A number that is used several times: gcc would else read it again from memory for every use.
PG_INLINE Floats in_register(Floats a) {
  __asm__ volatile("" : "+x"(a.v));
  return a;
}
PG_INLINE void store(float* p, Floats a) { _mm256_storeu_ps(p, a.v); }

PG_INLINE Mask greater(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
PG_INLINE Mask not_less_equal(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NLE_UQ)}; }
PG_INLINE Mask not_less(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NLT_UQ)}; }
PG_INLINE Mask both(Mask a, Mask b) { return {_mm256_and_ps(a.m, b.m)}; }
PG_INLINE Mask negate(Mask a) { return {_mm256_xor_ps(a.m, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))}; }
PG_INLINE bool any(Mask a) { return _mm256_movemask_ps(a.m) != 0; }
PG_INLINE uint32_t mask_bits(Mask a) { return static_cast<uint32_t>(_mm256_movemask_ps(a.m)); }
PG_INLINE Floats select(Mask m, Floats a, Floats b) { return _mm256_blendv_ps(b.v, a.v, m.m); }
PG_INLINE Floats keep(Mask m, Floats a) { return _mm256_and_ps(m.m, a.v); }
PG_INLINE Floats add_if(Mask m, Floats a, Floats sum) { return sum + keep(m, a); }
PG_INLINE Floats fma_if(Mask m, Floats a, Floats b, Floats c) { return fma(keep(m, a), b, c); }

// ---------------------------------------------------------------- words
struct Words {
  __m256i v;
};
PG_INLINE Floats to_float(Words a) { return _mm256_cvtepi32_ps(a.v); }
PG_INLINE Mask at_most(Words a, int32_t limit) {
  return negate({_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v, _mm256_set1_epi32(limit)))});
}
PG_INLINE Mask at_most(Words a, Words limit) {
  return negate({_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v, limit.v))});
}
PG_INLINE Words load_words(const void* p) { return {_mm256_loadu_si256(static_cast<const __m256i*>(p))}; }
PG_INLINE Words bits(Floats a) { return {_mm256_castps_si256(a.v)}; }
PG_INLINE Floats from_bits(Words a) { return _mm256_castsi256_ps(a.v); }
PG_INLINE Words operator+(Words a, Words b) { return {_mm256_add_epi32(a.v, b.v)}; }
PG_INLINE Words minus(uint32_t a, Words b) { return {_mm256_sub_epi32(_mm256_set1_epi32(static_cast<int>(a)), b.v)}; }
PG_INLINE Words to_exponent(Words a) { return {_mm256_slli_epi32(a.v, 23)}; }
PG_INLINE Words xor3(Words a, Words b, uint32_t c) {
  return {_mm256_xor_si256(_mm256_xor_si256(a.v, b.v), _mm256_set1_epi32(static_cast<int>(c)))};
}

// Wide: lane l stands in the low half of 64-bit slot l / 2 of `even` or `odd`; the high halves hold anything.
struct Wide {
  __m256i even, odd;
};
struct Product {
  __m256i even, odd;
};
PG_INLINE Product multiply(uint32_t a, Wide b) {
  const __m256i factor = _mm256_set1_epi64x(a);
  return {_mm256_mul_epu32(b.even, factor), _mm256_mul_epu32(b.odd, factor)};
}
PG_INLINE Wide high(Product a) { return {_mm256_srli_epi64(a.even, 32), _mm256_srli_epi64(a.odd, 32)}; }
PG_INLINE Wide low(Product a) { return {a.even, a.odd}; }
PG_INLINE Wide xor3(Wide a, uint32_t b, uint32_t c) {
  const __m256i k = _mm256_set1_epi64x(b ^ c);
  return {_mm256_xor_si256(a.even, k), _mm256_xor_si256(a.odd, k)};
}
PG_INLINE Wide xor3(Wide a, Wide b, uint32_t c) {
  return xor3({_mm256_xor_si256(a.even, b.even), _mm256_xor_si256(a.odd, b.odd)}, c, 0u);
}
PG_INLINE Wide xor3(uint32_t a, Wide b, uint32_t c) { return xor3(b, a, c); }
PG_INLINE Words pack(Wide a) { return {_mm256_blend_epi32(a.even, _mm256_slli_epi64(a.odd, 32), 0xaa)}; }
PG_INLINE Wide widen(Words a) { return {a.v, _mm256_srli_epi64(a.v, 32)}; }
PG_INLINE Words pack_low(Product a) { return pack(low(a)); }
PG_INLINE Words pack_high(Product a) { return {_mm256_blend_epi32(_mm256_srli_epi64(a.even, 32), a.odd, 0xaa)}; }
PG_INLINE Words xor3(Words a, uint32_t b, uint32_t c) {
  return {_mm256_xor_si256(a.v, _mm256_set1_epi32(static_cast<int>(b ^ c)))};
}

// Lane numbers first .. first + 7.
PG_INLINE Wide lane_numbers(int first) {
  const __m256i even = _mm256_setr_epi64x(0, 2, 4, 6);
  return {_mm256_add_epi64(even, _mm256_set1_epi64x(first)), _mm256_add_epi64(even, _mm256_set1_epi64x(first + 1))};
}
// Eight calls of a generator from `first` on, in the order that store_calls() undoes: lane 4 q + i is call 2 i + q.
PG_INLINE Wide call_numbers(uint32_t first) {
  const __m256i base = _mm256_set1_epi64x(first);
  return {_mm256_add_epi64(_mm256_setr_epi64x(0, 4, 1, 5), base), _mm256_add_epi64(_mm256_setr_epi64x(2, 6, 3, 7), base)};
}
// The four words of each call of call_numbers(), call after call.
PG_INLINE void store_calls(uint32_t* p, const Words (&w)[4]) {
  const __m256i t0 = _mm256_unpacklo_epi32(w[0].v, w[1].v), t1 = _mm256_unpackhi_epi32(w[0].v, w[1].v);
  const __m256i t2 = _mm256_unpacklo_epi32(w[2].v, w[3].v), t3 = _mm256_unpackhi_epi32(w[2].v, w[3].v);
  auto store_words = [](uint32_t* to, __m256i words) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words); };
  store_words(p, _mm256_unpacklo_epi64(t0, t2));
  store_words(p + 8, _mm256_unpackhi_epi64(t0, t2));
  store_words(p + 16, _mm256_unpacklo_epi64(t1, t3));
  store_words(p + 24, _mm256_unpackhi_epi64(t1, t3));
}
PG_INLINE Mask lanes_below(int first, int limit) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(limit - first), lanes))};
}

// ---------------------------------------------------------------- sums
// Lane v of the result is the sum over the lanes of values[v], in the order l + (l ^ 4), then 2, 1. A level adds l to
// l ^ d of two values at once: lanes with bit d clear carry on with `a`, the others with `b`. Of its two operands one is
// a blend, which more ports take than a shuffle.
PG_INLINE Floats sum_lanes(const Floats (&values)[kWidth]) {
  __m256 four[4], two[2];
  PG_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m256 a = values[i].v, b = values[i + 4].v;
    four[i] = _mm256_add_ps(_mm256_blend_ps(a, b, 0xf0), _mm256_permute2f128_ps(a, b, 0x21));
  }
  PG_UNROLL
  for (int i = 0; i < 2; ++i) {
    const __m256 a = four[i], b = four[i + 2];
    two[i] = _mm256_add_ps(_mm256_blend_ps(a, b, 0xcc), _mm256_shuffle_ps(a, b, 0x4e));
  }
  return _mm256_add_ps(_mm256_blend_ps(two[0], two[1], 0xaa),
                       _mm256_permute_ps(_mm256_blend_ps(two[1], two[0], 0xaa), 0xb1));
}

}  // namespace phasegrid::avx2

#include "cpu_team.hpp"
