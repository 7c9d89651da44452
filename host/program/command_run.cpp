#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <stop_token>

#include "commands.hpp"
#include "interrupt.hpp"
#include "program/io/output.hpp"
#include "program/io/python_module.hpp"
#include "phasegrid/metrics.hpp"
#include "train/training_files.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

void print_summary(const Results& results, const ModelsDone& done, const std::string& path, double seconds) {
  // Means over the cells that have a model.
  double reconstruction = 0, training = 0;
  std::int64_t cells = 0;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    if (results.kept[cell] < 0) continue;
    reconstruction += static_cast<double>(results.reconstruction_losses[cell]);
    training += static_cast<double>(results.final_losses[cell]);
    ++cells;
  }
  reconstruction /= static_cast<double>(cells);  // NaN where there is none
  training /= static_cast<double>(cells);
  const std::string minimised =
      training != reconstruction && cells > 0 ? fmt::format(" (training loss {:.6g})", training) : "";
  say(stdout, "{}: {} of {} models, {} cells, mean reconstruction loss {:.6g}{}, {} on {}\n", path, done.models, done.of,
      cells, reconstruction, minimised, duration_text(seconds), results.device);
  const TrainingHealth health = training_health(results);
  auto warn = [&](std::int64_t count, const char* what) {
    if (count > 0) say(stdout, "{}: warning: {} {}\n", path, count, what);
  };
  warn(health.diverged, "restarts diverged: their loss stopped being finite, and they are not kept");
  warn(health.empty, "cells have no model: every restart diverged");
  warn(health.dead, "kept models are dead: no feature has a norm above 0.1");
}

// Every task of a job array is given the same --out and writes a file of its own: fig4.npz becomes
// fig4.shard-3-of-8.npz.
std::string shard_path(const std::string& path, const Shard& shard) {
  const std::string ending = fmt::format(".shard-{}-of-{}.npz", shard.index, shard.count);
  return (path.ends_with(".npz") ? path.substr(0, path.size() - 4) : path) + ending;
}

}  // namespace

void check_results_name(const std::string& out) {
  if (out.ends_with(".npz")) return;
  throw InputError(
      fmt::format("--out must end in .npz, the one format of results files, or be an existing folder, not '{}'", out));
}

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
  const InterruptWatch interrupt;  // before files are made that a signal would leave behind
  TrainingFiles files(sweeps, paths, {.layout = arguments.layout, .shard = arguments.shard, .fresh = arguments.fresh});
  const std::vector<Results> earlier = files.take_earlier();
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    const ModelsDone done = files.done(s, earlier[s]);
    if (files.finished(s)) {
      say(stdout, "{}: holds all {} models of this sweep already; --fresh trains them again\n", paths[s], done.of);
    } else if (!files.from(s).empty()) {
      say(stdout, "{}: going on from {} of {} models\n", files.from(s), done.models, done.of);
    }
  }
  if (files.all_finished()) return 0;
  std::vector<bool> before;
  for (std::size_t s = 0; s < sweeps.size(); ++s) before.push_back(files.finished(s));

  ProgressLine line(arguments.progress);
  double seconds = 0;
  bool checkpoint_failed = false;
  TrainOptions options;
  options.device = arguments.device;
  options.threads = arguments.threads;
  options.instruction_set = arguments.instruction_set;
  options.shard = arguments.shard;
  std::stop_source stop;
  options.stop = stop.get_token();
  options.resume = earlier;
  options.checkpoint_seconds = arguments.checkpoint_seconds;
  options.progress = [&](const Progress& progress) {
    if (interrupt.requested()) stop.request_stop();
    seconds = progress.seconds;
    line.show(progress);
  };
  options.warning = [&](const std::string& sentence) {
    line.clear();
    say(stderr, "phasegrid: {}\n", sentence);
  };
  options.checkpoint = [&](std::span<const Results> so_far) {
    try {
      files.save(so_far);
    } catch (const InputError& error) {  // the training is worth more than its checkpoint
      if (!checkpoint_failed) say(stderr, "phasegrid: no checkpoint: {}\n", error.what());
      checkpoint_failed = true;
    }
  };
  const std::vector<Results> results = train(sweeps, options);
  line.clear();

  files.save(results);
  std::vector<std::string> unfinished;  // where the models of such sweeps are
  for (std::size_t s = 0; s < results.size(); ++s) {
    const std::string place = files.place(s);
    if (!files.finished(s)) unfinished.push_back(place);
    if (!before[s] && !place.empty()) print_summary(results[s], files.done(s, results[s]), place, seconds);
  }
  if (unfinished.empty()) return 0;
  std::erase(unfinished, "");
  say(stderr, "phasegrid: interrupted; {}\n",
             unfinished.empty()
                 ? "no model was finished"
                 : fmt::format("what was finished is in {}, and the same command goes on from there",
                               unfinished.size() <= 3 ? fmt::format("{}", fmt::join(unfinished, ", "))
                                                      : fmt::format("{} files *.partial", unfinished.size())));
  return 130;
}

namespace {

// Results that need not fit in memory, and those that begin with a smaller sweep's, are made by the Python package.
int run_in_python(const RunArguments& arguments) {
  const TrainingArguments& training = arguments.training;
  const bool resumes = !arguments.resume.empty();
  if (resumes && arguments.out.ends_with(".zarr")) {
    throw InputError("--resume cannot be used with a .zarr store, which goes on from what it holds itself; write .npz");
  }
  const std::string with = resumes ? "--resume" : "a .zarr store";
  if (arguments.sweeps.size() != 1) {
    throw InputError(fmt::format("{} one sweep; give one sweep file",
                                 resumes ? "--resume goes on with" : "--out: a .zarr store holds"));
  }
  if (training.shard != Shard{}) {
    throw InputError(fmt::format("--shard cannot be used with {}{}", with,
                                 resumes ? "" : "; split the sweep's axes, or write .npz"));
  }
  if (training.layout == Layout::authors) throw InputError(fmt::format("--layout authors cannot be used with {}", with));
  if (resumes) check_results_name(arguments.out);
  static constexpr const char* kDevices[] = {"auto", "cpu", "cuda"};
  static constexpr const char* kProgress[] = {"auto", "on", "off"};
  std::vector<std::string> words = {arguments.sweeps.front(), "--out", arguments.out};
  auto add = [&](const char* flag, const std::string& value) { words.push_back(fmt::format("{}={}", flag, value)); };
  for (const std::string& change : training.set) add("--set", change);
  if (training.seed) add("--seed", std::to_string(*training.seed));
  add("--preset", training.preset);
  add("--variant", training.variant);
  add("--device", kDevices[static_cast<int>(training.device)]);
  add("--threads", std::to_string(training.threads));
  add("--isa", std::string(to_string(training.instruction_set)));
  add("--progress", kProgress[static_cast<int>(training.progress)]);
  add("--checkpoint-seconds", fmt::format("{}", training.checkpoint_seconds));
  if (training.fresh) words.emplace_back("--fresh");
  if (resumes) add("--resume", arguments.resume);
  return run_module("phasegrid.run_command", words);
}

}  // namespace

int command_run(const RunArguments& arguments) {
  if (arguments.out.ends_with(".zarr") || !arguments.resume.empty()) return run_in_python(arguments);
  std::vector<Sweep> sweeps;
  std::vector<std::string> paths;
  std::set<std::string> names;
  for (const std::string& path : arguments.sweeps) {
    for (Sweep& sweep : read_sweeps_for(path, arguments.training)) sweeps.push_back(std::move(sweep));
  }
  const Shard& shard = arguments.training.shard;
  const bool sharded = shard != Shard{};
  if (sharded && arguments.training.layout == Layout::authors) {
    throw InputError(
        "--layout authors cannot be used with --shard, for it cannot say which cells are missing; give it to "
        "`phasegrid merge` instead");
  }
  const bool folder = sweeps.size() > 1 || fs::is_directory(arguments.out);
  if (folder && !fs::is_directory(arguments.out)) {
    throw InputError(
        fmt::format("--out must be an existing folder when there are several sweeps (each is written to "
                    "FOLDER/NAME.npz); '{}' is none",
                    arguments.out));
  }
  if (!folder && !sharded) check_results_name(arguments.out);
  for (const Sweep& sweep : sweeps) {
    if (!names.insert(sweep.name).second) {
      throw InputError(
          fmt::format("two sweeps are named '{}'; names must differ when they are run together", sweep.name));
    }
    const std::string path = folder ? (fs::path(arguments.out) / (sweep.name + ".npz")).string() : arguments.out;
    paths.push_back(sharded ? shard_path(path, shard) : path);
  }
  return train_into_files(sweeps, paths, arguments.training);
}

}  // namespace phasegrid
