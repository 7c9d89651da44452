// phasegrid merge: the files of shards into one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>

#include "commands.hpp"
#include "program/io/output.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

// "2262 of 18096 models of 'fig4' are missing (12.5 %, in 226 of 1810 cells)".
std::string missing_from(const Results& results) {
  const std::int64_t models = results.models_total(), missing = models - results.models_done();
  const auto restarts = static_cast<std::size_t>(results.sweep.restarts);
  std::size_t cells = 0;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const auto statuses = std::span(results.status).subspan(cell * restarts, restarts);
    cells += std::ranges::find(statuses, kNotTrained) != statuses.end() ? 1 : 0;
  }
  const double share = 100.0 * static_cast<double>(missing) / static_cast<double>(models);
  return fmt::format("{} of {} models of '{}' are missing ({:.4g} %, in {} of {} cells)", missing,
                     models, results.sweep.name, share, cells, results.cells());
}

// What is incomplete may not take the place of more: throws InputError then.
void expect_no_more_in(const std::string& path, const Results& results) {
  if (results.complete() || !fs::is_regular_file(path)) return;
  std::optional<Results> before;
  try {
    before = load_results(path);
  } catch (const InputError&) {
    return;  // no results of ours
  }
  if (before->models_done() <= results.models_done()) return;
  throw InputError(
      fmt::format("{}: holds {} models, more than the {} that were merged; merge it too, or write to another "
                  "file",
                  path, before->models_done(), results.models_done()));
}

}  // namespace

int command_merge(const MergeArguments& arguments) {
  const bool folder = fs::is_directory(arguments.out);
  if (!folder) check_results_name(arguments.out);
  std::map<std::string, Merger> mergers;  // by the sweep's name; into a file, all belong together
  std::map<std::string, int> parts;
  for (const std::string& path : arguments.parts) {
    const Results part = load_results(path);
    const std::string key = folder ? part.sweep.name : "";
    mergers[key].add(part, path);
    ++parts[key];
  }
  std::vector<std::string> missing;
  for (const auto& [key, merger] : mergers) {
    if (!merger.results().complete()) missing.push_back(missing_from(merger.results()));
  }
  if (!missing.empty() && !arguments.partial) {
    throw InputError(
        fmt::format("{}; give the files of all shards, or --partial to write what there is", fmt::join(missing, "; ")));
  }
  auto path_of = [&](const std::string& key) {
    return folder ? (fs::path(arguments.out) / (key + ".npz")).string() : arguments.out;
  };
  for (const auto& [key, merger] : mergers) expect_no_more_in(path_of(key), merger.results());
  for (const auto& [key, merger] : mergers) {
    const std::string path = path_of(key);
    const Results& results = merger.results();
    save_results(results, path, arguments.layout);
    say(stdout, "{}: {} of {} models from {} files\n", path, results.models_done(), results.models_total(), parts[key]);
  }
  for (const std::string& sentence : missing) say(stdout, "{}\n", sentence);
  return 0;
}

}  // namespace phasegrid
