// Launching the block mapping on a GPU.
#pragma once

#include <cuda_runtime_api.h>

#include "layout.hpp"
#include "common/job.hpp"

namespace phasegrid {

// What a launch is made of, for reports and tests.
struct BlockLaunch {
  BlockLayout layout{};
  int blocks = 0;
  int threads_per_block = 0;
  int registers = 0;     // a thread
  int local_bytes = 0;   // a thread: stack and spills
  int shared_bytes = 0;  // a block, as asked for
  int shared_limit = 0;  // what this GPU has for a block
  bool plain = true;      // the paper's models, for which a kernel of their own is made
  bool in_shared = true;  // else the model lies in global memory, beside the optimiser's states
  size_t global_bytes = 0;  // a block
  size_t global_free = 0;   // on this GPU, now
};

// How this GPU would train so many models of a shape, which are `plain` where all are the paper's (is_plain in plan.hpp): with a dense model's own tile, or the largest of a mixture that
// its shared memory holds; where none fits, in global memory. layout.tile is 0 where that has no room for one block.
cudaError_t describe_block(const Shape& shape, int batch, bool load_balance, bool plain, int n_models,
                           BlockLaunch* launch);

// Queues a persistent grid that trains every model of the job; all its pointers are device-accessible, job.states holds
// kOptimiserStates layout.parameter_floats for each of launch.blocks, and job.arenas layout.size for each where models are
// not in shared memory. The launch's own error is returned; what goes wrong while it runs is found by the stream's next
// call.
cudaError_t launch_block(const Shape& shape, const BlockLaunch& launch, const Job& job, cudaStream_t stream);

}  // namespace phasegrid
