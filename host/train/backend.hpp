// What trains planned sweeps: the CPU's threads or a GPU.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "phasegrid/train.hpp"
#include "plan.hpp"

namespace phasegrid {

// A model as a backend hands it over.
struct FinishedModel {
  std::int32_t status;  // kTrained, or the step at which it diverged
  Losses losses;
  std::span<const float> parameters;           // [parameter_count]
  std::span<const Losses> snapshot_losses;     // [snapshots]
  std::span<const float> snapshot_parameters;  // [snapshots][parameter_count]
  std::span<const float> moments;              // [kOptimiserStates][parameter_count], where they are kept
};

// Who asked for a training, as a backend sees it.
class Sink {
 public:
  virtual ~Sink() = default;

  // Takes model `model` of sweep `sweep` as planned, each once. From any thread, and from several at once.
  virtual void finished(std::size_t sweep, std::size_t model, const FinishedModel& result) = 0;

  // From the calling thread, every kLookMilliseconds or so. `begun` is the work (PlannedSweep::work) done on models that
  // are still in training. Returns true when training should stop early.
  virtual bool look(double begun) = 0;

  // One sentence about what does not end a training, from the calling thread.
  virtual void warn(const std::string& sentence) = 0;
};
constexpr int kLookMilliseconds = 50;

// Trains the sweeps that are not `on_gpu`, with as many threads as can be had, and with none in the calling thread.
void train_on_cpu(std::span<const PlannedSweep> sweeps, int threads, InstructionSet set, Sink& sink);

// The GPUs that can train here, looked for once a call.
struct Gpus {
  std::vector<int> devices;         // their numbers in the CUDA runtime
  std::string names;                // e.g. "2 x NVIDIA H200 (sm_90)"
  std::string problem;              // why there is none, in one sentence; "" where there is
  std::vector<std::string> faults;  // a sentence for each GPU, or the driver, that is there and fails
};
Gpus find_gpus();
// Those that have room for these models, and why none has: "" where one has.
std::vector<int> gpus_for(const Gpus& gpus, const PlannedModels& planned);
std::string problem_with(const Gpus& gpus, const PlannedModels& planned);

// Trains the sweeps that are `on_gpu`. Throws DeviceError, naming the call, where CUDA fails; what was finished is handed
// over before.
void train_on_cuda(const Gpus& gpus, std::span<const PlannedSweep> sweeps, Sink& sink);

}  // namespace phasegrid
