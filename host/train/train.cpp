#include "phasegrid/train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "backend.hpp"
#include "memory.hpp"
#include "phasegrid/error.hpp"
#include "results/results_check.hpp"

namespace phasegrid {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kProgressSeconds = 0.2;

// Takes finished models from a backend's arrays into results, each once, and counts the work done: that of finished
// models, and of those in training what they say. Progress is that of the cells which are `mine`.
class Collector {
 public:
  Collector(std::vector<Results>& results, std::span<PlannedSweep> planned, const std::vector<std::vector<bool>>& mine)
      : results_(results), planned_(planned) {
    for (std::size_t s = 0; s < planned.size(); ++s) {
      taken_.emplace_back(planned[s].models.size(), false);
      for (std::size_t i = 0; i < results[s].status.size(); ++i) {
        const auto cell = i / static_cast<std::size_t>(results[s].sweep.restarts);
        if (mine[s][cell]) add_work(s, cell, results[s].status[i] != kNotTrained);
      }
    }
  }

  void collect() {
    work_begun_ = 0;
    for (std::size_t s = 0; s < planned_.size(); ++s) {
      PlannedSweep& sweep = planned_[s];
      const auto size = static_cast<std::size_t>(sweep.shape.parameter_count());
      for (std::size_t i = 0; i < sweep.models.size(); ++i) {
        if (taken_[s][i]) continue;
        const auto status = std::atomic_ref<std::int32_t>(sweep.status[i]).load(std::memory_order_acquire);
        const auto cell = static_cast<std::size_t>(sweep.models[i].cell);
        if (status == kNotTrained) {
          const auto steps = std::atomic_ref<std::int32_t>(sweep.steps_done[i]).load(std::memory_order_relaxed);
          if (steps > 0) work_begun_ += work(s, cell) * steps / sweep.cells[cell].steps;
          continue;
        }
        taken_[s][i] = true;
        const std::size_t shots = sweep.snapshots.size();
        results_[s].take(cell, sweep.models[i].restart, sweep.losses[i], status,
                         std::span(sweep.parameters).subspan(i * size, size),
                         std::span(sweep.snapshot_losses).subspan(i * shots, shots),
                         std::span(sweep.snapshot_parameters).subspan(i * shots * size, shots * size));
        ++progress_.models_done;
        work_done_ += work(s, cell);
      }
    }
  }

  Progress progress(Clock::time_point start) {
    const double share = work_total_ > 0 ? std::min(1.0, (work_done_ + work_begun_) / work_total_) : 1.0;
    progress_.share_done = std::max(progress_.share_done, share);  // sums of another order may differ in the last bit
    progress_.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return progress_;
  }

 private:
  double work(std::size_t sweep, std::size_t cell) const {
    const CellSettings& settings = planned_[sweep].cells[cell];
    return model_work(planned_[sweep].shape, planned_[sweep].mapping, settings.steps, settings.batch);
  }
  void add_work(std::size_t sweep, std::size_t cell, bool done) {
    work_total_ += work(sweep, cell);
    ++progress_.models_total;
    if (!done) return;
    work_done_ += work(sweep, cell);
    ++progress_.models_done;
  }

  std::vector<Results>& results_;
  std::span<PlannedSweep> planned_;
  std::vector<std::vector<bool>> taken_;
  Progress progress_;
  double work_done_ = 0, work_begun_ = 0, work_total_ = 0;
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

// With `automatic`, a sweep that no GPU here can train makes it the CPU for all.
bool use_cuda(DeviceChoice choice, std::span<const PlannedSweep> planned) {
  if (choice == DeviceChoice::cpu) return false;
  std::string problem = cuda_problem();
  for (std::size_t s = 0; s < planned.size() && problem.empty(); ++s) problem = cuda_problem(planned[s]);
  if (choice == DeviceChoice::cuda && !problem.empty()) throw InputError("device cuda cannot be used: " + problem);
  return problem.empty();
}

}  // namespace

std::vector<Results> train(std::span<const Sweep> sweeps, const TrainOptions& options) {
  if (!options.resume.empty() && options.resume.size() != sweeps.size()) {
    throw InputError("resume must be empty or have one entry a sweep");
  }
  if (!(options.checkpoint_seconds >= 0)) {
    throw InputError(fmt::format("checkpoint_seconds must be a number of at least 0, not {}", options.checkpoint_seconds));
  }
  const auto start = Clock::now();
  const int threads = thread_count(options.threads);
  const InstructionSet set = instruction_set(options.instruction_set);
  if (options.device == DeviceChoice::cuda) use_cuda(options.device, {});  // a reason not to train is found first

  for (const Sweep& sweep : sweeps) sweep.check();
  MemoryUse use;
  use.saves = options.checkpoint != nullptr;
  use.gpu = options.device != DeviceChoice::cpu && cuda_problem().empty();
  use.threads = threads;
  check_memory(sweeps, use);  // before anything large is made
  const std::vector<std::vector<bool>> mine = shard_cells(sweeps, options.shard);
  std::vector<Results> results;
  std::vector<PlannedSweep> planned;
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    results.emplace_back(sweeps[s]);
    if (!options.resume.empty()) {
      results[s] = options.resume[s];
      results[s].sweep = sweeps[s];
      check_results(results[s], fmt::format("resume: the results for sweep '{}'", sweeps[s].name));
    }
    planned.push_back(plan(sweeps[s], results[s], mine[s]));
  }
  const bool cuda = use_cuda(options.device, planned);
  for (std::size_t s = 0; s < results.size(); ++s) {
    if (planned[s].models.empty() && !results[s].device.empty()) continue;  // another run trained all of it
    results[s].device = cuda ? cuda_device_name() : fmt::format("cpu {}", to_string(set));
  }

  Collector collector(results, planned, mine);
  double next_progress = 0, next_checkpoint = options.checkpoint_seconds;
  const Monitor monitor = [&] {
    const double now = std::chrono::duration<double>(Clock::now() - start).count();
    if (options.progress && now >= next_progress) {
      collector.collect();
      options.progress(collector.progress(start));
      next_progress = now + kProgressSeconds;
    }
    if (options.checkpoint && now >= next_checkpoint) {
      collector.collect();
      options.checkpoint(results);
      next_checkpoint = now + options.checkpoint_seconds;
    }
    return options.stop.stop_requested();
  };
  if (cuda) {
    train_on_cuda(planned, monitor);
  } else {
    train_on_cpu(planned, threads, set, monitor, [&](const std::string& sentence) {
      if (options.warning) options.warning(sentence);
    });
  }
  collector.collect();
  if (options.progress) options.progress(collector.progress(start));
  return results;
}

Results train(const Sweep& sweep, const TrainOptions& options) {
  return std::move(train(std::span(&sweep, 1), options).front());
}

std::vector<std::string> describe_devices() {
  std::vector<std::string> lines;
  const std::string problem = cuda_problem();
  lines.push_back(problem.empty() ? "cuda  " + cuda_device_name() : "cuda  cannot be used: " + problem);
  std::string sets;
  for (InstructionSet set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) sets += fmt::format("{}{}", sets.empty() ? "" : ", ", to_string(set));
  }
  lines.push_back(fmt::format("cpu   {} threads; instruction sets {}; uses {}", thread_count(0), sets,
                              to_string(best_instruction_set())));
  return lines;
}

}  // namespace phasegrid
