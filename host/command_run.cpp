#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "commands.hpp"
#include "interrupt.hpp"
#include "training_files.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

void print_summary(const Results& results, const std::string& path, double seconds) {
  std::int64_t diverged = 0;
  for (std::int32_t status : results.status) diverged += status > 0 ? 1 : 0;
  double sum = 0;
  std::int64_t cells = 0;
  for (float loss : results.final_losses) {
    if (!std::isfinite(loss)) continue;
    sum += static_cast<double>(loss);
    ++cells;
  }
  fmt::print("{}: {} of {} models, {} cells, mean kept loss {:.6g}{}, {} on {}\n", path, models_done(results),
             results.status.size(), cells, cells > 0 ? sum / static_cast<double>(cells) : std::nan(""),
             diverged > 0 ? fmt::format(", {} diverged", diverged) : "", duration_text(seconds), results.device);
}

}  // namespace

std::vector<Sweep> read_sweeps_for(const std::string& path, const TrainingArguments& arguments) {
  std::vector<Sweep> sweeps = read_sweeps(path, {arguments.set, arguments.preset, arguments.variant});
  for (Sweep& sweep : sweeps) {
    if (arguments.seed) sweep.seed = *arguments.seed;
    sweep.check();
  }
  return sweeps;
}

int train_into_files(const std::vector<Sweep>& sweeps, const std::vector<std::string>& paths,
                     const TrainingArguments& arguments) {
  TrainingFiles files(sweeps, paths, arguments.layout);
  std::vector<Results> earlier;
  if (!arguments.fresh) {
    earlier = files.earlier(arguments.finished, [](const std::string& path, const Results& results) {
      fmt::print("{}: going on from {} of {} models\n", path, models_done(results), results.status.size());
    });
  }

  const InterruptWatch interrupt;
  ProgressLine line(arguments.progress);
  double seconds = 0;
  bool checkpoint_failed = false;
  TrainOptions options;
  options.device = arguments.device;
  options.threads = arguments.threads;
  options.instruction_set = arguments.instruction_set;
  options.stop = interrupt.token();
  options.resume = earlier;
  options.checkpoint_seconds = arguments.checkpoint_seconds;
  options.progress = [&](const Progress& progress) {
    seconds = progress.seconds;
    line.show(progress);
  };
  options.checkpoint = [&](std::span<const Results> so_far) {
    try {
      files.checkpoint(so_far);
    } catch (const InputError& error) {  // the training is worth more than its checkpoint
      if (!checkpoint_failed) fmt::print(stderr, "phasegrid: no checkpoint: {}\n", error.what());
      checkpoint_failed = true;
    }
  };
  const std::vector<Results> results = train(sweeps, options);
  line.clear();

  files.save(results);
  for (std::size_t s = 0; s < results.size(); ++s) print_summary(results[s], paths[s], seconds);
  if (std::ranges::all_of(results, &Results::complete)) return 0;
  fmt::print(stderr, "phasegrid: interrupted; what was finished is saved, and the same command goes on from there\n");
  return 130;
}

int command_run(const RunArguments& arguments) {
  std::vector<Sweep> sweeps;
  std::vector<std::string> paths;
  std::set<std::string> names;
  for (const std::string& path : arguments.sweeps) {
    for (Sweep& sweep : read_sweeps_for(path, arguments.training)) sweeps.push_back(std::move(sweep));
  }
  const bool folder = sweeps.size() > 1 || fs::is_directory(arguments.out);
  if (folder && !fs::is_directory(arguments.out)) {
    throw InputError(
        fmt::format("--out must be an existing folder when there are several sweeps (each is written to "
                    "FOLDER/NAME.npz); '{}' is none",
                    arguments.out));
  }
  for (const Sweep& sweep : sweeps) {
    if (!names.insert(sweep.name).second) {
      throw InputError(
          fmt::format("two sweeps are named '{}'; names must differ when they are run together", sweep.name));
    }
    paths.push_back(folder ? (fs::path(arguments.out) / (sweep.name + ".npz")).string() : arguments.out);
  }
  return train_into_files(sweeps, paths, arguments.training);
}

}  // namespace phasegrid
