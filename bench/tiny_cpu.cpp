// ns per sample of each Figure 4 architecture (batch 512, the paper's settings) on the CPU, the best of ten trainings
// of 48 models a thread, and the share of the counted operation floor that is reached.
//
//   build/bench/tiny_cpu [--benchmark_filter=323] [--out bench/results/FILE.json]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cases.hpp"
#include "cpu_clock.hpp"
#include "floor.hpp"
#include "google_benchmark.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::bench {
namespace {

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
  sweep.train.load_balance = 0.01;  // as in Figure 4
  sweep.train.keep = Keep::last_batch;
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
  const Machine machine = set == InstructionSet::avx512 ? Machine::avx512 : Machine::avx2;
  const Floor floor = cpu_floor(count_tiny(shape, {sweep.train.batch, true}, machine).total(), machine, gigahertz);
  const double floor_seconds = floor.seconds / threads;
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
      for (const bench::Case& c : bench::kTinyCases) {
        const std::string name = fmt::format("{}/{}/threads:{}", c.name, to_string(set), threads);
        benchmark::RegisterBenchmark(name.c_str(), bench::train_architecture, c.shape, threads, set, gigahertz)
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond)
            ->Iterations(1);
      }
    }
  }
  return bench::run_benchmarks(argc, argv);
}
