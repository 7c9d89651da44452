// Activations: the value of z and what its slope lets through. A stage takes one as a template parameter, so that it is
// chosen once a stage and costs no number anything.
//   value(z)              y
//   value_if_active(z)    y where the slope is not 0; anything elsewhere: for what back() is to drop there
//   back(valid, z, g)     dL/dz from g = dL/dy, 0 in lanes that are not valid. z may be y: both have the same slope
#pragma once

#include "machine/machine.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

struct Relu {
  // z > 0, or NaN, so that a broken model is not taken for a silent one.
  PG_INLINE static Mask is_open(Floats z) { return not_less_equal(z, Floats(0.0f)); }
  PG_INLINE static Floats value(Floats z) { return keep(is_open(z), z); }
  PG_INLINE static Floats value_if_active(Floats z) { return z; }
  template <class Valid>
  PG_INLINE static Floats back(Valid valid, Floats z, Floats g) {
    return keep(both(valid, is_open(z)), g);
  }
};

// body(Activation): with the type of a model's output activation. A row of Activation in architecture.hpp that an
// output may have is a case here.
template <class Body>
PG_INLINE auto with_output(Activation, Body&& body) {
  return body(Relu{});
}

}  // namespace phasegrid::PHASEGRID_MACHINE
