// Planted for initcheck: device memory is read that nobody wrote.
#include "check.hpp"

namespace {
constexpr int kThreads = 64;
__global__ void copy_half(float* numbers) { numbers[threadIdx.x] = numbers[threadIdx.x + kThreads] + 1.0f; }
}  // namespace

int main() {
  return run_planted(2 * kThreads, [](float* memory) { copy_half<<<1, kThreads>>>(memory); });
}
