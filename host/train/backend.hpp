// What trains planned sweeps: the CPU's threads or a GPU.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "phasegrid/train.hpp"
#include "plan.hpp"

namespace phasegrid {

// Called by a backend from the calling thread every tenth of a second or so, when the finished models (status other
// than kNotTrained) may be read. Returns true when training should stop early.
using Monitor = std::function<bool()>;
constexpr int kMonitorMilliseconds = 50;

// Says what does not end a training, in one sentence, from the calling thread. Never empty.
using Warn = std::function<void(const std::string&)>;

// With as many threads as can be had, and with none in the calling thread.
void train_on_cpu(std::span<PlannedSweep> sweeps, int threads, InstructionSet set, const Monitor& monitor,
                  const Warn& warn);

// "" where this build and machine can train on a GPU, else one sentence that says why not.
std::string cuda_problem();
std::string cuda_device_name();
// The same for one sweep on the current GPU: its models may not fit.
std::string cuda_problem(const PlannedSweep& sweep);
// Throws std::runtime_error, naming the call, where CUDA fails.
void train_on_cuda(std::span<PlannedSweep> sweeps, const Monitor& monitor);

}  // namespace phasegrid
