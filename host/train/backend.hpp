// What trains planned sweeps: the CPU's threads or a GPU.
#pragma once

#include <cstdint>
#include <span>
#include <string>

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

// With as many threads as can be had, and with none in the calling thread.
void train_on_cpu(std::span<const PlannedSweep> sweeps, int threads, InstructionSet set, Sink& sink);

// "" where this build and machine can train on a GPU, else one sentence that says why not.
std::string cuda_problem();
std::string cuda_device_name();
// The same for one sweep on the current GPU: its models may not fit.
std::string cuda_problem(const PlannedSweep& sweep);
// Throws DeviceError, naming the call, where CUDA fails.
void train_on_cuda(std::span<const PlannedSweep> sweeps, Sink& sink);

}  // namespace phasegrid
