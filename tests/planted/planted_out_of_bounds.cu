// Planted for memcheck: the last thread writes past the end of its array.
#include "check.hpp"

namespace {
constexpr int kSize = 96;  // less than the threads of the launch
__global__ void write_everywhere(float* to) { to[threadIdx.x] = 1.0f; }
}  // namespace

int main() {
  return run_planted(kSize, [](float* memory) { write_everywhere<<<1, kSize + 1>>>(memory); });
}
