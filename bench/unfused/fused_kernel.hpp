// Steps, or forward passes alone, of one model of the block mapping: the training loop of kernels/common/train.hpp with given
// parameters and without its bookkeeping, over the same stages.
#pragma once

#include "block/model.hpp"
#include "fused_job.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Forward: draw a batch, route it, run it through the experts, sum the loss. A step: the gradient of a batch, AdamW.
template <bool kForward, class Model>
PG_INLINE void run_model(const fused_moe::FusedJob& job, int index, Model& model, BlockTeam team) {
  const int count = job.shape.parameter_count();
  model.set_up();
  for (int p = team.thread(); p < count; p += team.threads()) *model.parameter(p) = job.parameters[p];
  team.barrier();
  const CellSettings& cell = *job.cell;
  const Key key = model_key(cell, index);
  float loss = 0.0f;
  PG_NO_UNROLL
  for (int step = 1; step <= job.steps; ++step) {
    const Batch batch{key, static_cast<uint32_t>(step), static_cast<uint32_t>(kStreamTrain), cell.batch};
    if constexpr (kForward) {
      loss = model.loss(batch, cell.loss_scale).training;
    } else {
      model.gradient(batch);
      model.update({rate_at(cell, step, false), job.corrections[step - 1], cell.weight_decay, cell.optimizer});
    }
  }
  model.write_parameters(job.trained + static_cast<size_t>(index) * static_cast<size_t>(count));
  if (kForward && model.is_writer()) job.losses[index] = loss;
}

}  // namespace phasegrid::PHASEGRID_MACHINE
