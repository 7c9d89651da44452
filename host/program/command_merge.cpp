// phasegrid merge: the files of shards into one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "program/io/output.hpp"
#include "results/merged_file.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

// "2262 of 18096 models of 'fig4' are missing (12.5 %, in 226 of 1810 cells)".
std::string missing_from(const MergedFile& merged) {
  const std::int64_t models = merged.models_total(), missing = models - merged.models_done();
  const double share = 100.0 * static_cast<double>(missing) / static_cast<double>(models);
  return fmt::format("{} of {} models of '{}' are missing ({:.4g} %, in {} of {} cells)", missing, models,
                     merged.sweep().name, share, merged.cells_missing(), merged.cells());
}

// What is incomplete may not take the place of more: throws InputError then.
void expect_no_more_in(const std::string& path, const MergedFile& merged) {
  if (merged.complete() || !fs::is_regular_file(path)) return;
  std::int64_t before = 0;
  try {
    before = ResultsReader(path).models_done();
  } catch (const InputError&) {
    return;  // no results of ours
  }
  if (before <= merged.models_done()) return;
  throw InputError(
      fmt::format("{}: holds {} models, more than the {} that were merged; merge it too, or write to another "
                  "file",
                  path, before, merged.models_done()));
}

}  // namespace

int command_merge(const MergeArguments& arguments) {
  const bool folder = fs::is_directory(arguments.out);
  if (!folder) check_results_name(arguments.out);
  std::map<std::string, std::vector<ResultsReader>> parts;  // by the sweep's name; into a file, all belong together
  for (const std::string& path : arguments.parts) {
    ResultsReader part(path, parts.empty() ? nullptr : &parts.begin()->second.back());
    const std::string key = folder ? part.config().sweep.name : "";
    parts[key].push_back(std::move(part));
  }
  struct Merge {
    std::string path;
    std::size_t parts;
    std::unique_ptr<MergedFile> file;
  };
  std::vector<Merge> merges;
  std::vector<std::string> missing;
  for (auto& [key, of_sweep] : parts) {
    const std::string path = folder ? (fs::path(arguments.out) / (key + ".npz")).string() : arguments.out;
    const std::size_t count = of_sweep.size();
    merges.push_back({path, count, std::make_unique<MergedFile>(std::move(of_sweep), path)});
    if (!merges.back().file->complete()) missing.push_back(missing_from(*merges.back().file));
  }
  if (!missing.empty() && !arguments.partial) {
    throw InputError(
        fmt::format("{}; give the files of all shards, or --partial to write what there is", fmt::join(missing, "; ")));
  }
  for (const Merge& merge : merges) expect_no_more_in(merge.path, *merge.file);
  for (const Merge& merge : merges) {
    merge.file->save(arguments.layout);
    say(stdout, "{}: {} of {} models from {} files\n", merge.path, merge.file->models_done(),
        merge.file->models_total(), merge.parts);
  }
  for (const std::string& sentence : missing) say(stdout, "{}\n", sentence);
  return 0;
}

}  // namespace phasegrid
