// What every program on Google Benchmark shares: --out FILE.json, as all benchmarks here have it, and exit statuses.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

namespace phasegrid::bench {

// Runs the registered benchmarks: 0, or 2 for an argument that is none.
inline int run_benchmarks(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  arguments.push_back("--benchmark_counters_tabular=true");
  for (std::size_t i = 1; i + 1 < arguments.size(); ++i) {
    if (arguments[i] != "--out") continue;
    arguments[i] = "--benchmark_out_format=json";
    arguments[i + 1] = "--benchmark_out=" + arguments[i + 1];
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace phasegrid::bench
