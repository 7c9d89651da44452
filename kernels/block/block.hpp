// The block mapping: what a machine offers for any shape.
#pragma once

#include "layout.hpp"
#include "common/job.hpp"

namespace phasegrid {

// One model as tests and tools look at it. workspace [layout.size + kOptimiserStates layout.parameter_floats], aligned to
// 64 bytes.
struct BlockProblem {
  Shape shape;
  BlockLayout layout;
  const CellSettings* cell;
  const FeatureSettings* features;  // [n]
  float* workspace;
};

struct BlockCpuKernels {
  // Trains model `index` of the job, as TinyCpuKernels::train does.
  int32_t (*train)(const Job& job, int index, const Shape& shape, const BlockLayout& layout,
                   float* workspace) = nullptr;

  // As in TinyCpuKernels.
  void (*draw_batch)(const BlockProblem& problem, int restart, int step, float* inputs) = nullptr;
  Losses (*loss)(const BlockProblem& problem, int restart, int step, const float* parameters) = nullptr;
  void (*gradient)(const BlockProblem& problem, int restart, int step, const float* parameters,
                   float* gradient) = nullptr;
  void (*initial)(const BlockProblem& problem, int restart, float* parameters) = nullptr;

  // Batch `batch` of so many fresh inputs [samples][n] of a general law, under the cell's key.
  void (*draw_inputs)(const CellSettings& cell, const FeatureSettings* features, int n, int batch, int samples,
                      float* inputs) = nullptr;
};

}  // namespace phasegrid
