// Activations and errors of outputs. A stage takes an Output as an argument of its own type, so that what is the same for
// the whole batch is chosen once a stage:
//   value(z)              y
//   value_if_active(z)    y where the slope is not 0; anything elsewhere: for what back() is to drop there
//   back(valid, z, g)     dL/dz from g = dL/dy, 0 in lanes that are not valid. z may be y: both have the same slope
//   target(x)             what y is to be
//   power()               of the error e = y - target in the loss
//   raised(a, e)          a e^(power - 2): with a = I e, the loss is raised(a, e) e and its slope power() raised(a, e)
#pragma once

#include "job.hpp"
#include "machine/machine.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// The paper's: a ReLU, the input itself, squared errors.
struct PlainOutput {
  // z > 0, or NaN, so that a broken model is not taken for a silent one.
  PG_INLINE static Mask is_open(Floats z) { return not_less_equal(z, Floats(0.0f)); }
  PG_INLINE static Floats value(Floats z) { return keep(is_open(z), z); }
  PG_INLINE static Floats value_if_active(Floats z) { return z; }
  template <class Valid>
  PG_INLINE static Floats back(Valid valid, Floats z, Floats g) {
    return keep(both(valid, is_open(z)), g);
  }
  PG_INLINE static Floats target(Floats x) { return x; }
  PG_INLINE static constexpr float power() { return 2.0f; }
  PG_INLINE static Floats raised(Floats a, Floats) { return a; }
};

// Any other, by numbers: linear outputs are open above -infinity.
struct GeneralOutput {
  float closed_below;
  float below_zero;  // target of x < 0, as a multiple of x
  int factors;       // (power - 2) / 2

  PG_INLINE GeneralOutput(Activation output, const ErrorLaw& error)
      : closed_below(output == Activation::linear ? bits_float(0xff800000u) : 0.0f),
        below_zero(error.target == Target::identity ? 1.0f : error.target == Target::absolute ? -1.0f : 0.0f),
        factors((error.power - 2) / 2) {}

  PG_INLINE Mask is_open(Floats z) const { return not_less_equal(z, Floats(closed_below)); }
  PG_INLINE Floats value(Floats z) const { return keep(is_open(z), z); }
  PG_INLINE static Floats value_if_active(Floats z) { return z; }
  template <class Valid>
  PG_INLINE Floats back(Valid valid, Floats z, Floats g) const {
    return keep(both(valid, is_open(z)), g);
  }
  PG_INLINE Floats target(Floats x) const { return select(greater(Floats(0.0f), x), Floats(below_zero) * x, x); }
  PG_INLINE float power() const { return static_cast<float>(2 * factors + 2); }
  PG_INLINE Floats raised(Floats a, Floats e) const {
    const Floats square = e * e;
    PG_NO_UNROLL
    for (int i = 0; i < factors; ++i) a = a * square;
    return a;
  }
};

constexpr bool is_plain(Activation output, const ErrorLaw& error) {
  return output == Activation::relu && error.target == Target::identity && error.power == 2;
}

}  // namespace phasegrid::PHASEGRID_MACHINE
