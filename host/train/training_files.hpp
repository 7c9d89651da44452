// The files of a training, one results file a sweep. Each appears when every model of its sweep is trained; until then
// what is finished is beside it, as NAME.npz.partial, and the same training goes on from there after Ctrl-C or kill -9.
#pragma once

#include <cstdint>
#include <optional>
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

struct TrainingFilesOptions {
  Layout layout = Layout::phasegrid;
  Shard shard = {};
  bool fresh = false;                // train every model, whatever the files hold
  std::string fresh_is = "--fresh";  // how the caller asks for that
};

class TrainingFiles {
 public:
  // Reads what earlier trainings of the same sweeps left, and takes the space of the files that are still to be
  // written. Throws InputError, naming the path, where one cannot be written, where another training writes it, or
  // where a file that is not this training's would be lost; nothing is changed then.
  TrainingFiles(std::vector<Sweep> sweeps, std::vector<std::string> paths, const TrainingFilesOptions& options = {});
  TrainingFiles(const TrainingFiles&) = delete;
  TrainingFiles& operator=(const TrainingFiles&) = delete;

  // The models that earlier trainings left, one entry a sweep, for TrainOptions::resume; once.
  std::vector<Results> take_earlier();
  // The file that they come from; "" where there is none.
  const std::string& from(std::size_t sweep) const { return files_[sweep].from; }
  // Whether the sweep's results file is whole: it was before, or save() has written it.
  bool finished(std::size_t sweep) const { return files_[sweep].whole; }
  bool all_finished() const;

  // Writes each sweep that is whole to its results file, and of the others what is finished to .partial. Throws
  // InputError where it cannot, after it has tried to save every sweep; it may be called again.
  void save(std::span<const Results> so_far);
  // Where a sweep's models are now: its results file, its .partial, or "" where nothing is saved.
  std::string place(std::size_t sweep) const;

  ModelsDone done(std::size_t sweep, const Results& results) const { return done(files_[sweep], results); }

  // Lets go of the files, for another training; none is saved any more.
  void close();

 private:
  struct File {
    Sweep sweep;
    std::vector<bool> mine;              // cells that this training trains
    std::string path, target;            // as the caller says it; where it is
    std::string partial, shown_partial;  // the same of its .partial
    bool whole = false;                  // the results file holds everything
    std::optional<ReservedFile> reserved;
    Results earlier;         // models of earlier trainings
    std::string from;        // the file they come from
    std::int64_t saved = 0;  // models in .partial
  };
  void open(File& file);
  bool take_whole(File& file, std::optional<Results>& before) const;
  void expect_our_bits(const Results& results, const std::string& path) const;
  void read_earlier(File& file, std::optional<Results> before) const;
  static void save(File& file, const Results& so_far);
  static ModelsDone done(const File& file, const Results& results);

  TrainingFilesOptions options_;
  std::vector<File> files_;
};

}  // namespace phasegrid
