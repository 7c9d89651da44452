// ns per sample of each Figure 4 architecture (batch 512, the paper's settings) on the CPU, and the share of the counted
// operation floor that is reached.
//
//   build/bench/tiny_cpu [--benchmark_filter=323] [--benchmark_out=bench/results/FILE.json]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "operations.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::bench {
namespace {

// The core's clock: a chain of dependent additions takes one cycle each.
double measure_gigahertz() {
  double best = 0;
  for (int trial = 0; trial < 5; ++trial) {
    constexpr int kAdditions = 50'000'000;
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t x = 1;
    for (int i = 0; i < kAdditions; ++i) asm volatile("add $1, %0" : "+r"(x));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, kAdditions / seconds / 1e9);
  }
  return best;
}

void train_architecture(benchmark::State& state, Shape shape, int threads, InstructionSet set, double gigahertz) {
  Sweep sweep;
  sweep.shape = shape;
  sweep.restarts = 8 * threads;
  sweep.train.steps = 1000;
  sweep.data.sparsity = 0.5;
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  options.threads = threads;
  options.instruction_set = set;
  for (auto _ : state) benchmark::DoNotOptimize(train(sweep, options).final_losses.data());

  const double samples = static_cast<double>(state.iterations()) * sweep.restarts * sweep.train.steps * sweep.train.batch;
  const double floor_cycles = count_operations(shape, set).total() / vector_ports(set) / samples_per_register(set);
  const double floor_seconds = floor_cycles / (gigahertz * 1e9) / threads;
  state.counters["ns_per_sample"] =
      benchmark::Counter(samples * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["floor_ns"] = floor_seconds * 1e9;
  state.counters["of_floor"] = benchmark::Counter(samples * floor_seconds, benchmark::Counter::kIsRate);
}

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid;
  const double gigahertz = bench::measure_gigahertz();
  benchmark::AddCustomContext("clock_ghz", fmt::format("{:.3f}", gigahertz));
  benchmark::AddCustomContext("phasegrid", std::string(version()));
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2}) {
    if (!is_supported(set)) continue;
    for (int threads : {1, std::min(2, cores)}) {
      for (const Shape& s : {Shape{2, 1, 1, 1}, Shape{2, 1, 2, 1}, Shape{3, 1, 1, 1}, Shape{3, 1, 2, 1},
                             Shape{3, 1, 3, 1}, Shape{3, 2, 1, 1}, Shape{3, 2, 2, 1}, Shape{3, 2, 3, 1}}) {
        const std::string name = fmt::format("{}{}{}/{}/threads:{}", s.n_features, s.n_hidden, s.n_experts,
                                             to_string(set), threads);
        benchmark::RegisterBenchmark(name.c_str(), bench::train_architecture, s, threads, set, gigahertz)
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond)
            ->MinTime(0.3);
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
