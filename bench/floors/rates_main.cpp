// The rates of a GPU that no data sheet gives: wide products, shuffles, divisions, Philox words, and those it does
// give.
//
//   build/bench/rates_cuda [--out bench/results/FILE.json]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "json_file.hpp"
#include "rates_cuda.hpp"

int main(int argc, char** argv) {
  using namespace phasegrid::bench;
  CLI::App app("Micro-benchmarks of a GPU's instruction rates.");
  std::string out;
  app.add_option("--out", out, "JSON file; all numbers");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    const CudaMeasurements found = measure_cuda_rates();
    nlohmann::json rows = nlohmann::json::array();
    fmt::print("{} ({} processors, {:.2f} GHz)\n{:20} {:>14} {:>18}\n", found.rates.device, found.rates.processors,
               found.rates.gigahertz, "operation", "1e9 a second", "a clock, processor");
    for (const CudaRate& rate : found.all) {
      fmt::print("{:20} {:14.1f} {:18.2f}\n", rate.name, rate.per_second / 1e9, rate.per_clock_processor);
      rows.push_back({{"operation", rate.name},
                      {"per_second", rate.per_second},
                      {"per_clock_and_processor", rate.per_clock_processor}});
    }
    const nlohmann::json report = {{"benchmark", "rates_cuda"},
                                   {"device", found.rates.device},
                                   {"processors", found.rates.processors},
                                   {"gigahertz", found.rates.gigahertz},
                                   {"rates", rows}};
    return write_json(out, report, "rates_cuda");
  } catch (const NoCuda& error) {
    fmt::print(stderr, "rates_cuda: {}\n", error.what());
    return 2;
  }
}
