// The block mapping's kernel for models that do not fit shared memory: the arena of each block of the grid lies in global
// memory, which the second-level cache serves. It is a kernel of its own, as an address that may be of either memory would
// be slower to use. Global addresses take twice the registers, so this one alone may spill some (kernels/CMakeLists.txt).
// Eight warps, as its 64-bit addresses take twice the registers.
#define PHASEGRID_BLOCK_WARPS 8
#include "block_kernel.cuh"

namespace phasegrid::cuda {
namespace {

__global__ void __launch_bounds__(kBlockThreads, 1)
    train_large(const __grid_constant__ Job job, const __grid_constant__ Shape shape,
                const __grid_constant__ BlockLayout layout) {
  train_queue<GeneralModels>(job, shape, layout, job.arenas + blockIdx.x * static_cast<size_t>(layout.size));
}

}  // namespace

BlockKernel large_block_kernel() { return {train_large, kBlockThreads}; }

}  // namespace phasegrid::cuda
