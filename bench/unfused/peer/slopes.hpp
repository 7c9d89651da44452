// Elementwise kernels: the reconstruction's error and the slopes of the loss that need no matrix product.
#pragma once

#include "arrays.hpp"
#include "formulas.hpp"

namespace phasegrid::unfused {

// x'_f - x_f of one number of a batch, x' = sum over the sample's entries of gate ReLU(z).
PEER_FUNCTION float reconstruction_error(const Sizes& s, const Arrays& a, int i) {
  const int sample = i / s.n, f = i % s.n;
  if (s.dense) return relu(a.output[i]) - a.x[i];
  float sum = 0.0f;
  for (int entry = sample * s.k; entry < (sample + 1) * s.k; ++entry) {
    sum += a.gate[entry] * relu(a.output[a.row_of_entry[entry] * s.n + f]);
  }
  return sum - a.x[i];
}

// For i < samples * n: I (x' - x)^2.
struct WeightedSquares {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    const float error = reconstruction_error(s, a, i);
    a.error[i] = a.importance[i % s.n] * error * error;
  }
};

// For model < models: the loss from the sum of its weighted squares, with a mixture's load balance alpha E sum f_e
// mean(P_e).
struct FinishLoss {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int model) const {
    const float share = 1.0f / static_cast<float>(s.batch);
    float mixed = 0.0f;
    if (s.balance) {
      for (int e = 0; e < s.E; ++e) {
        const int expert = model * s.E + e;
        float sum = 0.0f;
        for (int i = 0; i < s.batch; ++i) sum += a.score_slope[(model * s.batch + i) * s.E + e];
        mixed += static_cast<float>(a.first[expert + 1] - a.first[expert]) * share * sum * share;
      }
    }
    a.loss[model] = a.loss[model] * s.loss_scale + s.load_balance * static_cast<float>(s.E) * mixed;
  }
};

// One expert a sample, its gate exactly 1. For i < rows * n: z becomes g = 2 scale I (z - x) where the ReLU is open.
struct OutputSlopeTop1 {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    const float z = a.output[i];
    const bool real = s.dense || a.entry_of_row[i / s.n] >= 0;
    a.output[i] = real && z > 0.0f ? 2.0f * s.loss_scale * a.importance[i % s.n] * (z - a.row[i]) : 0.0f;
  }
};

// For i < samples * n, k > 1: dL/dx'.
struct ErrorSlope {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    a.error[i] = 2.0f * s.loss_scale * a.importance[i % s.n] * reconstruction_error(s, a, i);
  }
};

// For i < rows * n, k > 1: z becomes g = gate dL/dx' where y > 0, and product y dL/dx'.
struct OutputSlopeTopK {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    const int entry = a.entry_of_row[i / s.n];
    const float y = relu(a.output[i]);
    const float slope = entry < 0 ? 0.0f : a.error[entry / s.k * s.n + i % s.n];
    a.product[i] = y * slope;
    a.output[i] = y > 0.0f && entry >= 0 ? a.gate[entry] * slope : 0.0f;
  }
};

// For sample < samples: dL/dscore. The load balance gives P_e (b_e - sum_j P_j b_j) with b_e = alpha E f_e / batch, and
// the gates of k > 1 experts gate (dL/dgate - sum over the active of gate dL/dgate).
struct ScoreSlope {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int sample) const {
    float* slope = a.score_slope + sample * s.E;
    const int first_expert = sample / s.batch * s.E;
    if (s.balance) {
      const float share = 1.0f / static_cast<float>(s.batch);
      const float factor = s.load_balance * static_cast<float>(s.E) * share * share;
      float mean = 0.0f;
      for (int e = 0; e < s.E; ++e) mean += slope[e] * factor * count(first_expert + e);
      for (int e = 0; e < s.E; ++e) slope[e] *= factor * count(first_expert + e) - mean;
    } else {
      for (int e = 0; e < s.E; ++e) slope[e] = 0.0f;
    }
    if (s.k == 1) return;
    float mean = 0.0f;
    for (int entry = sample * s.k; entry < (sample + 1) * s.k; ++entry) {
      mean += a.gate[entry] * a.gate_slope[a.row_of_entry[entry]];
    }
    for (int entry = sample * s.k; entry < (sample + 1) * s.k; ++entry) {
      const int e = static_cast<int>(a.key[entry]) - first_expert;
      slope[e] += a.gate[entry] * (a.gate_slope[a.row_of_entry[entry]] - mean);
    }
  }

 private:
  PEER_METHOD float count(int expert) const { return static_cast<float>(a.first[expert + 1] - a.first[expert]); }
};

}  // namespace phasegrid::unfused
