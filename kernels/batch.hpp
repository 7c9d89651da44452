// Which batch: the counter words that its samples share.
#pragma once

#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

struct Batch {
  Key key;
  uint32_t step;
  uint32_t stream;
  int samples;
};

}  // namespace phasegrid::PHASEGRID_MACHINE
