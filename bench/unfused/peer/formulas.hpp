// The model's formulas, one number or one sample at a time, for CPU and GPU: the unfused peer's own, with nothing taken
// from kernels/. CPU tests execute what the GPU's elementwise kernels call.
#pragma once

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define PEER_FUNCTION __host__ __device__ inline
#define PEER_METHOD __host__ __device__
#else
#define PEER_FUNCTION inline
#define PEER_METHOD
#endif

namespace phasegrid::unfused {

constexpr float kBeta1 = 0.9f, kBeta2 = 0.999f, kEpsilon = 1e-8f;

// 0 with probability 1 - density, else uniform in [0, 1).
PEER_FUNCTION float feature_from(uint32_t word, float density) {
  const float u = static_cast<float>(word >> 8) * 0x1p-24f;
  return u < density ? u / density : 0.0f;
}

PEER_FUNCTION float relu(float z) { return z > 0.0f ? z : 0.0f; }

// The expert of highest score among those whose bit of `taken` is not set, ties to the lowest.
PEER_FUNCTION int best_left(const float* scores, int experts, uint64_t taken) {
  int best = 0;
  float highest = -INFINITY;
  for (int e = 0; e < experts; ++e) {
    if ((taken >> e & 1u) == 0 && scores[e] > highest) {
      best = e;
      highest = scores[e];
    }
  }
  return best;
}

// AdamW's step of one parameter. `first_correction` = 1 - beta1^t, `second_correction` = 1 - beta2^t.
PEER_FUNCTION void adamw(float learning_rate, float weight_decay, float first_correction, float second_correction,
                         float gradient, float& parameter, float& first, float& second) {
  first = kBeta1 * first + (1.0f - kBeta1) * gradient;
  second = kBeta2 * second + (1.0f - kBeta2) * gradient * gradient;
  const float step = (first / first_correction) / (sqrtf(second / second_correction) + kEpsilon);
  parameter = parameter * (1.0f - learning_rate * weight_decay) - learning_rate * step;
}

}  // namespace phasegrid::unfused
