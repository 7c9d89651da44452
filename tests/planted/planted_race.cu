// Planted for racecheck: a thread reads the shared number of another warp without a barrier after it was written.
#include "check.hpp"

namespace {
constexpr int kThreads = 128;
__global__ void read_too_early(float* to) {
  __shared__ float numbers[kThreads];
  numbers[threadIdx.x] = static_cast<float>(threadIdx.x);
  // missing: __syncthreads();
  to[threadIdx.x] = numbers[(threadIdx.x + 32) % kThreads];
}
}  // namespace

int main() {
  return run_planted(kThreads, [](float* memory) { read_too_early<<<1, kThreads>>>(memory); });
}
