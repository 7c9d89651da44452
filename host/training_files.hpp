// The files of a training, one results file a sweep: their space is taken before it starts, what is finished is saved
// beside them while it runs, and the same training goes on from there after Ctrl-C or kill -9.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "phasegrid/results_file.hpp"
#include "phasegrid/shard.hpp"

namespace phasegrid {

// How far a training is with the cells that are its own: all of them, or those of its shard.
struct ModelsDone {
  std::int64_t models = 0, of = 0;
  bool all() const { return models == of; }
};

class TrainingFiles {
 public:
  // Throws InputError, naming the path, where a file could not be written.
  TrainingFiles(std::vector<Sweep> sweeps, std::vector<std::string> paths, Layout layout = Layout::phasegrid,
                const Shard& shard = {});
  TrainingFiles(const TrainingFiles&) = delete;
  TrainingFiles& operator=(const TrainingFiles&) = delete;

  // What an interrupted training of the same sweeps left, one entry a sweep, or nothing trained. A file that cannot be
  // read or holds another sweep is passed over, and so is a finished results file: it will be replaced as any older
  // output is, unless it is one of `finished`, which belong to the interrupted training. A finished checkpoint counts:
  // the training it belongs to was killed while it was busy with other sweeps. found(path, models done) hears of each.
  template <class Found>
  std::vector<Results> earlier(const std::set<std::string>& finished, Found&& found) const {
    std::vector<Results> all;
    for (std::size_t s = 0; s < sweeps_.size(); ++s) {
      std::string from;
      all.push_back(earlier_of(s, finished, from));
      if (!from.empty()) found(from, done(s, all.back()));
    }
    return all;
  }

  // Saves what is finished so far beside each file. Throws InputError where it cannot.
  void checkpoint(std::span<const Results> so_far);

  // Writes the results files and takes their checkpoints away; once.
  void save(std::span<const Results> results);

  ModelsDone done(std::size_t sweep, const Results& results) const;

 private:
  Results earlier_of(std::size_t sweep, const std::set<std::string>& finished, std::string& from) const;

  std::vector<Sweep> sweeps_;
  std::vector<std::vector<bool>> mine_;  // cells that this training trains
  std::vector<std::string> paths_;
  Layout layout_;
  std::vector<ReservedFile> files_;
  std::vector<bool> saved_whole_;
};

}  // namespace phasegrid
