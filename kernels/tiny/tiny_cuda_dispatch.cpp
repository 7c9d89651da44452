// From a run-time number of features to the object compiled for it.
#include "tiny.hpp"
#include "tiny_cuda.hpp"

namespace phasegrid {
namespace cuda {

// Each compiled from tiny_cuda.cu.
template <int n>
cudaError_t launch_features(const Shape& shape, const TinyLaunch& launch, const Job& job, cudaStream_t stream);
template <int n>
cudaError_t describe_features(const Shape& shape, int n_models, TinyLaunch* launch);

}  // namespace cuda

cudaError_t launch_tiny(const Shape& shape, const TinyLaunch& launch, const Job& job, cudaStream_t stream) {
  cudaError_t error = cudaErrorInvalidValue;
  visit_number<kMaxTinyFeatures>(shape.n_features, [&](auto n) {
    error = cuda::launch_features<decltype(n)::value>(shape, launch, job, stream);
  });
  return error;
}

cudaError_t describe_tiny(const Shape& shape, int n_models, TinyLaunch* launch) {
  cudaError_t error = cudaErrorInvalidValue;
  visit_number<kMaxTinyFeatures>(shape.n_features, [&](auto n) {
    error = cuda::describe_features<decltype(n)::value>(shape, n_models, launch);
  });
  return error;
}

}  // namespace phasegrid
