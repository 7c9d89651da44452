// The block mapping on CUDA: one block of threads trains one model from its initial parameters to its last loss, with
// parameters, gradient and a tile of the batch in an arena, which is shared memory where that has room, and the
// optimiser's states in global memory. A persistent grid takes models from a queue. What includes this says before how
// many warps a block has, PHASEGRID_BLOCK_WARPS.
#pragma once

#include <cuda_runtime.h>

#include "block_cuda.hpp"
#include "model.hpp"

namespace phasegrid::cuda {

constexpr int kBlockThreads = kLanes * PHASEGRID_BLOCK_WARPS;

// Thread 0 takes the next model for its block.
PG_INLINE int take_model(const Job& job, BlockTeam team) {
  __shared__ int index;
  team.barrier();  // everyone has read the index before
  if (team.thread() == 0) index = atomicAdd(job.next, 1);
  team.barrier();
  return index;
}

// The host reads results while the kernel runs, so the status comes last: the barrier orders every thread's
// parameters before the fence, and the fence, which passes on what it has seen, before the status.
template <class Model>
PG_INLINE void publish(const Job& job, int index, const Outcome& outcome, int parameter_count, BlockTeam team,
                       const Model& model) {
  write_model(job, index, parameter_count, model);
  team.barrier();
  if (team.thread() != 0) return;
  job.losses[index] = outcome.loss;
  __threadfence_system();
  *static_cast<volatile int32_t*>(job.status + index) = outcome.status;
}

// Every model that this block gets. Models are those of Models (model.hpp).
template <class Models>
PG_INLINE void train_queue(const Job& job, const Shape& shape, const BlockLayout& layout, float* arena) {
  const BlockTeam team;
  const size_t states = kOptimiserStates * static_cast<size_t>(layout.parameter_floats);
  BlockStorage storage{layout, arena, job.states + blockIdx.x * states};
  if constexpr (!Models::kGeneral) storage.l.decoder = 0;  // so that the compiler knows: weights are tied
  for (int index = take_model(job, team); index < job.n_models; index = take_model(job, team)) {
    const ModelId id = job.models[index];
    const CellSettings& cell = job.cells[id.cell];
    BasicBlockModel<Models> model(
        shape, cell, job.features + static_cast<size_t>(id.cell) * static_cast<size_t>(shape.n_features), team, storage);
    const Outcome outcome = train_model(job, index, cell, id.restart, shape.parameter_count(), model);
    if (outcome.stopped) return;
    publish(job, index, outcome, shape.parameter_count(), team, model);
  }
}

struct BlockKernel {
  void (*train)(Job, Shape, BlockLayout);
  int threads;  // of a block
};
// Of models other than the paper's, and of all that do not fit shared memory (block_cuda_general.cu, block_cuda_large.cu).
BlockKernel general_block_kernel();
BlockKernel large_block_kernel();

}  // namespace phasegrid::cuda
