#include "cpu_clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace phasegrid::bench {

double measure_gigahertz() {
  double best = 0;
  for (int trial = 0; trial < 100; ++trial) {
    constexpr int kAdditions = 5'000'000;
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t x = 1;
    for (int i = 0; i < kAdditions; ++i) asm volatile("add $1, %0" : "+r"(x));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, kAdditions / seconds / 1e9);
  }
  return best;
}

}  // namespace phasegrid::bench
