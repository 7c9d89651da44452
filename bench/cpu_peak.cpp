#include "cpu_peak.hpp"

#include <chrono>
#include <thread>
#include <vector>

namespace phasegrid::bench {
namespace {

constexpr int kRounds = 2'000'000;
constexpr int kChains = 12;  // independent sums: more than ports times latency

__attribute__((target("avx512f"))) void chains_of_fma_512() {
  typedef float Vector __attribute__((vector_size(64)));
  Vector sum[kChains] = {}, half = Vector{} + 0.5f;
  for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) asm volatile("vfmadd213ps %1, %1, %0" : "+v"(s) : "v"(half));
  }
}
__attribute__((target("avx2,fma"))) void chains_of_fma_256() {
  typedef float Vector __attribute__((vector_size(32)));
  Vector sum[kChains] = {}, half = Vector{} + 0.5f;
  for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) asm volatile("vfmadd213ps %1, %1, %0" : "+x"(s) : "x"(half));
  }
}

}  // namespace

double measure_peak(InstructionSet set, int threads) {
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back(set == InstructionSet::avx512 ? chains_of_fma_512 : chains_of_fma_256);
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const int lanes = set == InstructionSet::avx512 ? 16 : 8;
  return 1.0 * kRounds * kChains * lanes * threads / seconds;
}

}  // namespace phasegrid::bench
