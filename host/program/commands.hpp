// The commands of the program: each returns its exit status. 0 done, 1 out of tolerance or failed, 2 bad input (thrown
// as InputError), 130 interrupted. The program adds kOutputLost (output.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "phasegrid/phasegrid.hpp"
#include "progress_line.hpp"

namespace phasegrid {

// How to train, as `run` and `reproduce` share it.
struct TrainingArguments {
  DeviceChoice device = DeviceChoice::automatic;
  InstructionSet instruction_set = InstructionSet::automatic;
  int threads = 0;
  ProgressMode progress = ProgressMode::automatic;
  std::vector<std::string> set;
  std::optional<std::uint64_t> seed;
  std::string preset = "paper", variant = {};
  Layout layout = Layout::phasegrid;
  double checkpoint_seconds = 30;
  bool fresh = false;  // train what files hold already
  Shard shard = {};
};

struct RunArguments {
  std::vector<std::string> sweeps;
  std::string out;
  std::string resume;  // results of a smaller sweep, of which models are taken over; "": none
  TrainingArguments training;
};
int command_run(const RunArguments& arguments);

struct MergeArguments {
  std::vector<std::string> parts;
  std::string out;
  Layout layout = Layout::phasegrid;
  bool partial = false;  // write although models are missing
};
int command_merge(const MergeArguments& arguments);

struct CompareArguments {
  std::string ours, reference;
  bool markdown = false;
};
int command_compare(const CompareArguments& arguments);

struct ExploreArguments {
  std::vector<std::string> files;
  std::string out, title;  // title "": the names of the results
  std::string gallery;     // a folder of `reproduce field`; "": one page of the files
};
int command_explore(const ExploreArguments& arguments);  // by the Python package

// Trains a grid where it changes, by the Python package, which reads the words itself.
int command_refine(const std::vector<std::string>& words);

struct SettingsArguments {
  bool json = false, markdown = false;
};
int command_settings(const SettingsArguments& arguments);

struct ReproduceArguments {
  std::string figure;
  std::string out;
  std::string reference;  // folder of the authors' files; "" for none
  std::string score = "paper";
  std::vector<std::string> works;  // of the field; none: all
  TrainingArguments training;
};
int command_reproduce(const ReproduceArguments& arguments);
// `reproduce field`: other people's works on toy models, one sweep file of experiments/field each.
int command_reproduce_field(const ReproduceArguments& arguments);
const std::vector<std::string>& works_of_the_field();

// Trains one model or two of everything that is compiled, on all that this machine has, and compares the bits: 1 where
// they differ. `cuda`: a GPU must be there; `cpu`: none is asked for.
int command_selftest(DeviceChoice device);

// Trains sweeps read from files, each into its own results file; the whole of `run` once names are settled. What a run
// of the same sweep left at the same path, finished or interrupted, is not trained again. With a shard, done means that
// its cells are, and the files hold those alone.
int train_into_files(const std::vector<Sweep>& sweeps, const std::vector<std::string>& paths,
                     const TrainingArguments& arguments);
// Throws InputError where a results file is given a name that does not end in .npz.
void check_results_name(const std::string& out);
// The sweeps of a file, with preset, --set and --seed applied.
std::vector<Sweep> read_sweeps_for(const std::string& path, const TrainingArguments& arguments);

}  // namespace phasegrid
