#include "phasegrid/train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <mutex>
#include <thread>

#include "backend.hpp"
#include "initial.hpp"
#include "memory.hpp"
#include "phasegrid/error.hpp"
#include "results/results_check.hpp"
#include "sweep/settings.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kProgressSeconds = 0.2;

// Takes finished models into results, counts the work done, and calls the caller back.
class Collector : public Sink {
 public:
  Collector(std::vector<Results>& results, std::span<const PlannedSweep> planned,
            const std::vector<std::vector<bool>>& mine, const TrainOptions& options, Clock::time_point start)
      : results_(results), planned_(planned), options_(options), start_(start) {
    next_checkpoint_ = options.checkpoint_seconds;
    for (const PlannedSweep& part : planned) {
      const auto restarts = static_cast<std::size_t>(part.restarts);
      for (std::size_t c = 0; c < part.grid.cells(); ++c) {
        const std::size_t cell = part.cell_in_sweep(c);
        if (!mine[part.sweep][cell]) continue;
        const double work = part.work(c);
        work_total_ += work * part.restarts;
        progress_.models_total += part.restarts;
        for (const std::int32_t status : std::span(results[part.sweep].status).subspan(cell * restarts, restarts)) {
          if (status != kNotTrained) add_done(work);
        }
      }
    }
  }

  void finished(std::size_t part, std::size_t model, const FinishedModel& result) override {
    const PlannedSweep& planned = planned_[part];
    const ModelId id = planned.models[model];
    const auto cell = static_cast<std::size_t>(id.cell);
    const double work = planned.work(cell);
    const std::lock_guard lock(mutex_);
    results_[planned.sweep].take(planned.cell_in_sweep(cell), id.restart, result.losses, result.status,
                                 result.parameters, result.snapshot_losses, result.snapshot_parameters, result.moments);
    add_done(work);
  }

  bool look(double begun) override {
    const double now = seconds();
    if (options_.progress && now >= next_progress_) {
      options_.progress(progress(begun));
      next_progress_ = now + kProgressSeconds;
    }
    if (options_.checkpoint && now >= next_checkpoint_) {
      const std::lock_guard lock(mutex_);  // meanwhile a thread that ends a model waits
      options_.checkpoint(results_);
      const double took = seconds() - now;
      next_checkpoint_ = now + std::max(options_.checkpoint_seconds, took * kCheckpointShare);
    }
    return options_.stop.stop_requested();
  }

  void warn(const std::string& sentence) override {
    if (options_.warning) options_.warning(sentence);
  }

  // Saves what is finished, of a training that fails.
  void save() noexcept {
    if (!options_.checkpoint) return;
    try {
      options_.checkpoint(results_);
    } catch (...) {  // the failure of the training is told
    }
  }

  Progress progress(double begun) {
    const std::lock_guard lock(mutex_);
    const double share = work_total_ > 0 ? std::min(1.0, (work_done_ + begun) / work_total_) : 1.0;
    progress_.share_done = std::max(progress_.share_done, share);  // what was begun is told a little later
    progress_.seconds = seconds();
    return progress_;
  }

 private:
  static constexpr double kCheckpointShare = 20;  // a checkpoint takes at most a twentieth of the time

  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void add_done(double work) {
    work_done_ += work;
    ++progress_.models_done;
  }

  std::vector<Results>& results_;
  std::span<const PlannedSweep> planned_;
  const TrainOptions& options_;
  const Clock::time_point start_;
  double next_progress_ = 0, next_checkpoint_ = 0;  // calling thread alone
  double work_total_ = 0;
  std::mutex mutex_;  // of what follows, and of results_
  Progress progress_;
  double work_done_ = 0;
};

int thread_count(int asked) {
  if (asked < 0 || asked > 4096) {
    throw InputError(fmt::format("threads must be a whole number from 0 (one a core) to 4096, not {}", asked));
  }
  return asked > 0 ? asked : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

InstructionSet instruction_set(InstructionSet asked) {
  if (asked == InstructionSet::automatic) return best_instruction_set();
  if (!is_supported(asked)) {
    throw InputError(fmt::format("this CPU does not have the instruction set {}; it has {}", to_string(asked),
                                 to_string(best_instruction_set())));
  }
  return asked;
}

// The GPUs to train on: none where the CPU is asked for. Where they cannot be used, that is an error for `cuda`; for
// `automatic` the CPU trains, and a GPU at fault is not passed over in silence.
Gpus choose_gpus(const TrainOptions& options) {
  if (options.device == DeviceChoice::cpu) return {};
  Gpus gpus = find_gpus();
  if (options.device == DeviceChoice::cuda && gpus.devices.empty()) {
    const std::string sentence = "device cuda cannot be used: " + gpus.problem;
    if (!gpus.faults.empty()) throw DeviceError(sentence);
    throw InputError(sentence);
  }
  for (const std::string& fault : gpus.faults) {
    if (options.warning) options.warning(fmt::format("{}; training goes on without it", fault));
  }
  return gpus;
}

// Leaves to the CPU the sweeps whose models no GPU here has room for.
void choose_backends(const Gpus& gpus, std::span<PlannedSweep> planned, std::span<const Sweep> sweeps,
                     const TrainOptions& options) {
  for (std::size_t p = 0; p < planned.size() && !gpus.devices.empty(); ++p) {
    const std::string problem = problem_with(gpus, planned[p]);
    if (!problem.empty() && options.device == DeviceChoice::cuda) {
      throw InputError("device cuda cannot be used: " + problem);
    }
    planned[p].on_gpu = problem.empty();
    if (!problem.empty() && options.warning) {
      options.warning(fmt::format("sweep '{}' is trained on the CPU: {}", sweeps[planned[p].sweep].name, problem));
    }
  }
}

// What trains the parts of a sweep.
std::string devices_of(std::span<const PlannedSweep> parts, const Gpus& gpus, InstructionSet set) {
  const bool gpu = std::ranges::any_of(parts, &PlannedSweep::on_gpu);
  const bool cpu = !std::ranges::all_of(parts, &PlannedSweep::on_gpu);
  return fmt::format("{}{}{}", gpu ? gpus.names : "", gpu && cpu ? ", " : "",
                     cpu ? fmt::format("cpu {}", to_string(set)) : "");
}

// Refuses results from which a training of the sweep cannot go on.
void check_shorter(const Sweep& sweep, const Results& shorter) {
  const std::string name = fmt::format("shorter: the results for sweep '{}'", sweep.name);
  const TrainSettings& train = sweep.train;
  const bool can = keeps_moments(train.keep) && train.schedule == Schedule::constant && train.drop_below == 0 &&
                   train.stop_below == 0 && train.snapshots.empty() && !Grid(sweep).value(0, AxisName::steps);
  if (!can) {
    throw InputError(fmt::format("{}: a training can go on with train.keep = \"training-state\", a constant schedule, no axis "
                                 "of steps, and neither drop_below, stop_below nor snapshots",
                                 name));
  }
  Sweep same = sweep;
  same.train.steps = shorter.sweep.train.steps;
  if (const std::string other = training_difference(same, shorter.sweep); !other.empty()) {
    throw InputError(fmt::format("{} are of other settings: {}", name, other));
  }
  const bool longer = same.train.steps < train.steps && shorter.sweep.restarts == sweep.restarts;
  if (!longer) throw InputError(fmt::format("{} must be of fewer steps and as many restarts", name));
  if (const std::string other = other_bits(shorter); !other.empty()) throw InputError(fmt::format("{}: {}", name, other));
  check_results(shorter, name);
}

// What had diverged stays as it was; at its last step alone, the longer training would have seen it a step later.
void take_diverged(const Results& shorter, Results& results) {
  for (std::size_t i = 0; i < results.status.size(); ++i) {
    const std::int32_t status = shorter.status[i];
    if (results.status[i] != kNotTrained || status <= kTrained || status >= shorter.sweep.train.steps) continue;
    results.status[i] = status;
    results.all_losses[i] = shorter.all_losses[i];
    results.all_reconstruction_losses[i] = shorter.all_reconstruction_losses[i];
  }
}

}  // namespace

std::vector<Results> train(std::span<const Sweep> given, const TrainOptions& options) {
  if (!options.resume.empty() && options.resume.size() != given.size()) {
    throw InputError("resume must be empty or have one entry a sweep");
  }
  if (!options.shorter.empty() && options.shorter.size() != given.size()) {
    throw InputError("shorter must be empty or have one entry a sweep");
  }
  if (!options.initial.empty() && options.initial.size() != given.size()) {
    throw InputError("initial must be empty or have one entry a sweep");
  }
  if (!(options.checkpoint_seconds >= 0)) {
    throw InputError(fmt::format("checkpoint_seconds must be a number of at least 0, not {}", options.checkpoint_seconds));
  }
  const auto start = Clock::now();
  const int threads = thread_count(options.threads);
  const InstructionSet set = instruction_set(options.instruction_set);
  const Gpus gpus = choose_gpus(options);  // a reason not to train is found first

  std::vector<Sweep> sweeps;
  for (const Sweep& sweep : given) {
    sweep.check();
    sweeps.push_back(with_largest_shape(sweep));
  }
  std::vector<PlannedSweep> planned = plan_sweeps(sweeps);
  MemoryUse use;
  use.resumes = !options.resume.empty();
  choose_backends(gpus, planned, sweeps, options);
  use.gpu = !gpus.devices.empty();
  use.threads = threads;
  check_memory(planned, use);  // before anything large is made
  const std::vector<std::vector<bool>> mine = shard_cells(sweeps, planned, options.shard);
  std::vector<Results> results;
  auto next = planned.begin();  // parts are in the order of the sweeps
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    results.emplace_back(sweeps[s]);
    if (!options.resume.empty()) {
      const std::string name = fmt::format("resume: the results for sweep '{}'", sweeps[s].name);
      if (const std::string other = training_difference(sweeps[s], options.resume[s].sweep); !other.empty()) {
        throw InputError(fmt::format("{} are of other settings: {}", name, other));
      }
      if (const std::string other = other_bits(options.resume[s]); !other.empty()) {
        throw InputError(fmt::format("{}: {}", name, other));
      }
      results[s] = options.resume[s];
      results[s].sweep = sweeps[s];
      check_results(results[s], name);
    }
    const Results* shorter = !options.shorter.empty() && options.shorter[s].cells() > 0 ? &options.shorter[s] : nullptr;
    if (shorter != nullptr) {
      check_shorter(sweeps[s], *shorter);
      take_diverged(*shorter, results[s]);
    }
    const std::vector<float> starts =
        initial_models(sweeps[s], options.initial.empty() ? std::span<const float>() : options.initial[s]);
    const auto first = next;
    next = std::find_if(first, planned.end(), [&](const PlannedSweep& part) { return part.sweep != s; });
    const std::span<PlannedSweep> parts(first, next);
    std::size_t models = 0;
    for (PlannedSweep& part : parts) {
      part.expand();
      part.start_at(starts);
      part.choose_models(results[s].status, mine[s]);
      if (shorter != nullptr) part.go_on_from(*shorter);
      models += part.models.size();
    }
    // Unless another run trained all of it.
    if (models > 0 || results[s].device.empty()) results[s].device = devices_of(parts, gpus, set);
  }

  Collector collector(results, planned, mine, options, start);
  try {
    const auto gpus_part = std::ranges::count_if(planned, &PlannedSweep::on_gpu);
    if (gpus_part > 0) train_on_cuda(gpus, planned, collector);
    if (gpus_part < std::ssize(planned)) train_on_cpu(planned, threads, set, collector);
  } catch (...) {
    collector.save();
    throw;
  }
  if (options.progress) options.progress(collector.progress(0));
  return results;
}

Results train(const Sweep& sweep, const TrainOptions& options) {
  return std::move(train(std::span(&sweep, 1), options).front());
}

bool has_usable_gpu() { return !find_gpus().devices.empty(); }

std::vector<std::string> describe_devices() {
  std::vector<std::string> lines;
  const Gpus gpus = find_gpus();
  lines.push_back(gpus.devices.empty() ? "cuda  cannot be used: " + gpus.problem : "cuda  " + gpus.names);
  for (const std::string& fault : gpus.faults) {
    if (fault != gpus.problem) lines.push_back("cuda  " + fault);
  }
  std::string sets;
  for (InstructionSet set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) sets += fmt::format("{}{}", sets.empty() ? "" : ", ", to_string(set));
  }
  lines.push_back(fmt::format("cpu   {} threads; instruction sets {}; uses {}", thread_count(0), sets,
                              to_string(best_instruction_set())));
  return lines;
}

}  // namespace phasegrid
