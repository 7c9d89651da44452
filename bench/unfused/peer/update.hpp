// Elementwise kernels: an expert's gradient from those of its blocks, AdamW, and the clock.
#pragma once

#include "arrays.hpp"
#include "formulas.hpp"

namespace phasegrid::unfused {

// For i < weights.
struct SumBlocks {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    const int size = (s.m + 1) * s.n;
    const int expert = i / size;
    float sum = 0.0f;
    for (int b = 0; b < a.expert_blocks[expert]; ++b) sum += a.partial[(a.first_block[expert] + b) * size + i % size];
    a.gradient[i] = sum;
  }
};

// For i < parameters.
struct Update {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    adamw(s.learning_rate, s.weight_decay, static_cast<float>(1.0 - a.clock->beta1),
          static_cast<float>(1.0 - a.clock->beta2), a.gradient[i], a.parameters[i], a.first_moment[i],
          a.second_moment[i]);
  }
};

// Once.
struct Tick {
  Arrays a;
  PEER_METHOD void operator()(int) const {
    ++a.clock->step;
    a.clock->beta1 *= static_cast<double>(kBeta1);
    a.clock->beta2 *= static_cast<double>(kBeta2);
  }
};

}  // namespace phasegrid::unfused
