// ns per sample of each Figure 4 architecture (batch 512, the paper's settings) on the CPU, the best of ten trainings of
// 48 models a thread, and the share of the counted operation floor that is reached.
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

// A virtual machine's cores, and their clocks, take a while to be given over to a program.
void warm_up(double seconds) {
  Sweep sweep;
  sweep.data.sparsity = 0.5;
  std::stop_source stop;
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  options.stop = stop.get_token();
  options.progress = [&](const Progress& progress) {
    if (progress.seconds > seconds) stop.request_stop();
  };
  sweep.restarts = 100'000;
  (void)train(sweep, options);
}

void train_architecture(benchmark::State& state, Shape shape, int threads, InstructionSet set, double gigahertz) {
  Sweep sweep;
  sweep.shape = shape;
  sweep.restarts = 48 * threads;  // long enough that starting the threads does not show
  sweep.train.steps = 5000;
  sweep.data.sparsity = 0.5;
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  options.threads = threads;
  options.instruction_set = set;
  // The fastest of several: other tenants of the machine only ever slow a run down.
  double seconds = 1e30;
  for (auto _ : state) {
    for (int trial = 0; trial < 10; ++trial) {
      const auto start = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(train(sweep, options).final_losses.data());
      seconds = std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  }
  const double samples = 1.0 * sweep.restarts * sweep.train.steps * sweep.train.batch;
  const double floor_cycles = count_operations(shape, set).total() / vector_ports(set) / samples_per_register(set);
  const double floor_seconds = floor_cycles / (gigahertz * 1e9) / threads;
  state.counters["ns_per_sample"] = seconds * 1e9 / samples;
  state.counters["floor_ns"] = floor_seconds * 1e9;
  state.counters["floor_share"] = samples * floor_seconds / seconds;
}

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid;
  phasegrid::bench::warm_up(2.0);
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
            ->Iterations(1);
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
