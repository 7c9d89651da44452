// The block mapping's kernel for models other than the paper's own, apart from the paper's, which it would make larger and
// slower.
#define PHASEGRID_BLOCK_WARPS 12
#include "block_kernel.cuh"

namespace phasegrid::cuda {
namespace {

__global__ void __launch_bounds__(kBlockThreads, 1)
    train_general(const __grid_constant__ Job job, const __grid_constant__ Shape shape,
                  const __grid_constant__ BlockLayout layout) {
  extern __shared__ float4 arena[];  // aligned to 16 bytes
  train_queue<GeneralModels>(job, shape, layout, reinterpret_cast<float*>(arena));
}

}  // namespace

BlockKernel general_block_kernel() { return {train_general, kBlockThreads}; }

}  // namespace phasegrid::cuda
