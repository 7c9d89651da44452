// One model's whole training, from its initial parameters to its last loss. Written once, for both mappings: a Model is
// TinyModel or BlockModel, which offer
//   initialise(key, initial)        its initial parameters: random ones, or these [parameter_count]
//   loss(batch, scale)              the losses of a batch; NaN where a parameter is not finite
//   gradient(batch)                 the gradient of a batch, kept inside
//   update(step)                    of the optimiser; whether a parameter left the range where losses surely are finite
//   load_states(from)               the optimiser's states [kOptimiserStates][parameter_count], in place of zeros
//   write_parameters(to)            [parameter_count] as Shape orders them
//   write_states(to)                what load_states takes
//   any(a), is_writer()             whether any thread says so; whether this thread writes single numbers
#pragma once

#include "batch.hpp"
#include "init.hpp"
#include "job.hpp"
#include "optimiser.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

struct Outcome {
  Losses loss;
  int32_t status;
  bool stopped;  // asked to stop before the end: nothing is to be reported
};

// Steps between two looks at the stop flag; one where a step is so long that the flag is looked at within it too.
constexpr int kMostStepsBetweenLooks = 64;
PG_INLINE int steps_between_looks(int batch, int parameter_count) {
  const int steps = kWorkBetweenLooks / batch / parameter_count;
  return steps < 1 ? 1 : steps > kMostStepsBetweenLooks ? kMostStepsBetweenLooks : steps;
}

PG_INLINE bool is_finite(float a) { return (float_bits(a) & 0x7f800000u) != 0x7f800000u; }

// Keeps losses and parameters as snapshot `s` of model `index`.
template <class Model>
PG_INLINE void take_snapshot(const Job& job, int index, int s, Losses loss, int parameter_count, Model& model) {
  const size_t at = static_cast<size_t>(index) * static_cast<size_t>(job.n_snapshots) + static_cast<size_t>(s);
  if (model.is_writer()) job.snapshot_losses[at] = loss;
  model.write_parameters(job.snapshot_parameters + at * static_cast<size_t>(parameter_count));
}

// Keeps what model `index` became.
template <class Model>
PG_INLINE void write_model(const Job& job, int index, int parameter_count, const Model& model) {
  const size_t at = static_cast<size_t>(index) * static_cast<size_t>(parameter_count);
  model.write_parameters(job.parameters + at);
  if (job.final_states != nullptr) model.write_states(job.final_states + kOptimiserStates * at);
}

// Puts a model where its training begins; whether it has steps behind it.
template <class Model>
PG_INLINE bool begin_model(const Job& job, int index, Key key, int parameter_count, Model& model) {
  const size_t size = static_cast<size_t>(parameter_count);
  const int behind = job.first_steps == nullptr ? 0 : job.first_steps[index];
  const float* from = behind > 0              ? job.begun + static_cast<size_t>(index) * (1 + kOptimiserStates) * size
                      : job.initial != nullptr ? job.initial + static_cast<size_t>(job.models[index].cell) * size
                                               : nullptr;
  model.initialise(key, from);
  if (behind > 0) model.load_states(from + size);
  return behind > 0;
}

// The batch of a step, from 1; and the evaluation batch, always of fresh inputs.
PG_INLINE Batch training_batch(const CellSettings& cell, int restart, int step, const int32_t* stop = nullptr) {
  const Key of_cell{cell.key[0], cell.key[1]};
  return {cell.shared == SharedData::restarts ? of_cell : model_key(cell, restart),
          static_cast<uint32_t>(step),
          static_cast<uint32_t>(kStreamTrain),
          cell.batch,
          stop,
          &cell};
}
PG_INLINE Batch evaluation_batch(const CellSettings& cell, const int32_t* stop) {
  const Key of_cell{cell.key[0], cell.key[1]};
  return {of_cell, 0u, static_cast<uint32_t>(kStreamEvaluate), kEvaluationSamples, stop, &cell};
}

template <class Model>
PG_INLINE Outcome train_model(const Job& job, int index, const CellSettings& cell, int restart, int parameter_count,
                              Model& model) {
  const bool goes_on = begin_model(job, index, model_key(cell, restart), parameter_count, model);
  const bool watched = cell.drop_below > 0.0f || cell.stop_below > 0.0f;  // each batch's loss is looked at
  Losses loss{0.0f, 0.0f};
  // Whether a model that goes on had large parameters is not known.
  bool large = goes_on, dropped = false, ended = false;
  int snapshots = 0, next_look = 0;
  // Whether a batch of so many samples, just summed, may have been left off for a stop.
  const auto left_off = [&](int samples) PG_INLINE_LAMBDA {
    return samples > samples_between_looks(parameter_count) && model.any(read_flag(job.stop) != 0);
  };
  // (Read anew: the number kept from above takes some shapes' threads past the registers that as many warps have room for.)
  PG_NO_UNROLL
  for (int step = job.first_steps == nullptr ? 1 : job.first_steps[index] + 1; step <= cell.steps; ++step) {
    if (step >= next_look) {
      if (model.any(read_flag(job.stop) != 0)) return {loss, 0, true};
      if (model.is_writer()) write_number(job.steps_done + index, step - 1);
      next_look = step + steps_between_looks(cell.batch, parameter_count);
    }
    const Batch batch = training_batch(cell, restart, step, job.stop);
    const bool snapshot = snapshots < job.n_snapshots && job.snapshots[snapshots] == step - 1;
    if (large || watched || snapshot || step == cell.steps) {
      loss = model.loss(batch, cell.loss_scale);
      if (left_off(batch.samples)) return {loss, 0, true};
      if (!is_finite(loss.training)) return {loss, step, false};
      if (snapshot) take_snapshot(job, index, snapshots++, loss, parameter_count, model);
      dropped = dropped || loss.training < cell.drop_below;
      ended = loss.training < cell.stop_below;
    }
    if (ended) break;
    model.gradient(batch);
    large = model.update(optimiser_step(job, cell, step, dropped));
  }
  if (left_off(cell.batch)) return {loss, 0, true};  // of the last step's gradient; the loop has looked at those before
  // Two more losses may be asked for: that of the batch that would come next, for the last snapshot and for a model that
  // is not trained at all, and that of the evaluation batch, which is the cell's, the same for all its restarts. A model whose last step made it useless has
  // diverged too, though the loss of its last batch, taken before that step, is finite.
  PG_NO_UNROLL
  for (int last = 0; last < 2; ++last) {
    const bool evaluate = last == 1;
    const bool snapshot = !ended && snapshots < job.n_snapshots && job.snapshots[snapshots] == cell.steps;
    if (evaluate ? !(large || cell.keep_evaluation) : !(snapshot || cell.steps == 0)) continue;
    const Batch batch = evaluate ? evaluation_batch(cell, job.stop) : training_batch(cell, restart, cell.steps + 1, job.stop);
    const Losses fresh = model.loss(batch, evaluate ? cell.evaluation_scale : cell.loss_scale);
    if (left_off(batch.samples)) return {fresh, 0, true};
    if (!is_finite(fresh.training)) return {fresh, cell.steps > 0 ? cell.steps : 1, false};
    if (snapshot && !evaluate) take_snapshot(job, index, snapshots, fresh, parameter_count, model);
    if (evaluate ? cell.keep_evaluation != 0 : cell.steps == 0) loss = fresh;
  }
  return {loss, 0, false};
}

}  // namespace phasegrid::PHASEGRID_MACHINE
