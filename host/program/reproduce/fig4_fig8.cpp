#include "fig4_fig8.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "measure/compare.hpp"
#include "program/io/output.hpp"
#include "phasegrid/results_file.hpp"
#include "program/io/python_module.hpp"

namespace phasegrid::reproduce {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "fig4_";  // of our files

std::vector<std::pair<std::string, std::string>> pairs(const std::vector<std::string>& files,
                                                       const std::string& reference) {
  std::vector<std::pair<std::string, std::string>> both;
  for (const std::string& file : files) {
    const std::string name = fs::path(file).filename().string();  // fig4_212.npz; the authors' own is 212.npz
    for (const std::string& candidate : {name, name.substr(std::min(name.size(), kPrefix.size()))}) {
      const fs::path theirs = fs::path(reference) / candidate;
      if (reference.empty() || !fs::exists(theirs)) continue;
      both.emplace_back(file, theirs.string());
      break;
    }
  }
  return both;
}

}  // namespace

Report compare_fig4(const std::vector<std::string>& files, const std::string& reference, const std::string& preset) {
  Report report;
  report.figure = "fig4";
  report.title = "Figures 4 and 8: the phase diagrams, and their losses";
  for (const auto& [ours, theirs] : pairs(files, reference)) {
    if (preset != "paper") break;
    const Comparison comparison = compare(ours, theirs);
    say(stdout, "\n{} against {}\n{}", ours, theirs, to_text(comparison));
    for (const ComparisonRow& row : comparison.rows) {
      const double difference = row.relative ? 100 * row.difference : row.difference;
      report.add({fmt::format("{}: {}", comparison.shape, row.what), row.reference, row.ours, nullptr, 1,
                  met_if(row.within),
                  fmt::format("difference {:+.3g}{}, allowed {:.3g}{}", difference, row.relative ? " %" : "",
                              row.relative ? 100 * row.tolerance : row.tolerance, row.relative ? " %" : "")});
    }
  }
  for (const std::string& file : files) {
    const Results results = load_results(file);
    report.device = results.device;
    report.settings = {{"cells", results.cells()},
                       {"restarts", results.sweep.restarts},
                       {"steps", results.sweep.train.steps},
                       {"batch", results.sweep.train.batch}};
  }
  return report;
}

int draw_fig4(const std::vector<std::string>& files, const std::string& reference, const std::string& out,
              const std::string& score) {
  std::vector<std::string> arguments = {"fig4"};
  arguments.insert(arguments.end(), files.begin(), files.end());
  arguments.insert(arguments.end(), {"--out", out, "--score", score});
  std::fflush(stdout);
  int status = run_module("phasegrid.pictures", arguments);
  const auto both = pairs(files, reference);
  if (status == 0 && !both.empty()) {
    arguments.push_back("--beside");
    for (const auto& [ours, theirs] : both) arguments.push_back(theirs);
    status = run_module("phasegrid.pictures", arguments);
  }
  return status;
}

}  // namespace phasegrid::reproduce
