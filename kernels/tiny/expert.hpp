// An expert: hidden h = W^T x, output z = W h + b before the ReLU (tied weights). Paper section 3.1.
#pragma once

#include "machine/machine.hpp"
#include "common/math.hpp"
#include "weights.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// h [m] and z [n] for weights w [n][m] and biases b [n], each a float for all lanes or Floats.
template <class S, class Weight>
PG_INLINE void expert_output(const Weight (&w)[S::n][S::m], const Weight (&b)[S::n], const Floats (&x)[S::n],
                             Floats (&z)[S::n]) {
  Floats h[S::m];
  PG_UNROLL
  for (int j = 0; j < S::m; ++j) {
    h[j] = Floats(w[0][j]) * x[0];
    PG_UNROLL
    for (int f = 1; f < S::n; ++f) h[j] = fma(Floats(w[f][j]), x[f], h[j]);
  }
  PG_UNROLL
  for (int f = 0; f < S::n; ++f) {
    z[f] = Floats(b[f]);
    PG_UNROLL
    for (int j = 0; j < S::m; ++j) z[f] = fma(Floats(w[f][j]), h[j], z[f]);
  }
}

// k = 1: every lane looks up the weights of the expert chosen for its sample, so one pass serves all experts.
template <class S>
PG_INLINE void chosen_expert_output(const Weights<S>& weights, const Mask (&chosen)[S::E], const Floats (&x)[S::n],
                                    Floats (&z)[S::n]) {
  if constexpr (S::E == 1) {
    expert_output<S>(weights.w[0], weights.b[0], x, z);
  } else {
    Floats w[S::n][S::m], b[S::n];
    PG_UNROLL
    for (int f = 0; f < S::n; ++f) {
      PG_UNROLL
      for (int j = 0; j < S::m; ++j) {
        w[f][j] = weights.w[0][f][j];
        PG_UNROLL
        for (int e = 1; e < S::E; ++e) w[f][j] = select(chosen[e], Floats(weights.w[e][f][j]), w[f][j]);
      }
      b[f] = weights.b[0][f];
      PG_UNROLL
      for (int e = 1; e < S::E; ++e) b[f] = select(chosen[e], Floats(weights.b[e][f]), b[f]);
    }
    expert_output<S>(w, b, x, z);
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
