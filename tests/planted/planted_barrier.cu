// Planted for synccheck: a barrier of the block that half a warp does not come to.
#include "check.hpp"

namespace {
constexpr int kThreads = 64;
__global__ void barrier_for_some(float* to, int some) {
  __shared__ float numbers[kThreads];
  const int i = static_cast<int>(threadIdx.x);
  if (i < some) {
    numbers[i] = static_cast<float>(i);
    __syncthreads();
    to[i] = numbers[some - 1 - i];
  }
}
}  // namespace

int main() {
  return run_planted(kThreads, [](float* memory) { barrier_for_some<<<1, kThreads>>>(memory, kThreads - 16); });
}
