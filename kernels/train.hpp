// One model's whole training, from its initial parameters to its last loss, by one team.
#pragma once

#include "adamw.hpp"
#include "gradient.hpp"
#include "init.hpp"
#include "job.hpp"
#include "loss.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// A model in training. The caller owns it (shared memory of a warp, or a thread's stack).
template <class S>
struct ModelStorage {
  // AdamW takes parameters kWidth at a time; the padding stays 0.
  static constexpr int kPadded = (S::kParameters + kWidth - 1) / kWidth * kWidth;
  alignas(64) float parameters[kPadded];
  alignas(64) float gradient[kPadded];
  alignas(64) float first_moment[kPadded];
  alignas(64) float second_moment[kPadded];
  StepStorage<S> step;
};

struct Outcome {
  float loss;
  int32_t status;
  bool stopped;  // asked to stop before the end: nothing is to be reported
};

// While every parameter is below this, and importances are at most 1e9, no product or sum of a batch comes near the
// largest float, so the loss is finite without looking.
constexpr float kSurelyFinite = 1e4f;
constexpr int kStepsBetweenStopChecks = 64;

PG_INLINE bool is_finite(float a) { return (float_bits(a) & 0x7f800000u) != 0x7f800000u; }

template <class S>
PG_INLINE void initialise(Key key, Team team, ModelStorage<S>& model) {
  for (int p = team.rank(); p < ModelStorage<S>::kPadded; p += team.size()) {
    model.parameters[p] = p < S::kParameters ? initial_parameter<S>(key, p) : 0.0f;
    model.gradient[p] = 0.0f;
    model.first_moment[p] = 0.0f;
    model.second_moment[p] = 0.0f;
  }
  team.barrier();  // every lane reads all parameters next
}

template <class S>
PG_INLINE void compute_gradient(const CellSettings& cell, int top_k, const Batch& batch, Team team,
                                ModelStorage<S>& model) {
  sum_gradients<S>(cell, top_k, batch, model.parameters, team, model.step);
  for (int p = team.rank(); p < S::kParameters; p += team.size()) {
    model.gradient[p] = gradient_of<S>(cell, model.step.gradient.total, model.parameters, p);
  }
  team.barrier();  // gradients read all parameters, and the next stage overwrites them
}

// Returns whether a parameter left the range in which the loss is surely finite.
template <class S>
PG_INLINE bool update_parameters(const CellSettings& cell, BiasCorrection correction, Team team,
                                 ModelStorage<S>& model) {
  bool large = false;
  for (int p = team.rank() * kWidth; p < ModelStorage<S>::kPadded; p += team.size() * kWidth) {
    Floats parameter = load(model.parameters + p);
    Floats first = load(model.first_moment + p), second = load(model.second_moment + p);
    adamw(cell, correction, load(model.gradient + p), parameter, first, second);
    store(model.parameters + p, parameter);
    store(model.first_moment + p, first);
    store(model.second_moment + p, second);
    const Mask small = both(greater(Floats(kSurelyFinite), parameter), greater(parameter, Floats(-kSurelyFinite)));
    large = large || any(negate(small));
  }
  team.barrier();  // every lane reads all parameters next
  return team.any(large);
}

template <class S>
PG_INLINE Outcome train_model(const Job& job, const CellSettings& cell, int restart, Team team,
                              ModelStorage<S>& model) {
  const Key key = model_key(cell, restart);
  initialise<S>(key, team, model);
  float loss = 0.0f;
  bool large = false;
  PG_NO_UNROLL
  for (int step = 1; step <= cell.steps; ++step) {
    if (step % kStepsBetweenStopChecks == 0 && team.any(read_flag(job.stop) != 0)) return {0.0f, 0, true};
    const Batch batch{key, static_cast<uint32_t>(step), static_cast<uint32_t>(kStreamTrain), cell.batch};
    if (large || step == cell.steps) {
      loss = batch_loss<S>(cell, job.top_k, batch, cell.loss_scale, model.parameters, team, model.step.loss);
      team.barrier();  // the loss is read from storage that the gradient overwrites
      if (!is_finite(loss)) return {loss, step, false};
    }
    compute_gradient<S>(cell, job.top_k, batch, team, model);
    const BiasCorrection correction = job.corrections[step < job.n_corrections ? step - 1 : job.n_corrections - 1];
    large = update_parameters<S>(cell, correction, team, model);
  }
  if (large || cell.keep_evaluation) {
    // The evaluation batch is the cell's, the same for all its restarts. A model whose last step made it useless has
    // diverged too, though the loss of its last batch, taken before that step, is finite.
    const Batch batch{{cell.key[0], cell.key[1]}, 0u, static_cast<uint32_t>(kStreamEvaluate), kEvaluationSamples};
    const float fresh =
        batch_loss<S>(cell, job.top_k, batch, cell.evaluation_scale, model.parameters, team, model.step.loss);
    if (!is_finite(fresh)) return {fresh, cell.steps, false};
    if (cell.keep_evaluation) loss = fresh;
  }
  return {loss, 0, false};
}

}  // namespace phasegrid::PHASEGRID_MACHINE
