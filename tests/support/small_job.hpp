// A cell of a few small steps and the job of one model of it, for tests that run the tiny mapping on other machines.
#pragma once

#include <cstdint>
#include <vector>

#include "train/plan.hpp"

namespace phasegrid::testing {

inline Cell small_cell(const Shape& shape, int batch, double load_balance, Keep keep = Keep::last_batch) {
  Cell cell;
  cell.seed = 7;
  cell.sparsity.assign(static_cast<std::size_t>(shape.n_features), 0.4);
  cell.importance.assign(static_cast<std::size_t>(shape.n_features), 1.0);
  cell.importance.back() = 0.7;
  cell.train.steps = 6;
  cell.train.batch = batch;
  cell.train.learning_rate = 0.03;
  cell.train.load_balance = load_balance;
  cell.train.keep = keep;
  return cell;
}

// Restart 3 of a cell, and what a kernel writes of it.
struct SmallJob {
  SmallJob(const Shape& shape, const Cell& cell)
      : settings(cell_settings(shape, cell)),
        corrections(bias_corrections(cell.train.steps)),
        parameters(static_cast<std::size_t>(shape.parameter_count())) {
    job.n_models = 1;
    job.top_k = shape.top_k;
    job.cells = &settings;
    job.models = &id;
    job.corrections = corrections.data();
    job.n_corrections = static_cast<std::int32_t>(corrections.size());
    job.stop = &stop;
    job.steps_done = &steps_done;
    job.losses = &loss;
    job.parameters = parameters.data();
  }
  SmallJob(const SmallJob&) = delete;
  SmallJob& operator=(const SmallJob&) = delete;

  CellSettings settings;
  std::vector<BiasCorrection> corrections;
  ModelId id{0, 3};
  std::int32_t stop = 0, steps_done = 0;
  Losses loss{};
  std::vector<float> parameters;
  Job job{};
};

}  // namespace phasegrid::testing
