// Runs the kernels' Philox on the GPU, one counter a thread, for the known answers.
#include <cuda_runtime.h>

#include "common/philox.hpp"

namespace phasegrid {
namespace {

template <int kRounds>
__global__ void philox_kernel(int count, const uint32_t* counters, const uint32_t* keys, uint32_t* outputs) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  const uint32_t* c = counters + 4 * i;
  const auto block = cuda::philox<kRounds>(c[0], c[1], c[2], c[3], cuda::Key{keys[2 * i], keys[2 * i + 1]});
  for (int w = 0; w < 4; ++w) outputs[4 * i + w] = block.w[w];
}

}  // namespace

cudaError_t philox_on_gpu(int rounds, int count, const uint32_t* counters, const uint32_t* keys, uint32_t* outputs) {
  const size_t words = static_cast<size_t>(count);
  uint32_t* memory = nullptr;  // counters [count][4], keys [count][2], outputs [count][4]
  cudaError_t error = cudaMalloc(&memory, 10 * words * sizeof(uint32_t));
  if (error != cudaSuccess) return error;
  uint32_t *device_keys = memory + 4 * words, *device_outputs = memory + 6 * words;
  error = cudaMemcpy(memory, counters, 4 * words * sizeof(uint32_t), cudaMemcpyHostToDevice);
  if (error == cudaSuccess) error = cudaMemcpy(device_keys, keys, 2 * words * sizeof(uint32_t), cudaMemcpyHostToDevice);
  if (error == cudaSuccess) {
    const int blocks = (count + 127) / 128;
    if (rounds == 7) {
      philox_kernel<7><<<blocks, 128>>>(count, memory, device_keys, device_outputs);
    } else {
      philox_kernel<10><<<blocks, 128>>>(count, memory, device_keys, device_outputs);
    }
    error = cudaGetLastError();
  }
  if (error == cudaSuccess) error = cudaMemcpy(outputs, device_outputs, 4 * words * sizeof(uint32_t), cudaMemcpyDeviceToHost);
  const cudaError_t freed = cudaFree(memory);
  return error != cudaSuccess ? error : freed;
}

}  // namespace phasegrid
