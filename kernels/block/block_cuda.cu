// The block mapping's kernel for the paper's own models, and the launcher of all three (block_cuda_general.cu,
// block_cuda_large.cu).
#include <algorithm>

// One block has a multiprocessor's shared memory, so it should have its warps: 12 are what their registers allow (168 a
// thread) without spills; with 16 some of the general kernel's spill.
#define PHASEGRID_BLOCK_WARPS 12
#include "block_kernel.cuh"

namespace phasegrid::cuda {
namespace {

__global__ void __launch_bounds__(kBlockThreads, 1)
    train_models(const __grid_constant__ Job job, const __grid_constant__ Shape shape,
                 const __grid_constant__ BlockLayout layout) {
  extern __shared__ float4 arena[];  // aligned to 16 bytes
  train_queue<PapersModels>(job, shape, layout, reinterpret_cast<float*>(arena));
}

}  // namespace
}  // namespace phasegrid::cuda

// ---------------------------------------------------------------- launchers
namespace phasegrid {
namespace {

constexpr int kLargestTile = 512;
constexpr int kTileInGlobal = 256;  // of a mixture in global memory: enough entries an expert to reuse its weights

cuda::BlockKernel kernel_for(bool plain, bool in_shared) {
  if (!in_shared) return cuda::large_block_kernel();
  return plain ? cuda::BlockKernel{cuda::train_models, cuda::kBlockThreads} : cuda::general_block_kernel();
}

}  // namespace

cudaError_t describe_block(const Shape& shape, int batch, bool load_balance, bool plain, int n_models,
                           BlockLaunch* launch) {
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
  if (cudaError_t e = cudaFuncGetAttributes(&attributes, kernel_for(plain, true).train); e != cudaSuccess) return e;
  const int unit = kLanes * samples_per_draw(shape.n_features);
  const int available = limit - static_cast<int>(attributes.sharedSizeBytes);
  const bool dense = shape.n_experts == 1;
  const int most = dense ? dense_tile(shape, batch) : tile_of_batch(shape.n_features, batch, kLargestTile);
  const auto fits = [&](const BlockLayout& layout) { return static_cast<int64_t>(layout.size) * 4 <= available; };
  BlockLayout layout{};
  for (int tile = most; tile >= (dense ? most : unit); tile -= unit) {  // a mixture's is the largest that fits
    layout = block_layout(shape, tile, load_balance, kLanes, false);
    if (fits(layout)) break;
  }
  launch->in_shared = fits(layout);
  launch->plain = plain;
  if (!launch->in_shared) {
    const int tile = dense ? most : tile_of_batch(shape.n_features, batch, kTileInGlobal);
    layout = block_layout(shape, tile, load_balance, kLanes, false);
  }
  launch->shared_bytes = launch->in_shared ? layout.size * 4 : 0;
  launch->shared_limit = available;
  launch->layout = layout;
  const cuda::BlockKernel kernel = kernel_for(plain, launch->in_shared);
  launch->threads_per_block = kernel.threads;
  if (cudaError_t e = cudaFuncGetAttributes(&attributes, kernel.train); e != cudaSuccess) return e;
  launch->registers = attributes.numRegs;
  launch->local_bytes = static_cast<int>(attributes.localSizeBytes);
  if (launch->in_shared) {
    if (cudaError_t e = cudaFuncSetAttribute(kernel.train, cudaFuncAttributeMaxDynamicSharedMemorySize, available);
        e != cudaSuccess) {
      return e;
    }
  }
  if (cudaError_t e = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks_per_processor, kernel.train, kernel.threads,
                                                                    static_cast<size_t>(launch->shared_bytes));
      e != cudaSuccess) {
    return e;
  }
  size_t total = 0;
  if (cudaError_t e = cudaMemGetInfo(&launch->global_free, &total); e != cudaSuccess) return e;
  const size_t states = kOptimiserStates * static_cast<size_t>(layout.parameter_floats);
  launch->global_bytes = 4 * (states + (launch->in_shared ? 0 : static_cast<size_t>(layout.size)));
  const size_t room = launch->global_free / 10 * 8 / launch->global_bytes;  // blocks
  if (room == 0) launch->layout.tile = 0;
  const size_t wanted = static_cast<size_t>(std::min(processors * blocks_per_processor, n_models));
  launch->blocks = static_cast<int>(std::min(wanted, room));
  return cudaSuccess;
}

cudaError_t launch_block(const Shape& shape, const BlockLaunch& launch, const Job& job, cudaStream_t stream) {
  if (launch.blocks == 0) return cudaSuccess;
  const cuda::BlockKernel kernel = kernel_for(launch.plain, launch.in_shared);
  kernel.train<<<launch.blocks, launch.threads_per_block, static_cast<size_t>(launch.shared_bytes), stream>>>(
      job, shape, launch.layout);
  return cudaGetLastError();
}

}  // namespace phasegrid
