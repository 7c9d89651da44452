// The operations of rates_cpu on one instruction set, each in eight independent chains, from the kernels' own
// vocabulary.
#include "common/math.hpp"
#include "common/philox.hpp"
#include "rates_cpu.hpp"

namespace phasegrid::PHASEGRID_MACHINE {
namespace {

constexpr int kChains = 8;

// Nothing is known of a register that went through here, so no chain can be simplified.
template <class Register>
PG_INLINE void hide(Register& a) {
  asm volatile("" : "+x"(a));
}

// A turn takes every chain a step on: next(x).
template <class Next>
PG_INLINE float repeat_floats(int turns, float start, Next&& next) {
  Floats x[kChains];
  PG_UNROLL
  for (int c = 0; c < kChains; ++c) x[c] = start + 0.125f * static_cast<float>(c);
  PG_NO_UNROLL
  for (int turn = 0; turn < turns; ++turn) {
    PG_UNROLL
    for (int c = 0; c < kChains; ++c) {
      hide(x[c].v);
      x[c] = next(x[c]);
    }
  }
  Floats sum = 0.0f;
  PG_UNROLL
  for (int c = 0; c < kChains; ++c) sum = sum + x[c];
  float lanes[kWidth];
  store(lanes, sum);
  return lanes[0];
}

float multiply_add(int turns) {
  return repeat_floats(turns, 1.0f, [](Floats x) PG_INLINE_LAMBDA { return fma(x, Floats(0.5f), Floats(0.25f)); });
}
float exponential(int turns) {
  return repeat_floats(turns, -1.0f, [](Floats x) PG_INLINE_LAMBDA { return exp_of_negative(minus_magnitude(x)); });
}
float reciprocals(int turns) {
  return repeat_floats(turns, 1.0f, [](Floats x) PG_INLINE_LAMBDA { return reciprocal(x) + Floats(1.0f); });
}
float divide(int turns) {
  return repeat_floats(turns, 1.5f, [](Floats x) PG_INLINE_LAMBDA { return Floats(2.0f) / x; });
}
float root(int turns) {
  return repeat_floats(turns, 1.5f, [](Floats x) PG_INLINE_LAMBDA { return square_root(x); });
}
// A permutation of a register's lanes by another register.
float shuffle(int turns) {
  return repeat_floats(turns, 1.5f, [](Floats x) PG_INLINE_LAMBDA {
#if defined(__AVX512F__)
    return Floats(_mm512_permutexvar_ps(_mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0), x.v));
#else
    return Floats(_mm256_permutevar8x32_ps(x.v, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0)));
#endif
  });
}
// A lane each from a table in the first-level cache.
float gather(int turns) {
  alignas(64) float table[1024];
  for (int i = 0; i < 1024; ++i) table[i] = bits_float(static_cast<uint32_t>(i * 37 % 1024));
  asm volatile("" : : "r"(table) : "memory");
  return repeat_floats(turns, 0.0f, [&table](Floats x) PG_INLINE_LAMBDA {
#if defined(__AVX512F__)
    return Floats(_mm512_i32gather_ps(_mm512_and_si512(bits(x).v, _mm512_set1_epi32(1023)), table, 4));
#else
    return Floats(_mm256_i32gather_ps(table, _mm256_and_si256(bits(x).v, _mm256_set1_epi32(1023)), 4));
#endif
  });
}
// 32 x 32 -> 64-bit products of half the lanes.
float wide(int turns) {
  return repeat_floats(turns, 1.5f, [](Floats x) PG_INLINE_LAMBDA {
#if defined(__AVX512F__)
    return Floats(_mm512_castsi512_ps(_mm512_mul_epu32(bits(x).v, _mm512_set1_epi64(kMultiplier0))));
#else
    return Floats(_mm256_castsi256_ps(_mm256_mul_epu32(bits(x).v, _mm256_set1_epi64x(kMultiplier0))));
#endif
  });
}
// A block of four words in every lane, as the tiny mapping draws it.
float philox_words(int turns) {
  Floats sum = 0.0f;
  uint32_t step = 1;
  asm volatile("" : "+r"(step));
  const Wide lanes = lane_numbers(0);
  PG_NO_UNROLL
  for (int turn = 0; turn < turns; ++turn) {
    const Block<Words> block = philox<kRounds>(static_cast<uint32_t>(turn), lanes, step, 1u, Key{step, 7u});
    PG_UNROLL
    for (int i = 0; i < 4; ++i) {
      Floats word = from_bits(block.w[i]);
      hide(word.v);
      sum = i == 3 ? word : sum;
    }
  }
  float result[kWidth];
  store(result, sum);
  return result[0];
}

constexpr double kFloats = 1.0 * kChains * kWidth;
constexpr bench::CpuOperation kOperations[bench::kCpuOperations] = {
    {"fma", kFloats, multiply_add},
    {"wide product", kFloats / 2, wide},
    {"Philox4x32-7 word", 4.0 * kWidth, philox_words},
    {"exp_of_negative", kFloats, exponential},
    {"reciprocal", kFloats, reciprocals},
    {"division", kFloats, divide},
    {"square root", kFloats, root},
    {"shuffle", kFloats, shuffle},
    {"gather", kFloats, gather},
};

}  // namespace

const bench::CpuOperation* cpu_operations() { return kOperations; }

}  // namespace phasegrid::PHASEGRID_MACHINE
