// Stands in for cuda_backend.cpp in a build without nvcc.
#include "backend.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {

std::string cuda_problem() {
  return "this build has no CUDA backend, because nvcc was not found when it was configured (install the CUDA toolkit, "
         "version 12 or newer, and build again)";
}
std::string cuda_device_name() { return ""; }
std::string cuda_problem(const PlannedSweep&) { return cuda_problem(); }
void train_on_cuda(std::span<const PlannedSweep>, Sink&) { throw DeviceError(cuda_problem()); }

}  // namespace phasegrid
