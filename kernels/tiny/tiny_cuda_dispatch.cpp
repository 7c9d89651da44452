// From a run-time number of features to the object compiled for it.
#include "tiny_cuda.hpp"

namespace phasegrid {
namespace cuda {

// Each compiled from tiny_cuda.cu.
template <int n>
cudaError_t launch_features(const Shape& shape, const TinyLaunch& launch, const Job& job, cudaStream_t stream);
template <int n>
cudaError_t describe_features(const Shape& shape, int n_models, TinyLaunch* launch);
#define PHASEGRID_DECLARE(n)                                                                 \
  template <>                                                                                \
  cudaError_t launch_features<n>(const Shape&, const TinyLaunch&, const Job&, cudaStream_t); \
  template <>                                                                                \
  cudaError_t describe_features<n>(const Shape&, int, TinyLaunch*);
PHASEGRID_DECLARE(1)
PHASEGRID_DECLARE(2)
PHASEGRID_DECLARE(3)
PHASEGRID_DECLARE(4)
#undef PHASEGRID_DECLARE

}  // namespace cuda

cudaError_t launch_tiny(const Shape& shape, const TinyLaunch& launch, const Job& job, cudaStream_t stream) {
  switch (shape.n_features) {
    case 1: return cuda::launch_features<1>(shape, launch, job, stream);
    case 2: return cuda::launch_features<2>(shape, launch, job, stream);
    case 3: return cuda::launch_features<3>(shape, launch, job, stream);
    case 4: return cuda::launch_features<4>(shape, launch, job, stream);
  }
  return cudaErrorInvalidValue;
}

cudaError_t describe_tiny(const Shape& shape, int n_models, TinyLaunch* launch) {
  switch (shape.n_features) {
    case 1: return cuda::describe_features<1>(shape, n_models, launch);
    case 2: return cuda::describe_features<2>(shape, n_models, launch);
    case 3: return cuda::describe_features<3>(shape, n_models, launch);
    case 4: return cuda::describe_features<4>(shape, n_models, launch);
  }
  return cudaErrorInvalidValue;
}

}  // namespace phasegrid
