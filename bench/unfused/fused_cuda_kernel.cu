// The fused kernel on CUDA: one block of threads runs one model after the other, in the layout that phasegrid's own
// launcher chooses. Forward passes alone, which phasegrid never needs, are a kernel of their own.
#include <algorithm>

#include "block/block_cuda.hpp"
#include "fused_cuda_kernel.hpp"
#include "fused_kernel.hpp"

namespace phasegrid::cuda {
namespace {

constexpr int kMostThreads = 256;  // the block mapping's; launch_fused refuses more

template <bool kForward>
__global__ void __launch_bounds__(kMostThreads, 1)
    run_models(const __grid_constant__ fused_moe::FusedJob job, const __grid_constant__ BlockLayout layout) {
  extern __shared__ float4 arena[];  // aligned to 16 bytes
  const BlockTeam team;
  const size_t states = kOptimiserStates * static_cast<size_t>(layout.parameter_floats);
  const BlockStorage storage{layout, reinterpret_cast<float*>(arena), job.states + blockIdx.x * states};
  for (int index = static_cast<int>(blockIdx.x); index < job.models; index += static_cast<int>(gridDim.x)) {
    BasicBlockModel<PapersModels> model(job.shape, *job.cell, job.features, team, storage);
    run_model<kForward>(job, index, model, team);
  }
}

using Kernel = void (*)(fused_moe::FusedJob, BlockLayout);
Kernel kernel_of(bool forward) { return forward ? run_models<true> : run_models<false>; }

}  // namespace
}  // namespace phasegrid::cuda

namespace phasegrid::fused_moe {

cudaError_t describe_fused(const Shape& shape, int batch, int models, bool forward, FusedLaunch* launch) {
  BlockLaunch block;
  if (cudaError_t e = describe_block(shape, batch, false, true, models, &block); e != cudaSuccess) return e;
  launch->layout = block.layout;
  launch->threads_per_block = block.threads_per_block;
  launch->shared_bytes = block.shared_bytes;
  launch->shared_limit = block.shared_limit;
  if (block.layout.tile == 0) return cudaSuccess;
  if (block.threads_per_block > cuda::kMostThreads) return cudaErrorInvalidConfiguration;
  const auto kernel = cuda::kernel_of(forward);
  int device = 0, processors = 0, blocks_per_processor = 0;
  cudaFuncAttributes attributes{};
  if (cudaError_t e = cudaGetDevice(&device); e != cudaSuccess) return e;
  if (cudaError_t e = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device); e != cudaSuccess) {
    return e;
  }
  if (cudaError_t e = cudaFuncGetAttributes(&attributes, kernel); e != cudaSuccess) return e;
  if (cudaError_t e = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, block.shared_limit);
      e != cudaSuccess) {
    return e;
  }
  if (cudaError_t e = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
          &blocks_per_processor, kernel, block.threads_per_block, static_cast<size_t>(block.shared_bytes));
      e != cudaSuccess) {
    return e;
  }
  launch->registers = attributes.numRegs;
  launch->blocks = std::min(processors * blocks_per_processor, models);
  return cudaSuccess;
}

cudaError_t launch_fused(const FusedJob& job, bool forward, const FusedLaunch& launch, cudaStream_t stream) {
  cuda::kernel_of(forward)<<<static_cast<unsigned>(launch.blocks), static_cast<unsigned>(launch.threads_per_block),
                             static_cast<size_t>(launch.shared_bytes), stream>>>(job, launch.layout);
  return cudaGetLastError();
}

}  // namespace phasegrid::fused_moe
