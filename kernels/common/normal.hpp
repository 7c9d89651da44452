// A standard normal number a lane, as the values of features: the inverse of its distribution function, with erfinv as in
// M. Giles, "Approximating the erfinv function", GPU Computing Gems 2011. (math.hpp's normal_from is for one number, and
// keeps the bits of initial parameters.)
#pragma once

#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// ln t for t in [2^-23, 1]. t = 2^e m with m in [3/4, 3/2]; ln m = 2 atanh((m - 1) / (m + 1)).
PG_INLINE Floats log_of_lanes(Floats t) {
  // The bits of t, read as a number, are 2^23 (127 + e' + (m' - 1)) with m' in [1, 2).
  const Floats magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const Floats about = fma(to_float(bits(t)), Floats(1.1920928955078125e-7f), Floats(-127.0f));
  const Floats e = (about + magic) - magic;
  const Floats m = t * from_bits(to_exponent(bits((magic + Floats(127.0f)) - e)));
  const Floats s = (m - Floats(1.0f)) / (m + Floats(1.0f));
  const Floats z = s * s;
  Floats series = 0.22222222f;
  series = fma(series, z, Floats(0.28571429f));
  series = fma(series, z, Floats(0.4f));
  series = fma(series, z, Floats(0.66666667f));
  return fma(e, Floats(0.69314718f), fma(Floats(2.0f), s, s * (z * series)));
}

// sqrt(2) erfinv(x) for x = (w + 1/2) / 2^31, w the word read as a signed number, to 24 bits; never infinite: at most 5
// in size.
PG_INLINE Floats normal_of(Words word) {
  const Floats x = fma(to_float(word), Floats(4.6566117e-10f), Floats(2.3283063e-10f));  // below 1 - 2^-22
  const Floats w = Floats(0.0f) - log_of_lanes((Floats(1.0f) - x) * (Floats(1.0f) + x));
  Floats c = w - Floats(2.5f);
  Floats p = 2.81022636e-08f;
  p = fma(p, c, Floats(3.43273939e-07f));
  p = fma(p, c, Floats(-3.5233877e-06f));
  p = fma(p, c, Floats(-4.39150654e-06f));
  p = fma(p, c, Floats(0.00021858087f));
  p = fma(p, c, Floats(-0.00125372503f));
  p = fma(p, c, Floats(-0.00417768164f));
  p = fma(p, c, Floats(0.246640727f));
  p = fma(p, c, Floats(1.50140941f));
  c = square_root(w) - Floats(3.0f);
  Floats q = -0.000200214257f;
  q = fma(q, c, Floats(0.000100950558f));
  q = fma(q, c, Floats(0.00134934322f));
  q = fma(q, c, Floats(-0.00367342844f));
  q = fma(q, c, Floats(0.00573950773f));
  q = fma(q, c, Floats(-0.0076224613f));
  q = fma(q, c, Floats(0.00943887047f));
  q = fma(q, c, Floats(1.00167406f));
  q = fma(q, c, Floats(2.83297682f));
  return Floats(1.41421356f) * (select(greater(Floats(5.0f), w), p, q) * x);
}

}  // namespace phasegrid::PHASEGRID_MACHINE
