// The fused kernel on the CPU: one thread runs one model. Compiled once for every instruction set.
#include "fused_kernel.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// workspace [layout.size + kOptimiserStates layout.parameter_floats], aligned to 64 bytes.
void run_fused(const fused_moe::FusedJob& job, bool forward, int index, const BlockLayout& layout, float* workspace) {
  const BlockStorage storage{layout, workspace, workspace + layout.size};
  BlockModel model(job.shape, *job.cell, job.features, BlockTeam{}, storage);
  if (forward) {
    run_model<true>(job, index, model, BlockTeam{});
  } else {
    run_model<false>(job, index, model, BlockTeam{});
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
