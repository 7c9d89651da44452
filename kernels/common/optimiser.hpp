// The optimiser: what it needs of each step, what it remembers of each parameter (kOptimiserStates), and the one loop
// over a model's parameters.
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
  if (cell.schedule == Schedule::constant && !dropped) return {cell.learning_rate, cell.decay};
  const float done = static_cast<float>(step - 1) / static_cast<float>(cell.steps);
  float factor = dropped ? cell.drop_factor : 1.0f;
  if (cell.schedule == Schedule::linear) factor = factor * (1.0f - done);
  if (cell.schedule == Schedule::cosine) factor = factor * half_cosine(done);
  const float rate = cell.learning_rate * factor;
  return {rate, fma(-rate, cell.weight_decay, 1.0f)};
}

// The numbers of one step that all parameters share.
struct OptimiserStep {
  Rate rate;
  BiasCorrection correction;
};

PG_INLINE OptimiserStep optimiser_step(const Job& job, const CellSettings& cell, int step, bool dropped) {
  return {rate_at(cell, step, dropped), job.corrections[step < job.n_corrections ? step - 1 : job.n_corrections - 1]};
}

// AdamW (Loshchilov and Hutter, 2019), in the order of PyTorch's: decay the parameter, update both moments, step.
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

// While every parameter is below this, and importances are at most 1e9, no product or sum of a batch comes near the
// largest float, so the loss is finite without looking.
constexpr float kSurelyFinite = 1e4f;

// Updates `count` parameters, a multiple of kWidth; `me` of `others` threads takes its share. State i of parameter p is
// states[i * count + p]. Returns whether one of this thread's left the range where losses surely are finite.
PG_INLINE bool update_parameters(const OptimiserStep& now, int me, int others, int count, const float* gradient,
                                 float* parameters, float* states) {
  bool large = false;
  for (int p = me * kWidth; p < count; p += others * kWidth) {
    Floats parameter = load(parameters + p), first = load(states + p), second = load(states + count + p);
    adamw(now.rate, now.correction, load(gradient + p), parameter, first, second);
    store(parameters + p, parameter);
    store(states + p, first);
    store(states + count + p, second);
    const Mask small = both(greater(Floats(kSurelyFinite), parameter), greater(parameter, Floats(-kSurelyFinite)));
    large = large || any(negate(small));
  }
  return large;
}

}  // namespace phasegrid::PHASEGRID_MACHINE
