#include "memory.hpp"

#include <algorithm>

#include "phasegrid/results.hpp"
#include "plan.hpp"

namespace phasegrid {
namespace {

// What a sweep takes, in bytes.
struct SweepMemory {
  double results = 0;    // Results
  double planned = 0;    // PlannedSweep: what a backend reads, and every model as it leaves it
  double pinned = 0;     // the latter once more, for GPUs
  double shares = 0;     // the cells while they are shared out
  double workspace = 0;  // of one thread
};

SweepMemory memory_of(const Sweep& sweep) {
  const Grid grid(sweep);
  const auto cells = static_cast<double>(grid.cells());
  const double models = cells * sweep.restarts, shots = static_cast<double>(sweep.train.snapshots.size());
  const double parameters = sweep.shape.parameter_count();
  const Mapping mapping = mapping_of(sweep.shape, grid.cell(0));
  const double one = sizeof(Losses) + shots * (sizeof(Losses) + 4 * parameters) + 4 * parameters;  // a model
  SweepMemory memory;
  memory.results = 4 * (cells * (3 + (1 + shots) * parameters) + models * (3 + 2 * shots));
  if (sweep.train.keep == Keep::all) memory.results += 4 * models * parameters;
  const double features = mapping == Mapping::block ? sweep.shape.n_features * sizeof(FeatureSettings) : 0;
  memory.planned = cells * (sizeof(CellSettings) + features) + models * (sizeof(ModelId) + 8 + one);
  // A launch's list of models is made, and then cut into those of each GPU.
  memory.pinned = models * (8 + one) + 2 * (cells * (sizeof(CellSettings) + features) + models * (sizeof(ModelId) + 16));
  memory.shares = 40 * cells;
  if (mapping == Mapping::block) {
    double batch = sweep.train.batch;
    for (const Axis& axis : sweep.axes) {
      if (axis.name == AxisName::batch) batch = std::ranges::max(axis.values);
    }
    const BlockLayout layout = cpu_layout(sweep.shape, static_cast<int>(batch), sweep.train.keep, true);
    memory.workspace = 4 * static_cast<double>(workspace_floats(layout));
  }
  return memory;
}

}  // namespace

double training_memory(std::span<const Sweep> sweeps, const MemoryUse& use) {
  constexpr double kThread = 128 << 10, kProcess = 4 << 20;  // a thread's stack, and what is small
  SweepMemory all, largest;
  double models = 0;
  for (const Sweep& sweep : sweeps) {
    const SweepMemory one = memory_of(sweep);
    all.results += one.results;
    all.planned += one.planned;
    all.pinned += one.pinned;
    all.shares += one.shares;
    largest.results = std::max(largest.results, one.results);
    largest.workspace = std::max(largest.workspace, one.workspace);
    models += static_cast<double>(Grid(sweep).cells()) * sweep.restarts;
  }
  double bytes = kProcess + all.results + all.planned + std::min<double>(use.threads, models) * (kThread + largest.workspace);
  if (use.gpu) bytes += all.pinned;
  if (use.resumes) bytes += all.results;
  // A file is put together in memory: its arrays, and then its bytes.
  if (use.saves) bytes += 2 * largest.results;
  return std::max(bytes, all.shares);
}

}  // namespace phasegrid
