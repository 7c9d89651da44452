// Lanes on any x86-64 (SSE2): 4 a register. There is no fused multiply-add here, so it is computed: slowly, but with
// the same bits.
#pragma once

#include <emmintrin.h>

#define PHASEGRID_MACHINE baseline
#define PHASEGRID_LANES_AHEAD 16  // rows of samples made before they are used (tiny/samples.hpp)

namespace phasegrid::baseline {

constexpr int kWidth = 4;

// ---------------------------------------------------------------- floats and masks
struct Mask {
  __m128 m;  // all bits of a lane set or clear
};
struct Floats {
  __m128 v;
  PG_INLINE Floats() = default;
  PG_INLINE Floats(__m128 x) : v(x) {}
  PG_INLINE Floats(float x) : v(_mm_set1_ps(x)) {}
};

// a * b + c of two lanes, rounded to odd in double. The product of two floats is exact in double; the sum is rounded
// to nearest, its error found exactly (Knuth's two-sum), and where there is one and the last bit is even the sum moves
// one step towards the error, so that its last bit is odd. Rounding that once more to float gives the correctly
// rounded result (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
PG_INLINE __m128d fma_to_odd(__m128d a, __m128d b, __m128d c) {
  const __m128d product = _mm_mul_pd(a, b);
  const __m128d sum = _mm_add_pd(product, c);
  const __m128d part = _mm_sub_pd(sum, product);
  const __m128d error = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, part)), _mm_sub_pd(c, part));
  const __m128d zero = _mm_setzero_pd();
  // Ordered comparisons: an infinite or NaN sum has a NaN error and stays as it is.
  const __m128i inexact = _mm_castpd_si128(_mm_or_pd(_mm_cmplt_pd(error, zero), _mm_cmpgt_pd(error, zero)));
  const __m128i one = _mm_set_epi32(0, 1, 0, 1);
  const __m128i sum_bits = _mm_castpd_si128(sum);
  const __m128i even = _mm_sub_epi64(_mm_and_si128(sum_bits, one), one);  // all ones where the last bit is 0
  // Away from zero when error and sum have one sign (+1), else towards it (-1 = all ones).
  const __m128i towards = _mm_srli_epi64(_mm_castpd_si128(_mm_xor_pd(error, sum)), 63);
  const __m128i move = _mm_sub_epi64(one, _mm_add_epi64(towards, towards));
  return _mm_castsi128_pd(_mm_add_epi64(sum_bits, _mm_and_si128(move, _mm_and_si128(inexact, even))));
}
[[gnu::noinline]] static Floats fma(Floats a, Floats b, Floats c) {
  const __m128 ah = _mm_movehl_ps(a.v, a.v), bh = _mm_movehl_ps(b.v, b.v), ch = _mm_movehl_ps(c.v, c.v);
  const __m128 lower = _mm_cvtpd_ps(fma_to_odd(_mm_cvtps_pd(a.v), _mm_cvtps_pd(b.v), _mm_cvtps_pd(c.v)));
  const __m128 upper = _mm_cvtpd_ps(fma_to_odd(_mm_cvtps_pd(ah), _mm_cvtps_pd(bh), _mm_cvtps_pd(ch)));
  return _mm_movelh_ps(lower, upper);
}
PG_INLINE Floats operator+(Floats a, Floats b) { return _mm_add_ps(a.v, b.v); }
PG_INLINE Floats operator-(Floats a, Floats b) { return _mm_sub_ps(a.v, b.v); }
PG_INLINE Floats operator*(Floats a, Floats b) { return _mm_mul_ps(a.v, b.v); }
PG_INLINE Floats operator/(Floats a, Floats b) { return _mm_div_ps(a.v, b.v); }
PG_INLINE Floats square_root(Floats a) { return _mm_sqrt_ps(a.v); }
// The larger of the two; a NaN in `a` stays.
PG_INLINE Floats at_least(float floor, Floats a) { return _mm_max_ps(_mm_set1_ps(floor), a.v); }
PG_INLINE Floats minus_magnitude(Floats a) { return _mm_or_ps(a.v, _mm_set1_ps(-0.0f)); }
PG_INLINE Floats load(const float* p) { return _mm_loadu_ps(p); }
PG_INLINE Floats in_register(Floats a) { return a; }
PG_INLINE void store(float* p, Floats a) { _mm_storeu_ps(p, a.v); }

PG_INLINE Mask greater(Floats a, Floats b) { return {_mm_cmpgt_ps(a.v, b.v)}; }
PG_INLINE Mask not_less_equal(Floats a, Floats b) { return {_mm_cmpnle_ps(a.v, b.v)}; }
PG_INLINE Mask not_less(Floats a, Floats b) { return {_mm_cmpnlt_ps(a.v, b.v)}; }
PG_INLINE Mask both(Mask a, Mask b) { return {_mm_and_ps(a.m, b.m)}; }
PG_INLINE Mask negate(Mask a) { return {_mm_xor_ps(a.m, _mm_castsi128_ps(_mm_set1_epi32(-1)))}; }
PG_INLINE bool any(Mask a) { return _mm_movemask_ps(a.m) != 0; }
PG_INLINE uint32_t mask_bits(Mask a) { return static_cast<uint32_t>(_mm_movemask_ps(a.m)); }
PG_INLINE Floats select(Mask m, Floats a, Floats b) {
  return _mm_or_ps(_mm_and_ps(m.m, a.v), _mm_andnot_ps(m.m, b.v));
}
PG_INLINE Floats keep(Mask m, Floats a) { return _mm_and_ps(m.m, a.v); }
PG_INLINE Floats add_if(Mask m, Floats a, Floats sum) { return sum + keep(m, a); }
PG_INLINE Floats fma_if(Mask m, Floats a, Floats b, Floats c) { return fma(keep(m, a), b, c); }

// ---------------------------------------------------------------- words
struct Words {
  __m128i v;
};
PG_INLINE Floats to_float(Words a) { return _mm_cvtepi32_ps(a.v); }
PG_INLINE Mask at_most(Words a, int32_t limit) {
  return negate({_mm_castsi128_ps(_mm_cmpgt_epi32(a.v, _mm_set1_epi32(limit)))});
}
PG_INLINE Mask at_most(Words a, Words limit) { return negate({_mm_castsi128_ps(_mm_cmpgt_epi32(a.v, limit.v))}); }
PG_INLINE Words load_words(const void* p) { return {_mm_loadu_si128(static_cast<const __m128i*>(p))}; }
PG_INLINE Words bits(Floats a) { return {_mm_castps_si128(a.v)}; }
PG_INLINE Floats from_bits(Words a) { return _mm_castsi128_ps(a.v); }
PG_INLINE Words operator+(Words a, Words b) { return {_mm_add_epi32(a.v, b.v)}; }
PG_INLINE Words minus(uint32_t a, Words b) { return {_mm_sub_epi32(_mm_set1_epi32(static_cast<int>(a)), b.v)}; }
PG_INLINE Words to_exponent(Words a) { return {_mm_slli_epi32(a.v, 23)}; }
PG_INLINE Words xor3(Words a, Words b, uint32_t c) {
  return {_mm_xor_si128(_mm_xor_si128(a.v, b.v), _mm_set1_epi32(static_cast<int>(c)))};
}

// Wide: lane l stands in the low half of 64-bit slot l / 2 of `even` or `odd`; the high halves hold anything.
struct Wide {
  __m128i even, odd;
};
struct Product {
  __m128i even, odd;
};
PG_INLINE Product multiply(uint32_t a, Wide b) {
  const __m128i factor = _mm_set1_epi64x(a);
  return {_mm_mul_epu32(b.even, factor), _mm_mul_epu32(b.odd, factor)};
}
PG_INLINE Wide high(Product a) { return {_mm_srli_epi64(a.even, 32), _mm_srli_epi64(a.odd, 32)}; }
PG_INLINE Wide low(Product a) { return {a.even, a.odd}; }
PG_INLINE Wide xor3(Wide a, uint32_t b, uint32_t c) {
  const __m128i k = _mm_set1_epi64x(b ^ c);
  return {_mm_xor_si128(a.even, k), _mm_xor_si128(a.odd, k)};
}
PG_INLINE Wide xor3(Wide a, Wide b, uint32_t c) {
  return xor3({_mm_xor_si128(a.even, b.even), _mm_xor_si128(a.odd, b.odd)}, c, 0u);
}
PG_INLINE Wide xor3(uint32_t a, Wide b, uint32_t c) { return xor3(b, a, c); }
PG_INLINE Words pack(Wide a) {
  const __m128i low_halves = _mm_set_epi32(0, -1, 0, -1);
  return {_mm_or_si128(_mm_and_si128(a.even, low_halves), _mm_slli_epi64(a.odd, 32))};
}
PG_INLINE Wide widen(Words a) { return {a.v, _mm_srli_epi64(a.v, 32)}; }
PG_INLINE Words pack_low(Product a) { return pack(low(a)); }
PG_INLINE Words pack_high(Product a) { return pack(high(a)); }
PG_INLINE Words xor3(Words a, uint32_t b, uint32_t c) {
  return {_mm_xor_si128(a.v, _mm_set1_epi32(static_cast<int>(b ^ c)))};
}

// Lane numbers first .. first + 3.
PG_INLINE Wide lane_numbers(int first) {
  return {_mm_set_epi32(0, first + 2, 0, first), _mm_set_epi32(0, first + 3, 0, first + 1)};
}
// Four calls of a generator from `first` on, and the four words of each, call after call.
PG_INLINE Wide call_numbers(uint32_t first) { return lane_numbers(static_cast<int>(first)); }
PG_INLINE void store_calls(uint32_t* p, const Words (&w)[4]) {
  const __m128i t0 = _mm_unpacklo_epi32(w[0].v, w[1].v), t1 = _mm_unpackhi_epi32(w[0].v, w[1].v);
  const __m128i t2 = _mm_unpacklo_epi32(w[2].v, w[3].v), t3 = _mm_unpackhi_epi32(w[2].v, w[3].v);
  auto store_words = [](uint32_t* to, __m128i words) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), words); };
  store_words(p, _mm_unpacklo_epi64(t0, t2));
  store_words(p + 4, _mm_unpackhi_epi64(t0, t2));
  store_words(p + 8, _mm_unpacklo_epi64(t1, t3));
  store_words(p + 12, _mm_unpackhi_epi64(t1, t3));
}
PG_INLINE Mask lanes_below(int first, int limit) {
  return {_mm_castsi128_ps(_mm_cmpgt_epi32(_mm_set1_epi32(limit - first), _mm_setr_epi32(0, 1, 2, 3)))};
}

// ---------------------------------------------------------------- sums
// Lane v of the result is the sum over the lanes of values[v], in the order l + (l ^ 2), then 1.
PG_INLINE Floats sum_lanes(const Floats (&values)[kWidth]) {
  __m128 two[2];
  PG_UNROLL
  for (int i = 0; i < 2; ++i) {
    const __m128 a = values[2 * i].v, b = values[2 * i + 1].v;
    two[i] = _mm_add_ps(_mm_shuffle_ps(a, b, 0x44), _mm_shuffle_ps(a, b, 0xee));
  }
  return _mm_add_ps(_mm_shuffle_ps(two[0], two[1], 0x88), _mm_shuffle_ps(two[0], two[1], 0xdd));
}

}  // namespace phasegrid::baseline

#include "cpu_team.hpp"
