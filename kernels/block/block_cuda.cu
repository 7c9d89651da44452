// The block mapping on CUDA: one block of threads trains one model from its initial parameters to its last loss, with
// parameters, gradient and a tile of the batch in shared memory and the optimiser's states in global memory. A
// persistent grid takes models from a queue.
#include <cuda_runtime.h>

#include <algorithm>

#include "block_cuda.hpp"
#include "model.hpp"

namespace phasegrid::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kLargestTile = 512;

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
PG_INLINE void publish(const Job& job, int index, const Outcome& outcome, int parameter_count, BlockTeam team,
                       const BlockModel& model) {
  model.write_parameters(job.parameters + static_cast<size_t>(index) * static_cast<size_t>(parameter_count));
  team.barrier();
  if (team.thread() != 0) return;
  job.losses[index] = outcome.loss;
  __threadfence_system();
  *static_cast<volatile int32_t*>(job.status + index) = outcome.status;
}

__global__ void __launch_bounds__(kThreads, 1)
    train_models(const __grid_constant__ Job job, const __grid_constant__ Shape shape,
                 const __grid_constant__ BlockLayout layout) {
  extern __shared__ float4 arena[];  // aligned to 16 bytes
  const BlockTeam team;
  const size_t states = kOptimiserStates * static_cast<size_t>(layout.parameter_floats);
  const BlockStorage storage{layout, reinterpret_cast<float*>(arena), job.states + blockIdx.x * states};
  for (int index = take_model(job, team); index < job.n_models; index = take_model(job, team)) {
    const ModelId id = job.models[index];
    const CellSettings& cell = job.cells[id.cell];
    BlockModel model(shape, cell, job.features + static_cast<size_t>(id.cell) * static_cast<size_t>(shape.n_features),
                     team, storage);
    const Outcome outcome = train_model(job, index, cell, id.restart, shape.parameter_count(), model);
    if (outcome.stopped) return;
    publish(job, index, outcome, shape.parameter_count(), team, model);
  }
}

}  // namespace
}  // namespace phasegrid::cuda

// ---------------------------------------------------------------- launchers
namespace phasegrid {

cudaError_t describe_block(const Shape& shape, int batch, bool load_balance, int n_models, BlockLaunch* launch) {
  int device = 0, processors = 0, blocks_per_processor = 0, limit = 0;
  cudaFuncAttributes attributes{};
  if (cudaError_t e = cudaGetDevice(&device); e != cudaSuccess) return e;
  if (cudaError_t e = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device); e != cudaSuccess) {
    return e;
  }
  if (cudaError_t e = cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
      e != cudaSuccess) {
    return e;
  }
  if (cudaError_t e = cudaFuncGetAttributes(&attributes, cuda::train_models); e != cudaSuccess) return e;
  const int unit = kLanes * samples_per_draw(shape.n_features);
  const int available = limit - static_cast<int>(attributes.sharedSizeBytes);
  const bool dense = shape.n_experts == 1;
  const int most = dense ? dense_tile(shape, batch) : tile_of_batch(shape.n_features, batch, cuda::kLargestTile);
  BlockLayout layout{};
  for (int tile = most; tile >= (dense ? most : unit); tile -= unit) {  // a mixture's is the largest that fits
    layout = block_layout(shape, tile, load_balance, kLanes, false);
    if (static_cast<int64_t>(layout.size) * 4 <= available) break;
  }
  launch->shared_bytes = layout.size * 4;
  launch->shared_limit = available;
  launch->threads_per_block = cuda::kThreads;
  launch->registers = attributes.numRegs;
  launch->local_bytes = static_cast<int>(attributes.localSizeBytes);
  launch->layout = layout;
  if (launch->shared_bytes > available) {
    launch->layout.tile = 0;
    return cudaSuccess;
  }
  if (cudaError_t e = cudaFuncSetAttribute(cuda::train_models, cudaFuncAttributeMaxDynamicSharedMemorySize, available);
      e != cudaSuccess) {
    return e;
  }
  if (cudaError_t e = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
          &blocks_per_processor, cuda::train_models, cuda::kThreads, static_cast<size_t>(launch->shared_bytes));
      e != cudaSuccess) {
    return e;
  }
  launch->blocks = std::min(processors * blocks_per_processor, n_models);
  return cudaSuccess;
}

cudaError_t launch_block(const Shape& shape, const BlockLaunch& launch, const Job& job, cudaStream_t stream) {
  if (launch.blocks == 0) return cudaSuccess;
  cuda::train_models<<<launch.blocks, launch.threads_per_block, static_cast<size_t>(launch.shared_bytes), stream>>>(
      job, shape, launch.layout);
  return cudaGetLastError();
}

}  // namespace phasegrid
