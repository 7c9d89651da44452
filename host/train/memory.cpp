#include "memory.hpp"

#include <algorithm>

#include "phasegrid/results.hpp"

namespace phasegrid {
namespace {

// What a sweep takes, in bytes.
struct SweepMemory {
  double results = 0;  // Results
  double planned = 0;  // PlannedSweep
  double pinned = 0;   // it once more, for GPUs, and every model as a GPU leaves it
  double shares = 0;   // the cells while they are shared out
  double thread = 0;   // what one thread works in
};

SweepMemory memory_of(const PlannedSweep& sweep) {
  const auto cells = static_cast<double>(sweep.grid.cells());
  const double models = cells * sweep.restarts, shots = static_cast<double>(sweep.snapshots.size());
  const double parameters = sweep.shape.parameter_count(), stored = static_cast<double>(sweep.stored);
  const double moments = keeps_moments(sweep.keep) ? 4 * kOptimiserStates * parameters : 0;
  const double one = sizeof(Losses) + shots * (sizeof(Losses) + 4 * parameters) + 4 * parameters + moments;  // a model
  SweepMemory memory;
  memory.results = 4 * (cells * (3 + (1 + shots) * stored) + models * (3 + 2 * shots));
  if (keeps_all(sweep.keep)) memory.results += 4 * models * stored;
  if (keeps_moments(sweep.keep)) memory.results += 8 * models * stored;
  const double features = sweep.mapping == Mapping::block ? sweep.shape.n_features * sizeof(FeatureSettings) : 0;
  memory.planned = cells * (sizeof(CellSettings) + features) + models * sizeof(ModelId);
  if (sweep.starts_given) memory.planned += 4 * cells * (parameters + stored);
  memory.planned += static_cast<double>(sweep.cells_in_sweep.size()) * sizeof(std::size_t);
  // A launch's list of models is made, and then cut into those of each GPU.
  memory.pinned = models * (8 + one) + 2 * (cells * (sizeof(CellSettings) + features) + models * (sizeof(ModelId) + 16));
  memory.shares = 40 * cells;
  memory.thread = 4 * static_cast<double>(sweep.workspace) + one;
  return memory;
}

}  // namespace

double training_memory(std::span<const PlannedSweep> sweeps, const MemoryUse& use) {
  constexpr double kThread = 128 << 10, kProcess = 24 << 20;  // a thread's stack; the program, pieces of files, and what is small
  SweepMemory all;  // its `thread`: of the sweep that needs most
  double models = 0;
  for (const PlannedSweep& sweep : sweeps) {
    const SweepMemory one = memory_of(sweep);
    all.results += one.results;
    all.planned += one.planned;
    all.pinned += one.pinned;
    all.shares += one.shares;
    all.thread = std::max(all.thread, one.thread);
    models += static_cast<double>(sweep.grid.cells()) * sweep.restarts;
  }
  double bytes = kProcess + all.results + all.planned + std::min<double>(use.threads, models) * (kThread + all.thread);
  if (use.gpu) bytes += all.pinned;
  if (use.resumes) bytes += all.results;
  return std::max(bytes, all.shares);
}

}  // namespace phasegrid
