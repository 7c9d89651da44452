// What a CPU's instruction set offers of either mapping: the function that trains one model of an architecture, and those
// with which tests and tools look at one.
#pragma once

#include "job.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid {

struct BlockLayout;  // block/layout.hpp

// One model as those functions look at it. The tiny mapping reads shape and cell alone. workspace [layout->size
// + kOptimiserStates layout->parameter_floats], aligned to 64 bytes.
struct CpuProblem {
  Shape shape;
  const CellSettings* cell = nullptr;
  const FeatureSettings* features = nullptr;  // [n]
  const BlockLayout* layout = nullptr;
  float* workspace = nullptr;
};

struct CpuKernels {
  // Trains model `index` of the job, writes its losses and parameters and returns its status: kNotTrained when it was
  // stopped before the end. Cell and features are the job's; the rest is that of `place`.
  int32_t (*train)(const Job& job, int index, const CpuProblem& place) = nullptr;

  // The inputs [samples][n] of a training batch; its losses; the gradient [parameter_count]; initial parameters.
  void (*draw_batch)(const CpuProblem& problem, int restart, int step, float* inputs) = nullptr;
  Losses (*loss)(const CpuProblem& problem, int restart, int step, const float* parameters) = nullptr;
  void (*gradient)(const CpuProblem& problem, int restart, int step, const float* parameters,
                   float* gradient) = nullptr;
  void (*initial)(const CpuProblem& problem, int restart, float* parameters) = nullptr;
};

}  // namespace phasegrid
