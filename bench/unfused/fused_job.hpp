// What the fused kernels of this benchmark are handed: steps or forward passes of many models from given parameters.
#pragma once

#include "block/layout.hpp"
#include "common/job.hpp"

namespace phasegrid::fused_moe {

struct FusedJob {
  Shape shape;
  const CellSettings* cell;
  const FeatureSettings* features;    // [n]
  const float* parameters;            // [parameter_count] that every model starts from
  const BiasCorrection* corrections;  // [steps]
  int32_t models;
  int32_t steps;
  float* losses;   // [models] of the last batch, forward passes only
  float* trained;  // [models][parameter_count]
  float* states;  // CUDA: [blocks][kOptimiserStates][parameter_floats]
};

}  // namespace phasegrid::fused_moe
