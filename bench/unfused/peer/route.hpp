// Elementwise kernel: each sample's k experts, their gates, and the sort keys of its entries. Paper section 3.1.
#pragma once

#include "arrays.hpp"
#include "formulas.hpp"

namespace phasegrid::unfused {

// For sample < samples. With a load balance score_slope becomes P, the softmax over all experts.
struct Route {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int sample) const {
    const float* score = a.score + sample * s.E;
    uint64_t taken = 0;
    float highest = 0.0f, sum = 0.0f;
    for (int rank = 0; rank < s.k; ++rank) {
      const int e = best_left(score, s.E, taken);
      taken |= uint64_t{1} << e;
      if (rank == 0) highest = score[e];
      const float power = expf(score[e] - highest);
      a.gate[sample * s.k + rank] = power;
      a.key[sample * s.k + rank] = static_cast<uint32_t>(sample / s.batch * s.E + e);
      sum += power;
    }
    for (int rank = 0; rank < s.k; ++rank) a.gate[sample * s.k + rank] /= sum;
    if (!s.balance) return;
    float all = 0.0f;
    for (int e = 0; e < s.E; ++e) all += expf(score[e] - highest);
    for (int e = 0; e < s.E; ++e) a.score_slope[sample * s.E + e] = expf(score[e] - highest) / all;
  }
};

}  // namespace phasegrid::unfused
