// Rates of one core that no data sheet gives: operations of a lane a second and a clock, on each instruction set.
//
//   build/bench/rates_cpu [--benchmark_filter=avx512] [--out bench/results/FILE.json]
#include "rates_cpu.hpp"

#include <fmt/format.h>

#include "cpu_clock.hpp"
#include "google_benchmark.hpp"
#include "phasegrid/train.hpp"

namespace phasegrid::bench {
namespace {

void repeat(benchmark::State& state, CpuOperation operation, double gigahertz) {
  constexpr int kTurns = 100'000;
  for (auto _ : state) benchmark::DoNotOptimize(operation.repeat(kTurns));
  const double operations = operation.per_turn * kTurns * static_cast<double>(state.iterations());
  state.counters["per_second"] = benchmark::Counter(operations, benchmark::Counter::kIsRate);
  state.counters["per_clock"] = benchmark::Counter(operations / (gigahertz * 1e9), benchmark::Counter::kIsRate);
}

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid;
  const double gigahertz = bench::measure_gigahertz();
  benchmark::AddCustomContext("clock_ghz", fmt::format("{:.3f}", gigahertz));
  for (InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2}) {
    if (!is_supported(set)) continue;
    const auto* operations = set == InstructionSet::avx512 ? avx512::cpu_operations() : avx2::cpu_operations();
    for (int i = 0; i < bench::kCpuOperations; ++i) {
      const std::string name = fmt::format("{}/{}", operations[i].name, to_string(set));
      benchmark::RegisterBenchmark(name.c_str(), bench::repeat, operations[i], gigahertz)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  return bench::run_benchmarks(argc, argv);
}
