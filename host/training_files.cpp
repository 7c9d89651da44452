#include "training_files.hpp"

#include <algorithm>
#include <filesystem>

#include "memory.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

// Where a training keeps what is finished until its results file is written.
std::string checkpoint_path(const std::string& path) { return path + ".partial"; }

bool same_models(const Sweep& a, const Sweep& b) {
  return a.restarts == b.restarts && a.seed == b.seed && a.shape == b.shape && a.data == b.data && a.train == b.train &&
         a.init == b.init && Grid(a).extents() == Grid(b).extents() && a.axes == b.axes;
}

// The sweeps themselves, where they can be used and this process has the memory to train them.
std::vector<Sweep> fitting(std::vector<Sweep> sweeps, std::span<const std::string> paths) {
  for (const Sweep& sweep : sweeps) sweep.check();
  const bool resumes = std::ranges::any_of(
      paths, [](const std::string& path) { return fs::exists(path) || fs::exists(checkpoint_path(path)); });
  check_memory(sweeps, {.saves = true, .resumes = resumes});
  return sweeps;
}

}  // namespace

TrainingFiles::TrainingFiles(std::vector<Sweep> sweeps, std::vector<std::string> paths, Layout layout,
                             const Shard& shard)
    : sweeps_(fitting(std::move(sweeps), paths)),  // before a file is made for any, or anything large
      mine_(shard_cells(sweeps_, shard)),
      paths_(std::move(paths)),
      layout_(layout),
      saved_whole_(sweeps_.size(), false) {
  for (std::size_t s = 0; s < sweeps_.size(); ++s) files_.emplace_back(paths_[s], sweeps_[s], layout_);
}

ModelsDone TrainingFiles::done(std::size_t sweep, const Results& results) const {
  ModelsDone done;
  for (std::size_t i = 0; i < results.status.size(); ++i) {
    if (!mine_[sweep][i / static_cast<std::size_t>(results.sweep.restarts)]) continue;
    ++done.of;
    done.models += results.status[i] != kNotTrained ? 1 : 0;
  }
  return done;
}

Results TrainingFiles::earlier_of(std::size_t sweep, const std::set<std::string>& finished, std::string& from) const {
  const std::string& path = paths_[sweep];
  for (const std::string& candidate : {checkpoint_path(path), path}) {
    if (!fs::is_regular_file(candidate)) continue;
    try {
      Results earlier = load_results(candidate);
      if (!same_models(earlier.sweep, sweeps_[sweep])) continue;
      if (done(sweep, earlier).all() && candidate == path && !finished.contains(path)) continue;
      from = candidate;
      return earlier;
    } catch (const InputError&) {
      continue;
    }
  }
  return Results(sweeps_[sweep]);
}

void TrainingFiles::checkpoint(std::span<const Results> so_far) {
  for (std::size_t s = 0; s < so_far.size(); ++s) {
    if (saved_whole_[s]) continue;
    save_results(so_far[s], checkpoint_path(paths_[s]));
    saved_whole_[s] = done(s, so_far[s]).all();
  }
}

void TrainingFiles::save(std::span<const Results> results) {
  for (std::size_t s = 0; s < results.size(); ++s) {
    // The authors' layout has no place for what is missing, so an interrupted training keeps its own file beside it.
    const bool whole = done(s, results[s]).all() || layout_ == Layout::phasegrid;
    if (!whole) save_results(results[s], checkpoint_path(paths_[s]));
    files_[s].save(results[s]);
    std::error_code ignored;  // it may never have been written
    if (whole) fs::remove(checkpoint_path(paths_[s]), ignored);
  }
}

}  // namespace phasegrid
