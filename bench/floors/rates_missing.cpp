// measure_cuda_rates() in a build without CUDA.
#include "rates_cuda.hpp"

namespace phasegrid::bench {

CudaMeasurements measure_cuda_rates() {
  throw NoCuda("no GPU can be used: this build has no CUDA backend (no nvcc was found)");
}

}  // namespace phasegrid::bench
