// Training through the library on a GPU (or, to rehearse, on the CPU), in four parts:
//   shapes   samples a second of Figure 4's eight architectures and of the block mapping's shapes, and their share of
//            the floor: the counted operations at rates measured in the same run
//   figure4  Figure 4 at the paper's settings, as a whole
//   growth   models a second from 1 to 1,000,000 models, and by the number of features from 2 to 256
//   paper    every sweep file of experiments/ in one call
// Times are wall-clock times around train(). The file is written anew after each part, so a run cut short keeps them.
//
//   build/bench/gpu_train [--device cpu] [--parts shapes,growth] [--quick] [--out bench/results/FILE.json]
#include "gpu_train.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <thread>

#include "cpu_clock.hpp"
#include "cpu_peak.hpp"
#include "floor.hpp"
#include "json_file.hpp"
#include "phasegrid/sweep_file.hpp"
#include "rates_cuda.hpp"

namespace phasegrid::bench {
namespace {

struct Arguments {
  std::string device = "cuda", out;
  std::vector<std::string> parts = {"shapes", "figure4", "growth", "paper"};
  int threads = 0;
  bool quick = false;
};

// Where the trainings run, and what it can do at best.
struct Machinery {
  bool gpu = false;
  int threads = 1;
  TrainOptions options;
  CudaRates rates;  // of the GPU
  Machine machine = Machine::cuda;
  double gigahertz = 0;  // of the CPU

  Floor floor(const Operations& operations) const {
    Floor floor = gpu ? cuda_floor(operations, rates) : cpu_floor(operations, machine, gigahertz);
    floor.seconds /= gpu ? rates.devices : threads;
    return floor;
  }
  // Fused multiply-adds a second, all lanes.
  double peak() const {
    if (gpu) return rates.fma * 32 * rates.devices;
    return measure_peak(machine == Machine::avx512 ? InstructionSet::avx512 : InstructionSet::avx2, threads);
  }
};

Machinery machinery(const Arguments& arguments) {
  Machinery m;
  m.gpu = arguments.device == "cuda";
  if (m.gpu) {
    m.rates = measure_cuda_rates().rates;
    m.options.device = DeviceChoice::cuda;
    return m;
  }
  m.threads =
      arguments.threads > 0 ? arguments.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  m.options.device = DeviceChoice::cpu;
  m.options.threads = m.threads;
  if (!is_supported(InstructionSet::avx2))
    throw InputError("--device cpu needs a CPU with AVX2: floors are counted for AVX2 and AVX-512");
  m.machine = is_supported(InstructionSet::avx512) ? Machine::avx512 : Machine::avx2;
  m.options.instruction_set = m.machine == Machine::avx512 ? InstructionSet::avx512 : InstructionSet::avx2;
  m.gigahertz = measure_gigahertz();
  return m;
}

nlohmann::json describe(const Machinery& m) {
  if (!m.gpu)
    return {{"device", "cpu"},
            {"threads", m.threads},
            {"instruction_set", to_string(m.machine)},
            {"gigahertz", m.gigahertz}};
  const CudaRates& r = m.rates;
  return {{"device", r.device},
          {"devices", r.devices},
          {"processors", r.processors},
          {"gigahertz", r.gigahertz},
          {"warp_instructions_per_second",
           {{"fma", r.fma},
            {"logic", r.logic},
            {"wide", r.wide},
            {"convert", r.convert},
            {"special", r.special},
            {"shuffle", r.shuffle},
            {"memory", r.memory},
            {"issue", r.issue}}}};
}

nlohmann::json shapes(const Machinery& m, bool quick) {
  fmt::print("{:16} {:7} {:>10} {:>16} {:>10} {:>9} {:>9}  {}\n", "shape", "mapping", "ns/sample", "samples/s",
             "floor ns", "of floor", "of peak", "limit");
  nlohmann::json rows = nlohmann::json::array();
  const double peak = m.peak();
  auto measure = [&](const Case& c, const char* mapping, const Count& count) {
    // Enough models that the last ones to finish do not show: waves of them on a GPU.
    const int models = m.gpu ? (mapping[0] == 't' ? 65'536 : 4'224) : 8 * m.threads;
    const Timing timing = best_training(c, quick ? std::min(models, 2 * m.threads) : models, quick ? 0.05 : m.gpu ? 2.0 : 0.5,
                                        quick ? 1 : 3, m.options);
    const double rate = timing.samples / timing.seconds;
    const Floor floor = m.floor(count.total());
    const double of_peak = rate * dense_multiply_adds(c.shape) / peak;
    fmt::print("{:16} {:7} {:10.4f} {:16.4g} {:10.4f} {:8.1f}% {:8.1f}%  {}\n", c.name, mapping, 1e9 / rate, rate,
               floor.seconds * 1e9, 100 * rate * floor.seconds, 100 * of_peak, floor.limit);
    rows.push_back({{"case", c.name},
                    {"mapping", mapping},
                    {"models", timing.models},
                    {"seconds", timing.seconds},
                    {"samples", timing.samples},
                    {"samples_per_second", rate},
                    {"ns_per_sample", 1e9 / rate},
                    {"floor_ns", floor.seconds * 1e9},
                    {"floor_share", rate * floor.seconds},
                    {"floor_limit", floor.limit},
                    {"peak_share", of_peak}});
  };
  for (const Case& c : kTinyCases) measure(c, "tiny", count_tiny(c.shape, {c.batch, c.load_balance > 0}, m.machine));
  for (const Case& c : kBlockCases) measure(c, "block", count_block(c.shape, {c.batch, c.load_balance > 0}, m.machine));
  return rows;
}

// The sweeps of experiments/ whose file names begin so; in a rehearsal of the files' own small preset, with few steps.
std::vector<Sweep> sweeps_of(const std::string& prefix, bool quick) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(PHASEGRID_SOURCE_DIR) + "/experiments")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".toml")) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Sweep> sweeps;
  for (const std::string& path : paths) {
    for (Sweep& sweep : read_sweeps(path)) {
      if (quick) {
        sweep.train.steps = 2;
        sweep.train.snapshots.clear();
        sweep.restarts = 1;
        std::erase_if(sweep.axes, [](const Axis& axis) { return axis.name == AxisName::steps; });
      }
      sweeps.push_back(std::move(sweep));
    }
  }
  return sweeps;
}

nlohmann::json whole(const char* name, const std::vector<Sweep>& sweeps, const Machinery& m, bool quick) {
  const Timing timing = time_training(sweeps, m.options);
  fmt::print("{}{}: {:.0f} models, {:.3g} samples in {:.2f} s\n", name, quick ? " (rehearsal: 2 steps, 1 restart)" : "",
             timing.models, timing.samples, timing.seconds);
  return {{"models", timing.models},
          {"samples", timing.samples},
          {"seconds", timing.seconds},
          {"rehearsal", quick},
          {"samples_per_second", timing.samples / timing.seconds}};
}

int measure_parts(const Arguments& arguments) {
  const Machinery m = machinery(arguments);
  nlohmann::json report = {{"benchmark", "gpu_train"}, {"phasegrid", version()}, {"machine", describe(m)}};
  for (const std::string& part : arguments.parts) {
    if (part == "shapes") report[part] = shapes(m, arguments.quick);
    if (part == "figure4") report[part] = whole("Figure 4", sweeps_of("fig4_", arguments.quick), m, arguments.quick);
    if (part == "paper")
      report[part] = whole("everything in the paper", sweeps_of("", arguments.quick), m, arguments.quick);
    if (part == "growth") {
      // A CPU's million models get fewer steps, so that they end.
      const int most = arguments.quick ? 100 : 1'000'000, steps = m.gpu ? 200 : 10;
      report["growth_by_models"] = growth_by_models(m.options, most, steps);
      report["growth_by_features"] =
          growth_by_features(m.options, m.gpu ? 1'056 : 4 * m.threads, arguments.quick ? 0.02 : 0.3);
    }
    if (const int status = write_json(arguments.out, report, "gpu_train"); status != 0) return status;
  }
  return 0;
}

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid;
  bench::Arguments arguments;
  CLI::App app("Training through the library, timed, with its share of the floor.");
  app.add_option("--device", arguments.device, "cuda (default) or cpu")->check(CLI::IsMember({"cuda", "cpu"}));
  app.add_option("--parts", arguments.parts, "of shapes, figure4, growth, paper (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember({"shapes", "figure4", "growth", "paper"}));
  app.add_option("--threads", arguments.threads, "CPU threads (default: one a core)")->check(CLI::Range(1, 4096));
  app.add_flag("--quick", arguments.quick, "a rehearsal: too short to be read");
  app.add_option("--out", arguments.out, "JSON file; all numbers");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return bench::measure_parts(arguments);
  } catch (const InputError& error) {
    fmt::print(stderr, "gpu_train: {}\n", error.what());
    return 2;
  } catch (const bench::NoCuda& error) {
    fmt::print(stderr, "gpu_train: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "gpu_train: {}\n", error.what());
    return 1;
  }
}
