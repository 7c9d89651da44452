// Training sweeps, on whatever the machine has.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "phasegrid/results.hpp"
#include "phasegrid/shard.hpp"
#include "phasegrid/sweep.hpp"

namespace phasegrid {

enum class DeviceChoice { automatic, cpu, cuda };

// CPU instruction sets with a build of the training step; all give the same bits. `automatic` is the best at hand.
enum class InstructionSet { automatic, baseline, avx2, avx512 };
std::string_view to_string(InstructionSet set);
bool is_supported(InstructionSet set);
InstructionSet best_instruction_set();

struct Progress {
  std::int64_t models_done = 0;  // of all sweeps together, resumed ones included; of the shard where there is one
  std::int64_t models_total = 0;
  double share_done = 0;  // 0 .. 1, weighted by the work of each model; those in training count for the steps they did
  double seconds = 0;     // since train() began
};

struct TrainOptions {
  DeviceChoice device = DeviceChoice::automatic;
  int threads = 0;  // CPU threads; 0 means one a core
  InstructionSet instruction_set = InstructionSet::automatic;

  // Trains the cells of one share alone (shard.hpp); merge_results() puts the shares together.
  Shard shard;

  // Called from the thread that called train(), a few times a second and once at the end.
  std::function<void(const Progress&)> progress;

  // Called from the thread that called train() about every `checkpoint_seconds` with what is finished so far.
  std::function<void(std::span<const Results>)> checkpoint;
  double checkpoint_seconds = 30;

  // Called from the thread that called train() with one sentence about what does not end a training: fewer threads than
  // were asked for.
  std::function<void(const std::string&)> warning;

  // Ask it to stop and train() returns within about a tenth of a second, with what was finished.
  std::stop_token stop;

  // Models at which the sweeps start, in place of random ones or those of init.from: one entry a sweep, or empty. An entry
  // is [1 or cells][P] as Results::parameters, or empty.
  std::span<const std::vector<float>> initial;

  // Results of the same sweeps with fewer steps, from which training goes on: one entry a sweep, or empty; an entry without
  // cells stands for none. They must have been trained with Keep::training_state, as the sweep is, at a constant rate
  // and without drop_below, stop_below and snapshots. The bits are those of a training from the first step.
  std::span<const Results> shorter;

  // Finished models of an earlier, interrupted run: one entry a sweep, or empty. Its models are not trained again.
  std::span<const Results> resume;
};

// Trains every restart of every cell. The result depends on the sweep alone: not on the device's width, the threads,
// the order, or on the other sweeps of the call. Throws InputError where a setting cannot be used, and
// DeviceError where the device fails.
Results train(const Sweep& sweep, const TrainOptions& options = {});
std::vector<Results> train(std::span<const Sweep> sweeps, const TrainOptions& options = {});

// Whether DeviceChoice::automatic would find a GPU to train on.
bool has_usable_gpu();

// One line a device: name, what it offers, or why it cannot be used.
std::vector<std::string> describe_devices();

std::string_view version();

}  // namespace phasegrid
