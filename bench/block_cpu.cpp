// The block mapping on the CPU: ns per sample (one sample through one training step, batch 1,024) for the shapes of the
// paper's Figures 1 to 3 and 6 and Table 1, and the share of the peak rate of FP32 fused multiply-adds, counting the
// operations of a dense step. The peak is measured in the same run, between the trainings: on a shared machine it
// moves.
//
//   build/bench/block_cpu [--benchmark_filter=dense] [--benchmark_out=bench/results/FILE.json]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cpu_peak.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::bench {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// ---------------------------------------------------------------- the training

// Fused multiply-adds of one sample in a step that skips nothing but inactive experts: h, W h, dL/dh and two outer
// products for the experts, the scores, and for k > 1 the gates' slopes and the router's gradient.
double operations(const Shape& s) {
  const double n = s.n_features, m = s.n_hidden, E = s.n_experts, k = s.top_k;
  return 5 * n * m * k + (E > 1 ? n * E : 0) + (k > 1 ? 3 * n * k : 0);
}

void train_shape(benchmark::State& state, Shape shape, double density, int threads, InstructionSet set) {
  Sweep sweep;
  sweep.shape = shape;
  sweep.restarts = threads;
  sweep.train.batch = 1024;
  sweep.train.load_balance = 0;
  sweep.train.steps = static_cast<int>(4e6 / operations(shape));
  sweep.data.sparsity = 1 - density;
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
  state.counters["ns_per_sample"] = seconds * 1e9 / samples;
  state.counters["peak_gfma"] = peak / 1e9;
  state.counters["gfma"] = samples * operations(shape) / seconds / 1e9;
  state.counters["peak_share"] = samples * operations(shape) / seconds / peak;
}

struct Case {
  const char* name;
  Shape shape;
  double density;
};
constexpr Case kCases[] = {
    {"fig3_dense_m20", {100, 20, 1, 1}, 0.5},  {"fig3_4_experts", {100, 5, 4, 1}, 0.5},
    {"fig3_10_experts", {100, 2, 10, 2}, 0.5}, {"fig3_20_experts", {100, 1, 20, 5}, 0.5},
    {"table1", {100, 10, 10, 1}, 0.1},         {"fig1_dense", {20, 6, 1, 1}, 0.1},
    {"fig2_moe", {20, 2, 3, 1}, 0.1},          {"fig6", {20, 5, 4, 1}, 0.1},
};

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid;
  benchmark::AddCustomContext("phasegrid", std::string(version()));
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2}) {
    if (!is_supported(set)) continue;
    for (int threads : {1, std::min(2, cores)}) {
      for (const bench::Case& c : bench::kCases) {
        const std::string name = fmt::format("{}/{}/threads:{}", c.name, to_string(set), threads);
        benchmark::RegisterBenchmark(name.c_str(), bench::train_shape, c.shape, c.density, threads, set)
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
