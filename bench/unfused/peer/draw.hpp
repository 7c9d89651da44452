// Elementwise kernel: a batch of inputs for every model, four features a Philox call.
#pragma once

#include <Random123/philox.h>

#include "arrays.hpp"
#include "formulas.hpp"

namespace phasegrid::unfused {

// For i < models * calls.
struct Draw {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    using Philox = r123::Philox4x32_R<7>;
    const int model = i / s.calls, call = i % s.calls;
    const Philox::ctr_type counter = {{static_cast<uint32_t>(call), static_cast<uint32_t>(model), a.clock->step, 0u}};
    const Philox::key_type key = {{s.seed[0], s.seed[1]}};
    const Philox::ctr_type words = Philox()(counter, key);
    const int numbers = s.batch * s.n;
    for (int w = 0; w < 4; ++w) {
      const int position = 4 * call + w;
      if (position < numbers)
        a.x[model * numbers + position] = feature_from(words[static_cast<unsigned>(w)], a.density[position % s.n]);
    }
  }
};

}  // namespace phasegrid::unfused
