// The block mapping's kernels for models other than the paper's own, and for all that do not fit shared memory. One a kind
// of memory: an address that may be of either would be slower to use. They are apart from the paper's kernel, which they
// would make larger and slower.
#include "block_kernel.cuh"

namespace phasegrid::cuda {
namespace {

__global__ void __launch_bounds__(kBlockThreads, 1)
    train_general(const __grid_constant__ Job job, const __grid_constant__ Shape shape,
                  const __grid_constant__ BlockLayout layout) {
  extern __shared__ float4 arena[];  // aligned to 16 bytes
  train_queue<GeneralModels>(job, shape, layout, reinterpret_cast<float*>(arena));
}

// The arena of each block of the grid lies in global memory, which the second-level cache serves.
__global__ void __launch_bounds__(kBlockThreads, 1)
    train_large(const __grid_constant__ Job job, const __grid_constant__ Shape shape,
                const __grid_constant__ BlockLayout layout) {
  train_queue<GeneralModels>(job, shape, layout, job.arenas + blockIdx.x * static_cast<size_t>(layout.size));
}

}  // namespace

BlockKernel general_block_kernel(bool in_shared) { return in_shared ? train_general : train_large; }

}  // namespace phasegrid::cuda
