// What memory a training takes, and what this process may take: so that a sweep too large is refused with a sentence
// before it is begun, and not killed on the way.
#pragma once

#include <span>
#include <string>

#include "plan.hpp"

namespace phasegrid {

struct MemoryUse {
  bool resumes = false;  // results of earlier trainings, which may be empty, are held beside them
  bool gpu = false;
  int threads = 1;
};

// Bytes that a training of these sweeps takes at its peak; they need not be expanded. It is an upper bound, at most 1.5 times too high for what is
// large (tests/train/memory_test.cpp). Makes nothing large itself.
double training_memory(std::span<const PlannedSweep> sweeps, const MemoryUse& use);

struct MemoryLimit {
  double bytes;      // in all
  double left;       // of them, with what this process has already taken away
  std::string what;  // "this machine has", "the control group of this process may use", "ulimit -v allows"
};
// The limit that leaves least: of the machine, of the control group (a container, a job of a scheduler) and those around
// it, version 1 or 2, and of setrlimit. Files are read below `root`, for tests.
MemoryLimit memory_limit(const std::string& root = "");

// Throws InputError unless these sweeps can be trained within the limit.
void check_memory(std::span<const PlannedSweep> sweeps, const MemoryUse& use);
void check_memory(std::span<const PlannedSweep> sweeps, const MemoryUse& use, const MemoryLimit& limit);

}  // namespace phasegrid
