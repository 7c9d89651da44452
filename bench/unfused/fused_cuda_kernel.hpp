// Launching the fused kernel on a GPU.
#pragma once

#include <cuda_runtime_api.h>

#include "fused_job.hpp"

namespace phasegrid::fused_moe {

struct FusedLaunch {
  BlockLayout layout{};  // tile 0: the model does not fit
  int blocks = 0;
  int threads_per_block = 0;
  int registers = 0;     // a thread
  int shared_bytes = 0;  // a block
  int shared_limit = 0;  // what this GPU has for a block
};

// As phasegrid itself would train the models (block/block_cuda.hpp), with the registers of this benchmark's kernel.
cudaError_t describe_fused(const Shape& shape, int batch, int models, bool forward, FusedLaunch* launch);

// Queues every model of the job; job.states holds kOptimiserStates layout.parameter_floats for each of launch.blocks.
cudaError_t launch_fused(const FusedJob& job, bool forward, const FusedLaunch& launch, cudaStream_t stream);

}  // namespace phasegrid::fused_moe
