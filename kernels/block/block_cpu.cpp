// The block mapping on the CPU: one thread trains one model. Compiled once for every instruction set.
#include "common/cpu_kernels.hpp"
#include "model.hpp"
#include "phasegrid/status.hpp"

namespace phasegrid::PHASEGRID_MACHINE {
namespace {

PG_INLINE BlockStorage storage_in(const BlockLayout& layout, float* workspace) {
  return {layout, workspace, workspace + layout.size};
}

int32_t train(const Job& job, int index, const CpuProblem& place) {
  const Shape& shape = place.shape;
  const ModelId id = job.models[index];
  const CellSettings& cell = job.cells[id.cell];
  const BlockStorage storage = storage_in(*place.layout, place.workspace);
  BlockModel model(shape, cell, job.features + static_cast<size_t>(id.cell) * static_cast<size_t>(shape.n_features),
                   BlockTeam{}, storage);
  const int count = shape.parameter_count();
  const Outcome outcome = train_model(job, index, cell, id.restart, count, model);
  if (outcome.stopped) return kNotTrained;
  write_model(job, index, count, model);
  job.losses[index] = outcome.loss;
  return outcome.status;
}

// ---------------------------------------------------------------- for tests and tools

// body(model, storage) for a model with these parameters, or initial ones where there are none.
template <class Body>
PG_INLINE void with_model(const CpuProblem& problem, int restart, const float* parameters, Body&& body) {
  const BlockStorage storage = storage_in(*problem.layout, problem.workspace);
  BlockModel model(problem.shape, *problem.cell, problem.features, BlockTeam{}, storage);
  if (parameters == nullptr) {
    model.initialise(model_key(*problem.cell, restart), nullptr);
  } else {
    model.set_up();
    for (int p = 0; p < problem.shape.parameter_count(); ++p) *model.parameter(p) = parameters[p];
  }
  body(model, storage);
}

void draw_batch(const CpuProblem& problem, int restart, int step, float* inputs) {
  const Batch batch = training_batch(*problem.cell, restart, step);
  with_model(problem, restart, nullptr, [&](BlockModel&, const BlockStorage& s) {
    for (int first = 0; first < batch.samples; first += s.l.tile) {
      const int samples = smaller(s.l.tile, batch.samples - first);
      const int rows = (samples + kLanes - 1) / kLanes;
      const bool dense = s.l.E == 1;
      if (dense) {
        draw_columns(s, batch, first / kLanes, rows, BlockTeam{});
      } else {
        draw_rows(s, batch, first / kLanes, rows, BlockTeam{});
      }
      for (int i = 0; i < samples; ++i) {
        for (int f = 0; f < s.l.n; ++f) inputs[(first + i) * s.l.n + f] = dense ? s.feature(f)[i] : s.x(i)[f];
      }
    }
  });
}

Losses loss(const CpuProblem& problem, int restart, int step, const float* parameters) {
  Losses result{};
  with_model(problem, restart, parameters, [&](BlockModel& model, const BlockStorage&) {
    result = model.loss(training_batch(*problem.cell, restart, step), problem.cell->loss_scale);
  });
  return result;
}

void gradient(const CpuProblem& problem, int restart, int step, const float* parameters, float* out) {
  with_model(problem, restart, parameters, [&](BlockModel& model, const BlockStorage&) {
    model.gradient(training_batch(*problem.cell, restart, step));
    for (int p = 0; p < problem.shape.parameter_count(); ++p) out[p] = *model.gradient_of(p);
  });
}

void initial(const CpuProblem& problem, int restart, float* parameters) {
  with_model(problem, restart, nullptr,
             [&](BlockModel& model, const BlockStorage&) { model.write_parameters(parameters); });
}

}  // namespace

CpuKernels block_kernels() { return {train, draw_batch, loss, gradient, initial}; }

// Batch `batch` of so many fresh inputs [samples][n] of a general law, under the cell's key.
void draw_inputs(const CellSettings& cell, const FeatureSettings* features, int n, int batch, int samples,
                 float* inputs) {
  Batch of = evaluation_batch(cell, nullptr);
  of.step = static_cast<uint32_t>(batch);
  for (int row = 0; row * kLanes < samples; ++row) {
    Team::for_each_group([&](int lane) {
      const auto law = [&](int f) -> const FeatureLaw& { return features[f].law; };
      draw_general(
          of, n, row, lane, [&](int f) { return law(f).present_limit; }, [&](int f) { return Floats(law(f).scale); },
          [&](int f) { return Floats(law(f).offset); },
          [&](int f, Floats x) {
            float lanes[kWidth];
            store(lanes, x);
            for (int l = 0; l < kWidth; ++l) {
              const int sample = row * kLanes + lane + l;
              if (sample < samples) inputs[sample * n + f] = lanes[l];
            }
          });
    });
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
