// What a training kernel reads and writes, in the memory of whoever runs it, and the one place where a job's pointers are
// set. `Array` is std::span or std::vector for the CPU, DeviceArray or MappedArray (cuda_memory.hpp) for a GPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "backend.hpp"
#include "common/job.hpp"
#include "plan.hpp"

namespace phasegrid {

// Where a kernel finds an array, and where the host does.
template <class Array>
auto* kernel_data(Array& array) {
  if constexpr (requires { array.device(); }) {
    return array.device();
  } else {
    return array.data();
  }
}
template <class Array>
auto* host_data(Array& array) {
  if constexpr (requires { array.host(); }) {
    return array.host();
  } else {
    return array.data();
  }
}

template <class T>
using View = std::span<const T>;
template <class T>
using Vector = std::vector<T>;

// What kernels read of models that one of them can train.
template <template <class> class Array>
struct JobInputs {
  JobInputs(const PlannedModels& planned, const CorrectionTables& tables)
      : cells(planned.cells),
        features(planned.features),
        models(planned.models),
        snapshots(planned.snapshots),
        corrections(tables.numbers),
        initial(planned.initial),
        first_steps(planned.first_steps),
        begun(planned.begun),
        n_models(planned.models.size()),
        n_snapshots(planned.snapshots.size()),
        n_corrections(tables.length),
        n_initial(planned.initial.size()),
        n_begun(planned.first_steps.size()),
        top_k(planned.shape.top_k),
        keeps_moments(planned.keeps_moments) {}

  Array<CellSettings> cells;
  Array<FeatureSettings> features;
  Array<ModelId> models;
  Array<std::int32_t> snapshots;
  Array<BiasCorrection> corrections;
  Array<float> initial;
  Array<std::int32_t> first_steps;
  Array<float> begun;
  std::size_t n_models, n_snapshots, n_corrections, n_initial, n_begun;
  int top_k;
  bool keeps_moments;
};

// How large a model is as a kernel leaves it.
struct ModelSize {
  std::size_t parameters = 0, snapshots = 0;
  std::size_t moments = 0;  // numbers that the optimiser remembers, where they are kept
};

inline ModelSize size_of(const PlannedModels& planned) {
  const auto parameters = static_cast<std::size_t>(planned.shape.parameter_count());
  return {parameters, planned.snapshots.size(), planned.keeps_moments ? kOptimiserStates * parameters : 0};
}

// What kernels write of so many models.
template <template <class> class Array>
struct JobOutputs {
  static constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

  JobOutputs(std::size_t models, const ModelSize& size)
      : losses(models, {kNan, kNan}),
        parameters(models * size.parameters, kNan),
        final_states(models * size.moments, kNan),
        snapshot_losses(models * size.snapshots, {kNan, kNan}),
        snapshot_parameters(models * size.snapshots * size.parameters, kNan),
        steps_done(models, 0) {}

  // Model i of those, all of this size; it lies here.
  FinishedModel model(std::size_t i, const ModelSize& size, std::int32_t status) const {
    const std::size_t shots = size.snapshots * size.parameters;
    return {status, host_data(losses)[i],
            {host_data(parameters) + i * size.parameters, size.parameters},
            {host_data(snapshot_losses) + i * size.snapshots, size.snapshots},
            {host_data(snapshot_parameters) + i * shots, shots},
            {host_data(final_states) + i * size.moments, size.moments}};
  }

  Array<Losses> losses;
  Array<float> parameters;
  Array<float> final_states;
  Array<Losses> snapshot_losses;
  Array<float> snapshot_parameters;
  Array<std::int32_t> steps_done;  // of models in training, now and then
};

template <class Inputs, class Outputs>
Job job_of(const Inputs& inputs, Outputs& outputs, const std::int32_t* stop) {
  Job job{};
  job.n_models = static_cast<std::int32_t>(inputs.n_models);
  job.top_k = inputs.top_k;
  job.cells = kernel_data(inputs.cells);
  job.features = kernel_data(inputs.features);
  job.models = kernel_data(inputs.models);
  job.corrections = kernel_data(inputs.corrections);
  job.n_corrections = static_cast<std::int32_t>(inputs.n_corrections);
  job.initial = inputs.n_initial == 0 ? nullptr : kernel_data(inputs.initial);
  job.first_steps = inputs.n_begun == 0 ? nullptr : kernel_data(inputs.first_steps);
  job.begun = inputs.n_begun == 0 ? nullptr : kernel_data(inputs.begun);
  job.snapshots = kernel_data(inputs.snapshots);
  job.n_snapshots = static_cast<std::int32_t>(inputs.n_snapshots);
  job.stop = stop;
  job.steps_done = kernel_data(outputs.steps_done);
  job.losses = kernel_data(outputs.losses);
  job.parameters = kernel_data(outputs.parameters);
  job.final_states = inputs.keeps_moments ? kernel_data(outputs.final_states) : nullptr;
  job.snapshot_losses = kernel_data(outputs.snapshot_losses);
  job.snapshot_parameters = kernel_data(outputs.snapshot_parameters);
  return job;
}

}  // namespace phasegrid
