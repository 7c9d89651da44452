// Stands in for cuda_backend.cpp and cuda_gpus.cpp in a build without nvcc.
#include "backend.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {

Gpus find_gpus() {
  Gpus none;
  none.problem =
      "this build has no CUDA backend, because nvcc was not found when it was configured (install the CUDA toolkit, "
      "version 12 or newer, and build again)";
  return none;
}
std::vector<int> gpus_for(const Gpus&, const PlannedModels&) { return {}; }
std::string problem_with(const Gpus& gpus, const PlannedModels&) { return gpus.problem; }
void train_on_cuda(const Gpus& gpus, std::span<const PlannedSweep>, Sink&) { throw DeviceError(gpus.problem); }

}  // namespace phasegrid
