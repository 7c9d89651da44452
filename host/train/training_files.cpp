#include "training_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "sweep/config_json.hpp"
#include "memory.hpp"
#include "results/input_file.hpp"
#include "results/output_file.hpp"
#include "phasegrid/error.hpp"
#include "phasegrid/merge.hpp"
#include "results/results_check.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

std::optional<Results> results_in(const std::string& path) {
  std::error_code unknown;
  if (!fs::is_regular_file(path, unknown)) return std::nullopt;
  try {
    return load_results(path);
  } catch (const InputError&) {  // damaged, or another program's: older output, which a whole file replaces
    return std::nullopt;
  }
}

// What an interrupted training left. Anything else with that name is somebody's, and would be lost.
std::optional<Results> results_in_partial(const std::string& path) {
  std::error_code unknown;
  const fs::file_status status = fs::symlink_status(path, unknown);
  if (!fs::exists(status)) return std::nullopt;
  constexpr std::string_view kAdvice = "and this training would save there; move it away";
  if (!fs::is_regular_file(status)) throw InputError(fmt::format("{}: is not a regular file, {}", path, kAdvice));
  try {
    return load_results(path);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}, {}", error.what(), kAdvice));
  }
}

// A training that was killed behind its last step leaves a .partial beside its whole file. One that is at work is left
// alone, and so is a folder that cannot be written.
void remove_partial(const std::string& target, const std::string& partial, const Results& whole) {
  std::error_code ignored;
  remove_leftovers(target);
  remove_leftovers(partial);
  if (!fs::is_regular_file(fs::symlink_status(partial, ignored))) return;
  try {
    const OutputFile claim(target, OutputFile::Claim::sole);
    const std::optional<Results> less = results_in(partial);
    if (!less || !training_difference(whole.sweep, less->sweep).empty() || less->bits != whole.bits || less->models_done() > whole.models_done()) return;
    fs::remove(partial, ignored);
  } catch (const InputError&) {
  }
}

// Throws InputError where the sweeps cannot be used, or this process has not the memory to train them.
std::vector<PlannedSweep> plan_within_memory(std::span<const Sweep> sweeps) {
  for (const Sweep& sweep : sweeps) sweep.check();
  std::vector<PlannedSweep> planned = plan_sweeps(sweeps);
  check_memory(planned, {.resumes = true});  // take_earlier() hands over results for every sweep
  return planned;
}

}  // namespace

TrainingFiles::TrainingFiles(std::vector<Sweep> sweeps, std::vector<std::string> paths,
                             const TrainingFilesOptions& options)
    : options_(options) {
  // Before a file is made for any, or anything large.
  std::vector<std::vector<bool>> mine = shard_cells(sweeps, plan_within_memory(sweeps), options.shard);
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    File& file = files_.emplace_back();
    file.sweep = std::move(sweeps[s]);
    file.mine = std::move(mine[s]);
    file.path = std::move(paths[s]);
    open(file);
  }
}

void TrainingFiles::open(File& file) {
  file.target = real_path(file.path);
  file.partial = partial_path(file.target);
  file.shown_partial = partial_path(file.path);
  const auto stamp = stamp_of(file.target);
  std::optional<Results> before;
  if (!options_.fresh) before = results_in(file.target);
  if (take_whole(file, before)) return;
  file.reserved.emplace(file.path, file.sweep, options_.layout);
  if (!options_.fresh && stamp_of(file.target) != stamp) {  // another training was just about to finish it
    before = results_in(file.target);
    if (take_whole(file, before)) {
      file.reserved.reset();
      return;
    }
  }
  remove_leftovers(file.partial);
  read_earlier(file, std::move(before));
}

// Where the results file holds all that this training would write, there is nothing to train.
bool TrainingFiles::take_whole(File& file, std::optional<Results>& before) const {
  if (!before || !training_difference(file.sweep, before->sweep).empty()) return false;
  expect_our_bits(*before, file.path);
  if (!done(file, *before).all()) return false;
  if (options_.layout != Layout::phasegrid) {
    throw InputError(
        fmt::format("{}: holds every model of this sweep in phasegrid's layout, of which the authors' would "
                    "keep a part; write to another file (`phasegrid merge` converts), or give {}",
                    file.path, options_.fresh_is));
  }
  if (config_of(before->sweep) != config_of(file.sweep)) return false;  // another name: the file is written again
  remove_partial(file.target, file.partial, *before);
  file.whole = true;
  file.from = file.path;
  file.earlier = std::move(*before);
  return true;
}

// Models of another version's bits are none of this training, and are not to be lost for it.
void TrainingFiles::expect_our_bits(const Results& results, const std::string& path) const {
  const std::string others = other_bits(results);
  if (others.empty() || results.models_done() == 0) return;
  throw InputError(fmt::format("{}: {}; move the file away, or give {} to replace it", path, others, options_.fresh_is));
}

// What to go on from: the models of .partial, and those of a results file that is not whole.
void TrainingFiles::read_earlier(File& file, std::optional<Results> before) const {
  file.earlier = Results(file.sweep);
  std::optional<Results> partial = results_in_partial(file.shown_partial);
  if (options_.fresh) return;
  if (partial) {
    file.saved = partial->models_done();
    const std::string other = training_difference(file.sweep, partial->sweep);
    if (!other.empty()) {
      // Where the results file has all of that sweep, nothing is lost with a part of it.
      const bool kept = before && before->complete() && training_difference(before->sweep, partial->sweep).empty();
      if (file.saved > 0 && !kept) {
        throw InputError(
            fmt::format("{}: holds {} of {} models of another sweep, whose {}; finish that sweep, move the "
                        "file away, or give {} to replace it",
                        file.shown_partial, file.saved, partial->status.size(), other, options_.fresh_is));
      }
      file.saved = 0;
    } else {
      expect_our_bits(*partial, file.shown_partial);
    }
  }
  auto is_of_it = [&](std::optional<Results>& found, const std::string& path) {
    if (!found || !training_difference(file.sweep, found->sweep).empty() || found->models_done() == 0) return false;
    found->sweep = file.sweep;
    file.from += fmt::format("{}{}", file.from.empty() ? "" : " and ", path);
    return true;
  };
  const bool has_partial = is_of_it(partial, file.shown_partial), has_before = is_of_it(before, file.path);
  if (has_partial && has_before) {
    Merger merger;
    merger.add(*partial, file.shown_partial);
    partial.reset();  // it is all in memory at once
    merger.add(*before, file.path);
    file.earlier = merger.results();
  } else if (has_partial || has_before) {
    file.earlier = std::move(has_partial ? *partial : *before);
  }
}

std::vector<Results> TrainingFiles::take_earlier() {
  std::vector<Results> all;
  for (File& file : files_) all.push_back(std::move(file.earlier));
  return all;
}

bool TrainingFiles::all_finished() const { return std::ranges::all_of(files_, &File::whole); }

ModelsDone TrainingFiles::done(const File& file, const Results& results) {
  ModelsDone done;
  for (std::size_t i = 0; i < results.status.size(); ++i) {
    const bool mine = file.mine[i / static_cast<std::size_t>(results.sweep.restarts)];
    if (!mine || results.status[i] == kNoModel) continue;
    ++done.of;
    done.models += results.status[i] != kNotTrained ? 1 : 0;
  }
  return done;
}

void TrainingFiles::save(std::span<const Results> so_far) {
  std::optional<InputError> failed;
  for (std::size_t s = 0; s < so_far.size(); ++s) {
    try {
      save(files_[s], so_far[s]);
    } catch (const InputError& error) {
      if (!failed) failed = error;
    }
  }
  if (failed) throw InputError(*failed);
}

void TrainingFiles::save(File& file, const Results& so_far) {
  if (file.whole) return;
  auto save_partial = [&] {
    const std::int64_t models = so_far.models_done();
    if (models <= file.saved) return;
    save_results(so_far, file.partial);
    file.saved = models;
  };
  if (!done(file, so_far).all()) {
    save_partial();
    return;
  }
  try {
    file.reserved.value().save(so_far);
  } catch (const InputError&) {
    try {
      save_partial();  // what is finished is not lost for that, unless both are for the same reason
    } catch (const InputError&) {
    }
    throw;
  }
  file.whole = true;
  std::error_code ignored;  // there may be none
  fs::remove(file.partial, ignored);
}

std::string TrainingFiles::place(std::size_t sweep) const {
  const File& file = files_[sweep];
  if (file.whole) return file.path;
  return file.saved > 0 ? file.shown_partial : file.from;
}

void TrainingFiles::close() {
  for (File& file : files_) file.reserved.reset();
}

}  // namespace phasegrid
