// Fused MoE kernel benchmark: phasegrid's block mapping (data, routing, experts, gradients and AdamW of one model in
// one block of threads) against cuBLAS, CUB and elementwise kernels in a CUDA graph; one training step, and a forward
// pass alone, along eight axes, and where fusing stops paying.
//
//   build/bench/fused_moe [--device auto|cuda|cpu] [--axis NAME=V,V,... ... | --paper] [--out FILE.json]
//
// Without --axis each axis is varied alone around a base point; with it, the axes given are multiplied out. --paper:
// the shapes of the paper's figures, the tiny ones too, which phasegrid itself trains by its tiny mapping (gpu_train).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <thread>

#include "json_file.hpp"
#include "measure.hpp"
#include "phasegrid/error.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::fused_moe {
namespace {

constexpr Point kBase{{1024, 100, 10, 10, 1, 0.1, 0, 1024}};
// Enough to fill a GPU; the unfused pipeline keeps every intermediate of all of them in memory.
constexpr int kPaperTinyModels = 8192, kPaperBlockModels = 256;

std::vector<Axis> default_axes() {
  return {{AxisName::models, {1, 8, 64, 256, 1024, 4096}}, {AxisName::tokens, {64, 256, 1024, 4096, 16384}},
          {AxisName::n, {16, 32, 64, 100, 128, 192}},      {AxisName::m, {1, 2, 5, 10, 16, 32}},
          {AxisName::E, {1, 2, 4, 8, 10, 16, 20}},         {AxisName::k, {1, 2, 4, 10}},
          {AxisName::density, {0.01, 0.1, 0.5, 1}},        {AxisName::skew, {0, 0.25, 0.5, 0.75, 0.9}}};
}

struct Arguments {
  std::string device = "auto", mode = "both", out;
  std::vector<std::string> axes;
  double seconds = 240;
  int threads = 0;
  bool tf32 = false, paper = false;
};

// Throws InputError where the device asked for cannot be used.
Setup setup_of(const Arguments& arguments) {
  const std::string trouble = cuda_trouble();
  if (arguments.device == "cuda" && !trouble.empty()) throw InputError("device cuda cannot be used: " + trouble);
  Setup setup;
  setup.cuda = arguments.device != "cpu" && trouble.empty();
  setup.tf32 = arguments.tf32;
  if (setup.tf32 && !setup.cuda) throw InputError("--tf32 is for the unfused peer, which needs a GPU");
  if (setup.cuda) {
    setup.peak = cuda_peak();
    return setup;
  }
  setup.set = best_instruction_set();
  setup.threads =
      arguments.threads > 0 ? arguments.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (setup.set != InstructionSet::baseline) setup.peak = cpu_peak(setup.set, setup.threads);
  return setup;
}

std::vector<Point> points_of(const Arguments& arguments, const Setup& setup) {
  if (arguments.paper) {
    return setup.cuda ? paper(kPaperTinyModels, kPaperBlockModels) : paper(setup.threads, setup.threads);
  }
  Point base = kBase;
  if (!setup.cuda) base[AxisName::models] = setup.threads;
  if (arguments.axes.empty()) {
    std::vector<Axis> axes = default_axes();
    if (!setup.cuda) axes.erase(axes.begin());  // a core trains one model after the other
    return star(base, axes);
  }
  std::vector<Axis> axes;
  for (const std::string& text : arguments.axes) axes.push_back(parse_axis(text));
  const std::vector<Point> points = product(base, axes);
  if (points.empty()) throw InputError("no point of these axes has k <= E");
  return points;
}

void print_crossovers(const nlohmann::json& rows, const std::vector<Mode>& modes, nlohmann::json& report) {
  for (Mode mode : modes) {
    for (const Line& line : lines_of(ratios_of(rows, mode))) {
      const std::string_view axis = kAxisNames[static_cast<std::size_t>(line.axis)];
      report["crossovers"].push_back({{"mode", to_string(mode)},
                                      {"axis", axis},
                                      {"base", line.base.values},
                                      {"values", line.values},
                                      {"ratios", line.ratios},
                                      {"at", crossovers(line)}});
      fmt::print("{} by {}: {}\n", to_string(mode), axis, verdict(line));
    }
  }
}

int run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("phasegrid's fused MoE step against cuBLAS, CUB and elementwise kernels");
  app.add_option("--device", arguments.device)->check(CLI::IsMember({"auto", "cuda", "cpu"}));
  app.add_option("--mode", arguments.mode)->check(CLI::IsMember({"both", "step", "forward"}));
  auto* axis = app.add_option("--axis", arguments.axes,
                              fmt::format("NAME=V,V,... with NAME one of {}", fmt::join(kAxisNames, ", ")));
  app.add_flag("--paper", arguments.paper, "the shapes of the paper's figures")->excludes(axis);
  app.add_option("--seconds", arguments.seconds, "points not begun by then are left out, and named")
      ->check(CLI::Range(1.0, 1e6));
  app.add_option("--threads", arguments.threads, "of the CPU; 0: one a core")->check(CLI::Range(0, 4096));
  app.add_flag("--tf32", arguments.tf32, "the unfused peer's products may round their factors to TF32");
  app.add_option("--out", arguments.out, "JSON file to write");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Setup setup = setup_of(arguments);
  const std::vector<Point> points = points_of(arguments, setup);
  const std::vector<Mode> modes = arguments.mode == "both"   ? std::vector{Mode::step, Mode::forward}
                                  : arguments.mode == "step" ? std::vector{Mode::step}
                                                             : std::vector{Mode::forward};
  nlohmann::json report = {{"benchmark", "fused_moe"},
                           {"version", version()},
                           {"device", setup.cuda ? cuda_name() : fmt::format("cpu {}", to_string(setup.set))},
                           {"threads", setup.cuda ? 0 : setup.threads},
                           {"tf32", setup.tf32},
                           {"peak_tflops", setup.peak / 1e12},
                           {"rows", nlohmann::json::array()},
                           {"left_out", nlohmann::json::array()}};
  fmt::print("{}; peak {:.2f} TFLOP/s FP32 ({})\n{}\n", report["device"].get<std::string>(), setup.peak / 1e12,
             setup.cuda ? "multiprocessors x lanes x clock" : "measured", table_header(modes));
  const auto start = std::chrono::steady_clock::now();
  for (const Point& point : points) {
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > arguments.seconds) {
      report["left_out"].push_back(to_string(point));
      continue;
    }
    report["rows"].push_back(measure_point(point, modes, setup));
    fmt::print("{}\n", table_line(point, report["rows"].back(), modes));
    std::fflush(stdout);
  }
  for (const auto& point : report["left_out"])
    fmt::print("left out, the time was used up: {}\n", point.get<std::string>());
  print_crossovers(report["rows"], modes, report);
  const std::vector<std::string> failures = failures_of(report["rows"], modes);
  for (const std::string& failure : failures) fmt::print(stderr, "fused_moe: {}\n", failure);
  if (const int status = bench::write_json(arguments.out, report, "fused_moe"); status != 0) return status;
  return failures.empty() ? 0 : 1;
}

}  // namespace
}  // namespace phasegrid::fused_moe

int main(int argc, char** argv) {
  try {
    return phasegrid::fused_moe::run(argc, argv);
  } catch (const phasegrid::InputError& error) {
    fmt::print(stderr, "fused_moe: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "fused_moe: {}\n", error.what());
    return 1;
  }
}
