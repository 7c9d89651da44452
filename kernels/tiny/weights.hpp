// The parameters of one model as the sample loop reads them: numbers that all lanes share.
#pragma once

#include "machine/machine.hpp"
#include "static_shape.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

template <class S>
struct Weights {
  float w[S::E][S::n][S::m];
  float b[S::E][S::n];
  // Router rows relative to expert 0's: softmax, order and ties depend on score differences alone, and this way the
  // score of expert 0 is 0 and costs nothing.
  float r[S::E][S::n];  // [0] unused

  PG_INLINE explicit Weights(const float* parameters) {
    PG_UNROLL
    for (int e = 0; e < S::E; ++e) {
      PG_UNROLL
      for (int f = 0; f < S::n; ++f) {
        PG_UNROLL
        for (int j = 0; j < S::m; ++j) w[e][f][j] = parameters[S::weight(e, f, j)];
        b[e][f] = parameters[S::bias(e, f)];
        r[e][f] = parameters[S::router(e, f)] - parameters[S::router(0, f)];
      }
    }
  }
};

}  // namespace phasegrid::PHASEGRID_MACHINE
