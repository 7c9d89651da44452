// The block mapping on the CPU: ns per sample (one sample through one training step, batch 1,024) for the shapes of the
// paper's Figures 1 to 3 and 6 and Table 1, the share of the peak rate of FP32 fused multiply-adds, counting those of a
// dense step, and the share of the floor of all counted operations. The peak is measured in the same run, between the
// trainings: on a shared machine it moves, and the clock of the floor with it.
//
//   build/bench/block_cpu [--benchmark_filter=dense] [--out bench/results/FILE.json]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cases.hpp"
#include "cpu_peak.hpp"
#include "floor.hpp"
#include "google_benchmark.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::bench {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// ---------------------------------------------------------------- the training

void train_shape(benchmark::State& state, Case c, int threads, InstructionSet set) {
  const Shape& shape = c.shape;
  Sweep sweep;
  sweep.shape = shape;
  sweep.restarts = threads;
  sweep.train.batch = c.batch;
  sweep.train.load_balance = c.load_balance;
  sweep.train.keep = Keep::last_batch;  // steps alone are timed
  sweep.train.steps = static_cast<int>(4e6 / dense_multiply_adds(shape));
  sweep.data.sparsity = 1 - c.density;
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  options.threads = threads;
  options.instruction_set = set;
  double seconds = 1e30, peak = 0;
  for (auto _ : state) {
    for (int trial = 0; trial < 12; ++trial) {
      peak = std::max(peak, measure_peak(set, threads));
      const auto start = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(train(sweep, options).final_losses.data());
      seconds = std::min(seconds, seconds_since(start));
    }
  }
  const double samples = 1.0 * sweep.restarts * sweep.train.steps * sweep.train.batch;
  // The clock, from the peak: two fused multiply-adds a lane and cycle.
  const Machine machine = set == InstructionSet::avx512 ? Machine::avx512 : Machine::avx2;
  const double gigahertz = peak / threads / (2 * lanes_of(machine)) / 1e9;
  const Count count = count_block(shape, {c.batch, c.load_balance > 0}, machine);
  const double floor_seconds = cpu_floor(count.total(), machine, gigahertz).seconds / threads;
  state.counters["ns_per_sample"] = seconds * 1e9 / samples;
  state.counters["floor_ns"] = floor_seconds * 1e9;
  state.counters["floor_share"] = samples * floor_seconds / seconds;
  state.counters["peak_gfma"] = peak / 1e9;
  state.counters["gfma"] = samples * dense_multiply_adds(shape) / seconds / 1e9;
  state.counters["peak_share"] = samples * dense_multiply_adds(shape) / seconds / peak;
}

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid;
  benchmark::AddCustomContext("phasegrid", std::string(version()));
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2}) {
    if (!is_supported(set)) continue;
    for (int threads : {1, std::min(2, cores)}) {
      for (const bench::Case& c : bench::kBlockCases) {
        const std::string name = fmt::format("{}/{}/threads:{}", c.name, to_string(set), threads);
        benchmark::RegisterBenchmark(name.c_str(), bench::train_shape, c, threads, set)
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond)
            ->Iterations(1);
      }
    }
  }
  return bench::run_benchmarks(argc, argv);
}
