// The few functions that no instruction gives with the same bits everywhere.
#pragma once

#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// e^x for x <= 0 (NaN stays NaN), within 3 ulp; below -87 it stays at e^-87. x = (i + f) ln 2 with i whole and
// |f| <= 1/2; 2^f is a polynomial with a relative error under 1e-7 (fitted by Lawson's iteration), taken half as large
// and multiplied by 2^(i + 1): exact, and a NaN stays one whatever its bits. (Their sum with i in the exponent would make
// a GPU's NaN, 0x7fffffff, finite.)
PG_INLINE Floats exp_of_negative(Floats x) {
  x = at_least(-87.0f, x);
  // 1.5 * 2^23 + 128: adding it rounds to a whole number; the low bits are i + 1 with the exponent's bias. An even
  // number, so that a tie goes to an even i.
  const Floats magic = 12583040.0f;
  const Floats shifted = fma(x, Floats(1.44269502f), magic);
  const Floats whole = shifted - magic;
  const Floats f = fma(x, Floats(1.92596299e-8f), fma(x, Floats(1.44269502f), Floats(0.0f) - whole));
  Floats y = 0.5f * 0.001326472731307149f;
  y = fma(y, f, Floats(0.5f * 0.009671512991189957f));
  y = fma(y, f, Floats(0.5f * 0.05550733581185341f));
  y = fma(y, f, Floats(0.5f * 0.24022242426872253f));
  y = fma(y, f, Floats(0.5f * 0.6931470036506653f));
  y = fma(y, f, Floats(0.5f));
  return y * from_bits(to_exponent(bits(shifted)));
}

// 1 / x for x in [1, 1e9], within 2 ulp: shorter than a division on a GPU, and on a CPU it leaves the divider alone.
// The bits of x subtracted from a constant guess 1 / x to 12 %; each of Newton's steps squares the error.
PG_INLINE Floats reciprocal(Floats x) {
  Floats r = from_bits(minus(0x7ef311c7u, bits(x)));
  PG_UNROLL
  for (int i = 0; i < 3; ++i) {
    const Floats error = fma(Floats(0.0f) - x, r, Floats(1.0f));
    r = fma(r, error, r);
  }
  return r;
}

// ln x of one number in (0, 1]. x = 2^e m with m in [sqrt 1/2, sqrt 2); ln m = 2 atanh((m - 1) / (m + 1)).
PG_INLINE float log_of(float x) {
  const uint32_t word = float_bits(x) + (0x3f800000u - 0x3f3504f3u);
  const float exponent = static_cast<float>(static_cast<int32_t>(word >> 23) - 127);
  const float mantissa = bits_float((word & 0x007fffffu) + 0x3f3504f3u);
  const float s = (mantissa - 1.0f) / (mantissa + 1.0f);
  const float z = s * s;
  float series = 0.22222222f;
  series = fma(series, z, 0.28571429f);
  series = fma(series, z, 0.4f);
  series = fma(series, z, 0.66666667f);
  const float tail = s * (z * series);
  return fma(exponent, 0.69314718f, fma(2.0f, s, tail));
}

// The standard normal number whose distribution function is (word + 1/2) / 2^32, to 23 bits:
// sqrt(2) erfinv(2u - 1), with erfinv as in M. Giles, "Approximating the erfinv function", GPU Computing Gems 2011.
PG_INLINE float normal_from(uint32_t word) {
  // An odd multiple of 2^-23 between -1 and 1, both left out: exact in float.
  const float x = static_cast<float>(2 * (word >> 9) + 1) * 1.1920928955078125e-7f - 1.0f;
  const float w = -log_of((1.0f - x) * (1.0f + x));
  float p;
  if (w < 5.0f) {
    const float c = w - 2.5f;
    p = 2.81022636e-08f;
    p = fma(p, c, 3.43273939e-07f);
    p = fma(p, c, -3.5233877e-06f);
    p = fma(p, c, -4.39150654e-06f);
    p = fma(p, c, 0.00021858087f);
    p = fma(p, c, -0.00125372503f);
    p = fma(p, c, -0.00417768164f);
    p = fma(p, c, 0.246640727f);
    p = fma(p, c, 1.50140941f);
  } else {
    const float c = square_root(w) - 3.0f;
    p = -0.000200214257f;
    p = fma(p, c, 0.000100950558f);
    p = fma(p, c, 0.00134934322f);
    p = fma(p, c, -0.00367342844f);
    p = fma(p, c, 0.00573950773f);
    p = fma(p, c, -0.0076224613f);
    p = fma(p, c, 0.00943887047f);
    p = fma(p, c, 1.00167406f);
    p = fma(p, c, 2.83297682f);
  }
  return 1.41421356f * (p * x);
}

}  // namespace phasegrid::PHASEGRID_MACHINE
