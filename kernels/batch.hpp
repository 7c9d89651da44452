// Which batch, by the counter words that its samples share, and how a word becomes a feature.
#pragma once

#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

struct Batch {
  Key key;
  uint32_t step;
  uint32_t stream;
  int samples;
};

// A feature's value from one word: 0, or uniform in [0, 1); see CellSettings::present_limit.
template <class Limit>
PG_INLINE Floats feature_from(Words word, Limit present_limit, Floats scale, Floats offset) {
  return keep(at_most(word, present_limit), fma(to_float(word), scale, offset));
}

}  // namespace phasegrid::PHASEGRID_MACHINE
