// AdamW (Loshchilov and Hutter, 2019), in the order of PyTorch's: decay the parameter, update both moments, step.
#pragma once

#include "job.hpp"
#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// The learning rate of one step, and what a parameter is multiplied by: 1 - rate * weight decay.
struct Rate {
  float learning_rate, decay;
};

// cos^2(pi x / 2) = (1 + cos(pi x)) / 2 for x in [0, 1], to 1e-6: Taylor's series of the cosine.
PG_INLINE float half_cosine(float x) {
  const float y = x * 1.57079633f;
  const float z = y * y;
  float cosine = -2.7557319e-7f;
  cosine = fma(cosine, z, 2.4801587e-5f);
  cosine = fma(cosine, z, -1.3888889e-3f);
  cosine = fma(cosine, z, 4.1666667e-2f);
  cosine = fma(cosine, z, -0.5f);
  cosine = fma(cosine, z, 1.0f);
  return cosine * cosine;
}

// `step` counts from 1; `dropped`: a loss has been below drop_below.
PG_INLINE Rate rate_at(const CellSettings& cell, int step, bool dropped) {
  if (cell.schedule == kScheduleConstant && !dropped) return {cell.learning_rate, cell.decay};
  const float done = static_cast<float>(step - 1) / static_cast<float>(cell.steps);
  float factor = dropped ? cell.drop_factor : 1.0f;
  if (cell.schedule == kScheduleLinear) factor = factor * (1.0f - done);
  if (cell.schedule == kScheduleCosine) factor = factor * half_cosine(done);
  const float rate = cell.learning_rate * factor;
  return {rate, fma(-rate, cell.weight_decay, 1.0f)};
}

PG_INLINE void adamw(Rate rate, BiasCorrection correction, Floats gradient, Floats& parameter, Floats& first,
                     Floats& second) {
  // A moment that no gradient feeds any more decays for ever; it is cut off where it can no longer be felt, before it
  // becomes subnormal, which CPUs are slow at. (epsilon is 1e-8, so a first moment of 1e-30 moves nothing.)
  first = fma(Floats(kBeta1), first, Floats(kOneLessBeta1) * gradient);
  first = select(both(greater(Floats(1e-30f), first), greater(first, Floats(-1e-30f))), Floats(0.0f), first);
  second = fma(Floats(kBeta2), second, (Floats(kOneLessBeta2) * gradient) * gradient);
  second = select(greater(Floats(1e-36f), second), Floats(0.0f), second);
  const Floats denominator = fma(square_root(second), Floats(correction.second), Floats(kEpsilon));
  const Floats step = Floats(0.0f) - Floats(rate.learning_rate * correction.first);
  parameter = fma(step, first / denominator, parameter * Floats(rate.decay));
}

}  // namespace phasegrid::PHASEGRID_MACHINE
