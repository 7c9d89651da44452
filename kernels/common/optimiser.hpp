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

// cos(pi x / 2) for x in [0, 1], to 1e-6: Taylor's series.
PG_INLINE float quarter_cosine(float x) {
  const float y = x * 1.57079633f;
  const float z = y * y;
  float cosine = -2.7557319e-7f;
  cosine = fma(cosine, z, 2.4801587e-5f);
  cosine = fma(cosine, z, -1.3888889e-3f);
  cosine = fma(cosine, z, 4.1666667e-2f);
  cosine = fma(cosine, z, -0.5f);
  return fma(cosine, z, 1.0f);
}
// cos^2(pi x / 2) = (1 + cos(pi x)) / 2.
PG_INLINE float half_cosine(float x) {
  const float cosine = quarter_cosine(x);
  return cosine * cosine;
}

// `step` counts from 1; `dropped`: a loss has been below drop_below.
PG_INLINE Rate rate_at(const CellSettings& cell, int step, bool dropped) {
  const bool warming = step <= cell.warmup;
  if (cell.schedule == Schedule::constant && !dropped && !warming) return {cell.learning_rate, cell.decay};
  const float done = static_cast<float>(step - 1) / static_cast<float>(cell.steps);
  float factor = dropped ? cell.drop_factor : 1.0f;
  if (warming) {
    factor = factor * (static_cast<float>(step) / static_cast<float>(cell.warmup));
  } else if (cell.schedule != Schedule::constant) {
    const float scheduled = cell.schedule == Schedule::linear   ? 1.0f - done
                            : cell.schedule == Schedule::cosine ? half_cosine(done)
                                                                : quarter_cosine(done);
    factor = factor * fma(1.0f - cell.floor, scheduled, cell.floor);
  }
  const float rate = cell.learning_rate * factor;
  return {rate, fma(-rate, cell.weight_decay, 1.0f)};
}

// The numbers of one step that all parameters share.
struct OptimiserStep {
  Rate rate;
  BiasCorrection correction;
  float weight_decay;
  OptimizerSettings settings;
};

PG_INLINE OptimiserStep optimiser_step(const Job& job, const CellSettings& cell, int step, bool dropped) {
  const int at = step < job.n_corrections ? step - 1 : job.n_corrections - 1;
  return {rate_at(cell, step, dropped), job.corrections[cell.optimizer.betas * job.n_corrections + at], cell.weight_decay,
          cell.optimizer};
}

// The two moments of a gradient, and the step that Adam takes from them: first / (sqrt(second) + epsilon), corrected.
PG_INLINE Floats adam_direction(const OptimiserStep& now, Floats gradient, Floats& first, Floats& second) {
  // A moment that no gradient feeds any more decays for ever; it is cut off where it can no longer be felt, before it
  // becomes subnormal, which CPUs are slow at. (epsilon is 1e-8, so a first moment of 1e-30 moves nothing.)
  first = fma(Floats(now.settings.beta1), first, Floats(now.settings.one_less_beta1) * gradient);
  first = select(both(greater(Floats(1e-30f), first), greater(first, Floats(-1e-30f))), Floats(0.0f), first);
  second = fma(Floats(now.settings.beta2), second, (Floats(now.settings.one_less_beta2) * gradient) * gradient);
  second = select(greater(Floats(1e-36f), second), Floats(0.0f), second);
  const Floats denominator = fma(square_root(second), Floats(now.correction.second), Floats(now.settings.epsilon));
  return divide_by_positive(first, denominator);
}

// AdamW (Loshchilov and Hutter, 2019), in the order of PyTorch's: decay the parameter, update both moments, step.
struct AdamW {
  PG_INLINE static void step(const OptimiserStep& now, Floats gradient, Floats decays, Floats& parameter, Floats& first,
                             Floats& second) {
    const Floats direction = adam_direction(now, gradient, first, second);
    const Floats step = Floats(0.0f) - Floats(now.rate.learning_rate * now.correction.first);
    const Floats decay = select(greater(decays, Floats(0.0f)), Floats(now.rate.decay), Floats(1.0f));
    parameter = fma(step, direction, parameter * decay);
  }
};

// Adam (Kingma and Ba, 2015) with L2: the decay is part of the gradient.
struct Adam {
  PG_INLINE static void step(const OptimiserStep& now, Floats gradient, Floats decays, Floats& parameter, Floats& first,
                             Floats& second) {
    gradient = fma(decays * Floats(now.weight_decay), parameter, gradient);
    const Floats direction = adam_direction(now, gradient, first, second);
    parameter = fma(Floats(0.0f) - Floats(now.rate.learning_rate * now.correction.first), direction, parameter);
  }
};

// Stochastic gradient descent with momentum; `velocity` is its state.
struct Sgd {
  PG_INLINE static void step(const OptimiserStep& now, Floats gradient, Floats decays, Floats& parameter,
                             Floats& velocity, Floats&) {
    gradient = fma(decays * Floats(now.weight_decay), parameter, gradient);
    velocity = fma(Floats(now.settings.momentum), velocity, gradient);
    velocity = select(both(greater(Floats(1e-30f), velocity), greater(velocity, Floats(-1e-30f))), Floats(0.0f), velocity);
    parameter = fma(Floats(0.0f) - Floats(now.rate.learning_rate), velocity, parameter);
  }
};

// While every parameter is below this, and importances are at most 1e9, no product or sum of a batch comes near the
// largest float, so the loss is finite without looking.
constexpr float kSurelyFinite = 1e4f;

template <class Optimiser, class Decays>
PG_INLINE bool update_by(const OptimiserStep& now, int me, int others, int count, const float* gradient,
                         float* parameters, float* states, Decays&& decays) {
  bool large = false;
  for (int p = me * kWidth; p < count; p += others * kWidth) {
    Floats parameter = load(parameters + p), first = load(states + p), second = load(states + count + p);
    Optimiser::step(now, load(gradient + p), decays(p), parameter, first, second);
    store(parameters + p, parameter);
    store(states + p, first);
    store(states + count + p, second);
    const Mask small = both(greater(Floats(kSurelyFinite), parameter), greater(parameter, Floats(-kSurelyFinite)));
    large = large || any(negate(small));
  }
  return large;
}

// Updates `count` parameters, a multiple of kWidth; `me` of `others` threads takes its share. State i of parameter p is
// states[i * count + p]. is_weight(p): 1 where parameters p .. p + kWidth - 1 are weights, else 0. Returns whether one of
// this thread's left the range where losses surely are finite.
template <class IsWeight>
PG_INLINE bool update_parameters(const OptimiserStep& now, int me, int others, int count, const float* gradient,
                                 float* parameters, float* states, IsWeight&& is_weight) {
  const auto decays = [&](int p) PG_INLINE_LAMBDA {
    return now.settings.decay_on == DecayOn::all ? Floats(1.0f) : is_weight(p);
  };
  if (now.settings.kind == Optimizer::adamw) {
    return update_by<AdamW>(now, me, others, count, gradient, parameters, states, decays);
  }
  if (now.settings.kind == Optimizer::adam) {
    return update_by<Adam>(now, me, others, count, gradient, parameters, states, decays);
  }
  return update_by<Sgd>(now, me, others, count, gradient, parameters, states, decays);
}

}  // namespace phasegrid::PHASEGRID_MACHINE
