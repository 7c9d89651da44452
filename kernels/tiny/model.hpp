// The tiny mapping's model: one warp, or one CPU thread, holds all of a model; the lanes are samples of a batch.
#pragma once

#include "gradient.hpp"
#include "common/train.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// A model in training. The caller owns it (shared memory of a warp, or a thread's stack).
template <class S>
struct ModelStorage {
  // The optimiser takes parameters kWidth at a time; the padding stays 0.
  static constexpr int kPadded = (S::kParameters + kWidth - 1) / kWidth * kWidth;
  alignas(64) float parameters[kPadded];
  alignas(64) float gradient[kPadded];
  alignas(64) float states[kOptimiserStates * kPadded];
  StepStorage<S> step;
};

template <class S>
class TinyModel {
 public:
  PG_INLINE TinyModel(const CellSettings& cell, int top_k, Team team, ModelStorage<S>& storage)
      : cell_(cell), top_k_(top_k), team_(team), model_(storage) {}

  PG_INLINE void initialise(Key key, const float* initial) {
    const Shape shape{S::n, S::m, S::E, 1};  // a copy, for device code cannot name S::kShape
    for (int p = team_.rank(); p < ModelStorage<S>::kPadded; p += team_.size()) {
      const bool real = p < S::kParameters;
      model_.parameters[p] = !real ? 0.0f : initial == nullptr ? initial_parameter(shape, cell_, key, p) : initial[p];
      model_.gradient[p] = 0.0f;
      PG_UNROLL
      for (int i = 0; i < kOptimiserStates; ++i) model_.states[i * ModelStorage<S>::kPadded + p] = 0.0f;
    }
    team_.barrier();  // every lane reads all parameters next
  }

  PG_INLINE Losses loss(const Batch& batch, float scale) {
    const Losses loss = batch_loss<S>(cell_, top_k_, batch, scale, model_.parameters, team_, model_.step.loss);
    team_.barrier();  // the loss is read from storage that the gradient overwrites
    return loss;
  }

  PG_INLINE void gradient(const Batch& batch) {
    sum_gradients<S>(cell_, top_k_, batch, model_.parameters, team_, model_.step);
    team_.template for_each_index<S::kParameters>([&](int p) PG_INLINE_LAMBDA {
      model_.gradient[p] = gradient_of<S>(cell_, model_.step.gradient.total, model_.parameters, p);
    });
    team_.barrier();  // gradients read all parameters, and the next stage overwrites them
  }

  PG_INLINE bool update(const OptimiserStep& step) {
    const bool large = update_parameters(step, team_.rank(), team_.size(), ModelStorage<S>::kPadded, model_.gradient,
                                         model_.parameters, model_.states, [](int p) PG_INLINE_LAMBDA {
                                           return keep(lanes_below(p, S::kBias), Floats(1.0f));
                                         });
    team_.barrier();  // every lane reads all parameters next
    return team_.any(large);
  }

  PG_INLINE void write_parameters(float* to) const {
    for (int p = team_.rank(); p < S::kParameters; p += team_.size()) to[p] = model_.parameters[p];
  }

  PG_INLINE void write_states(float* to) const {
    for (int p = team_.rank(); p < S::kParameters; p += team_.size()) {
      PG_UNROLL
      for (int i = 0; i < kOptimiserStates; ++i) {
        to[i * S::kParameters + p] = model_.states[i * ModelStorage<S>::kPadded + p];
      }
    }
  }
  PG_INLINE void load_states(const float* from) {
    for (int p = team_.rank(); p < S::kParameters; p += team_.size()) {
      PG_UNROLL
      for (int i = 0; i < kOptimiserStates; ++i) {
        model_.states[i * ModelStorage<S>::kPadded + p] = from[i * S::kParameters + p];
      }
    }
    team_.barrier();  // an update reads them by vectors
  }

  PG_INLINE bool any(bool a) const { return team_.any(a); }
  PG_INLINE bool is_writer() const { return team_.rank() == 0; }

 private:
  const CellSettings& cell_;
  int top_k_;
  Team team_;
  ModelStorage<S>& model_;
};

}  // namespace phasegrid::PHASEGRID_MACHINE
