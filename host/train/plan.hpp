// From a sweep to what a backend trains: the cells as the step sees them, and the list of models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "block/layout.hpp"
#include "common/job.hpp"
#include "phasegrid/results.hpp"
#include "phasegrid/sweep.hpp"

namespace phasegrid {

// How a model is mapped to the machine: kept whole in the registers of one warp or thread, or trained by one block of
// threads, a tile of the batch at a time.
enum class Mapping { tiny, block };

// Models that one kernel can train together, as it sees them.
struct PlannedModels {
  Shape shape;
  Mapping mapping = Mapping::tiny;
  bool load_balance = false;              // in any cell
  int largest_batch = 1, most_steps = 1;  // of any cell
  std::vector<CellSettings> cells;
  std::vector<FeatureSettings> features;  // [cells][n], mapping block
  std::vector<std::int32_t> snapshots;    // steps, ascending
  std::vector<ModelId> models;            // those still to train
};

// A sweep ready to train, and the results of its models as a backend leaves them.
struct PlannedSweep : PlannedModels {
  BlockLayout layout{};       // mapping block: as the CPU lays a model out

  std::vector<Losses> losses;              // [model]
  std::vector<float> parameters;           // [model][parameter_count]
  std::vector<Losses> snapshot_losses;     // [model][snapshots]
  std::vector<float> snapshot_parameters;  // [model][snapshots][parameter_count]
  std::vector<std::int32_t> status;        // [model], kNotTrained until finished
  std::vector<std::int32_t> steps_done;    // [model], of one in training, now and then

  // Floats that a CPU thread needs to train a model, 0 for mapping tiny.
  std::size_t workspace() const;
};

// The planner's choice: tiny where it is compiled for the shape and all features are present alike.
Mapping mapping_of(const Shape& shape, const Cell& cell);

// Samples of a tile on the CPU: enough entries an expert to reuse its weights, and no more than the second-level cache
// holds.
int cpu_tile(const Shape& shape, int batch);

// How the CPU lays out models of the block mapping, none of which trains on larger batches, and the floats that a thread
// needs for one.
BlockLayout cpu_layout(const Shape& shape, int largest_batch, Keep keep, bool load_balance);
std::size_t workspace_floats(const BlockLayout& layout);

// One cell's settings as the step sees them, its Philox key included. The key depends on the seed and on what the step
// sees, in float32: not on the cell's place in a grid, the number of steps or restarts, the kind of router or schedule,
// so a sub-grid or a longer training repeats the numbers of another, and routers are compared on equal data.
CellSettings cell_settings(const Shape& shape, const Cell& cell);
std::vector<FeatureSettings> feature_settings(const Shape& shape, const Cell& cell);

// About what one model costs, in tenths of a nanosecond on one core: for progress, and for shards of equal work.
double model_work(const Shape& shape, Mapping mapping, int steps, int batch);

// Leaves out the models that `finished` has already, and those of cells that are not `mine` ([cell]).
PlannedSweep plan(const Sweep& sweep, const Results& finished, const std::vector<bool>& mine);

// AdamW's bias corrections for steps 1 .. min(steps, 20000): beyond, both are 1 in float32.
std::vector<BiasCorrection> bias_corrections(int steps);

// The job of these models with everything but its pointers.
Job job_of(const PlannedModels& planned, std::span<const BiasCorrection> corrections);

}  // namespace phasegrid
