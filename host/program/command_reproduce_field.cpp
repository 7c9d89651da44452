// `phasegrid reproduce field`: trains the works of experiments/field one after the other; the package phasegrid.field
// finds their values and verdicts, and draws them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "commands.hpp"
#include "program/io/output.hpp"
#include "program/io/python_module.hpp"
#include "program/reproduce/data_points.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

struct Training {
  std::vector<Sweep> sweeps;
  std::vector<std::string> paths;
};

// Samples of fixed data sets in the hidden plane, which Python could not draw, beside the results.
void add_data_points(const Training& training) {
  for (const std::string& path : training.paths) {
    reproduce::save_data_points(load_results(path), path.substr(0, path.size() - 4) + ".points.npz");
  }
}

}  // namespace

// A file experiments/field/NAME.toml each, and a module phasegrid.field.NAME.
const std::vector<std::string>& works_of_the_field() {
  static const std::vector<std::string> kWorks = {"phases",   "geometry", "pairs",   "dynamics",
                                                  "absolute", "memorise", "scaling", "trainability"};
  return kWorks;
}

int command_reproduce_field(const ReproduceArguments& arguments) {
  if (!arguments.reference.empty()) throw InputError("--reference goes with the figures of the paper, not with field");
  const fs::path out = arguments.out.empty() ? fs::path("out") / "field" : fs::path(arguments.out);
  const std::string& preset = arguments.training.preset;
  // Every sweep first, so that a mistake shows before minutes of training.
  std::vector<std::pair<std::string, Training>> trainings;
  for (const std::string& work : works_of_the_field()) {
    if (!arguments.works.empty() && std::ranges::find(arguments.works, work) == arguments.works.end()) continue;
    Training training;
    training.sweeps = read_sweeps_for((experiments_folder() / "field" / (work + ".toml")).string(), arguments.training);
    for (const Sweep& sweep : training.sweeps) training.paths.push_back((out / (sweep.name + ".npz")).string());
    trainings.emplace_back(work, std::move(training));
  }
  std::error_code error;
  fs::create_directories(out, error);
  if (error) throw InputError(fmt::format("cannot make the folder '{}': {}", out.string(), error.message()));

  for (const auto& [work, training] : trainings) {
    const auto start = std::chrono::steady_clock::now();
    if (const int status = train_into_files(training.sweeps, training.paths, arguments.training); status != 0)
      return status;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (work == "memorise") add_data_points(training);
    flush_text(stdout);
    const int status = run_module("phasegrid.field", {"work", work, "--folder", out.string(), "--preset", preset,
                                                      "--seconds", fmt::format("{:.1f}", seconds)});
    if (status != 0) return status;
  }
  return run_module("phasegrid.field", {"summary", "--folder", out.string()});
}

}  // namespace phasegrid
