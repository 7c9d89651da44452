// The tiny mapping on the CPU: one thread trains one model. This file is compiled once for every number of features
// (PHASEGRID_FEATURES) and instruction set.
#include "common/cpu_kernels.hpp"
#include "model.hpp"
#include "phasegrid/status.hpp"
#include "tiny.hpp"

namespace phasegrid::PHASEGRID_MACHINE {
namespace {

template <class S>
int32_t train(const Job& job, int index, const CpuProblem&) {
  ModelStorage<S> storage;
  const ModelId id = job.models[index];
  const CellSettings& cell = job.cells[id.cell];
  TinyModel<S> model(cell, job.top_k, Team{}, storage);
  const Outcome outcome = train_model(job, index, cell, id.restart, S::kParameters, model);
  if (outcome.stopped) return kNotTrained;
  write_model(job, index, S::kParameters, model);
  job.losses[index] = outcome.loss;
  return outcome.status;
}

template <class S>
void draw_batch(const CpuProblem& problem, int restart, int step, float* inputs) {
  const CellSettings& cell = *problem.cell;
  const Batch batch = training_batch(cell, restart, step);
  Team::for_each_group([&](int first_lane) {
    int row = 0;
    auto write = [&](const Floats(&x)[S::n], auto) {
      for (int f = 0; f < S::n; ++f) {
        float lanes[kWidth];
        store(lanes, x[f]);
        for (int l = 0; l < kWidth; ++l) {
          const int sample = row * kLanes + first_lane + l;
          if (sample < batch.samples) inputs[sample * S::n + f] = lanes[l];
        }
      }
      ++row;
    };
    for_each_sample<S>(cell, batch, first_lane, write);
  });
}

template <class S>
void set_parameters(ModelStorage<S>& model, const float* parameters) {
  for (int p = 0; p < ModelStorage<S>::kPadded; ++p) model.parameters[p] = p < S::kParameters ? parameters[p] : 0.0f;
}

template <class S>
Losses loss(const CpuProblem& problem, int restart, int step, const float* parameters) {
  const CellSettings& cell = *problem.cell;
  ModelStorage<S> storage;
  set_parameters<S>(storage, parameters);
  return TinyModel<S>(cell, problem.shape.top_k, Team{}, storage).loss(training_batch(cell, restart, step), cell.loss_scale);
}

template <class S>
void gradient(const CpuProblem& problem, int restart, int step, const float* parameters, float* out) {
  const CellSettings& cell = *problem.cell;
  ModelStorage<S> storage;
  set_parameters<S>(storage, parameters);
  TinyModel<S>(cell, problem.shape.top_k, Team{}, storage).gradient(training_batch(cell, restart, step));
  for (int p = 0; p < S::kParameters; ++p) out[p] = storage.gradient[p];
}

template <class S>
void initial(const CpuProblem& problem, int restart, float* parameters) {
  const Key key = model_key(*problem.cell, restart);
  for (int p = 0; p < S::kParameters; ++p) parameters[p] = initial_parameter(S::kShape, *problem.cell, key, p);
}

struct Find {
  CpuKernels found;
  template <int n, int m, int E, bool top1>
  void operator()() {
    using S = StaticShape<n, m, E, top1>;
    found = {train<S>, draw_batch<S>, loss<S>, gradient<S>, initial<S>};
  }
};

}  // namespace

// find<n>(shape): the functions of a shape with n features.
template <int n>
CpuKernels find(const Shape& shape) {
  Find visit;
  visit_shape<n>(shape, visit);
  return visit.found;
}
template CpuKernels find<PHASEGRID_FEATURES>(const Shape& shape);

}  // namespace phasegrid::PHASEGRID_MACHINE
