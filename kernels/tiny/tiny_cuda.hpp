// Launching the tiny mapping on a GPU.
#pragma once

#include <cuda_runtime_api.h>

#include "common/job.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid {

// What a launch is made of, for reports and tests.
struct TinyLaunch {
  int blocks = 0;
  int threads_per_block = 0;
  int registers = 0;             // a thread
  int local_bytes = 0;           // a thread: stack and spills
  int shared_bytes = 0;          // a block
};

// Queues one persistent grid that trains the models of the job's queue; all pointers of the job are device-accessible.
// The launch's own error is returned; what goes wrong while it runs is found by the stream's next call.
cudaError_t launch_tiny(const Shape& shape, const TinyLaunch& launch, const Job& job, cudaStream_t stream);

// How the current device would train so many models. Loads the kernel.
cudaError_t describe_tiny(const Shape& shape, int n_models, TinyLaunch* launch);

}  // namespace phasegrid
