// From a sweep to what a backend trains: the cells as the step sees them, and the list of models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "job.hpp"
#include "phasegrid/results.hpp"
#include "phasegrid/sweep.hpp"

namespace phasegrid {

// A sweep ready to train, and the results of its models as a backend leaves them.
struct PlannedSweep {
  Shape shape;
  std::vector<CellSettings> cells;
  std::vector<ModelId> models;       // those still to train
  double work_per_model = 1;         // relative cost of a sample, for progress

  std::vector<float> losses;         // [model]
  std::vector<float> parameters;     // [model][parameter_count]
  std::vector<std::int32_t> status;  // [model], kNotTrained until finished
};

// Throws InputError where no kernel is compiled for the sweep's shape.
void check_supported(const Shape& shape);

// One cell's settings as the step sees them, its Philox key included. The key depends on the seed and on what the step
// sees, in float32: not on the cell's place in a grid, the number of steps or restarts, so a sub-grid or a longer
// training repeats the numbers of another.
CellSettings cell_settings(const Shape& shape, const Cell& cell, std::uint64_t seed);

// Leaves out the models that `finished` has already.
PlannedSweep plan(const Sweep& sweep, const Results& finished);

// AdamW's bias corrections for steps 1 .. min(steps, 20000): beyond, both are 1 in float32.
std::vector<BiasCorrection> bias_corrections(int steps);

}  // namespace phasegrid
