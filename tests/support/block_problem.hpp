// A random model, cell and batch for tests of the block mapping, and its memory.
#pragma once

#include <random>
#include <vector>

#include "block/layout.hpp"
#include "common/cpu_kernels.hpp"
#include "train/instruction_sets.hpp"
#include "train/plan.hpp"
#include "train/workspace.hpp"
#include "reference_model.hpp"

namespace phasegrid::testing {

class BlockTrial {
 public:
  Shape shape;
  Cell cell;
  CellSettings settings;
  std::vector<FeatureSettings> features;
  std::vector<float> parameters;

  BlockTrial(const Shape& s, std::mt19937& random, Loss loss, double load_balance, int batch,
             bool sparsities_differ = false)
      : shape(s) {
    std::uniform_real_distribution<double> uniform(0, 1);
    std::normal_distribution<float> normal(0, 0.6f);
    const double sparsity = 0.1 + 0.7 * uniform(random);
    for (int f = 0; f < shape.n_features; ++f) {
      cell.sparsity.push_back(sparsities_differ ? 0.9 * uniform(random) : sparsity);
      cell.importance.push_back(0.2 + 2 * uniform(random));
    }
    cell.seed = random();
    cell.train.loss = loss;
    cell.train.keep = Keep::last_batch;  // an evaluation batch would take the emulated block minutes
    cell.train.load_balance = load_balance;
    cell.train.batch = batch;
    cell.train.steps = 6;
    cell.train.learning_rate = 0.02;
    update();
    parameters.resize(static_cast<std::size_t>(shape.parameter_count()));
    for (float& p : parameters) p = normal(random);
  }

  // After a change of `cell`.
  void update() {
    settings = cell_settings(shape, cell);
    features = feature_settings(shape, cell);
  }

  // As a CPU lays it out, or with another tile.
  CpuProblem problem(int tile = 0) {
    const int batch = std::max(cell.train.batch, cell.train.keep == Keep::evaluation ? kEvaluationSamples : 1);
    layout_ = block_layout(shape, tile > 0 ? tile : cpu_tile(shape, batch), cell.train.load_balance != 0, 16, true);
    memory_ = make_workspace(workspace_floats(layout_));
    return {shape, &settings, features.data(), &layout_, memory_.get()};
  }

  std::vector<float> inputs(InstructionSet set) {
    std::vector<float> x(static_cast<std::size_t>(cell.train.batch * shape.n_features), -1.0f);
    block_kernels(set).draw_batch(problem(), 1, 5, x.data());
    return x;
  }
  std::vector<float> gradient(InstructionSet set, int tile = 0) {
    std::vector<float> g(parameters.size(), NAN);
    block_kernels(set).gradient(problem(tile), 1, 5, parameters.data(), g.data());
    return g;
  }
  Losses losses(InstructionSet set, int tile = 0) {
    return block_kernels(set).loss(problem(tile), 1, 5, parameters.data());
  }
  float loss(InstructionSet set, int tile = 0) { return losses(set, tile).training; }

  ReferenceSettings reference() const {  // as the step sees it: in float32
    ReferenceSettings r{shape,
                        {},
                        static_cast<double>(settings.load_balance),
                        cell.train.loss == Loss::mean,
                        cell.train.loss_power,
                        cell.inputs.target,
                        cell.train.load_balance_over};
    for (const FeatureSettings& feature : features) r.importance.push_back(static_cast<double>(feature.importance));
    return r;
  }

  // Every parameter of the router of expert e.
  std::span<float> router(int e) {
    return std::span(parameters)
        .subspan(static_cast<std::size_t>(shape.router_offset() + e * shape.n_features),
                 static_cast<std::size_t>(shape.n_features));
  }

 private:
  BlockLayout layout_{};
  Workspace memory_;
};

inline std::vector<InstructionSet> machines() {
  std::vector<InstructionSet> sets;
  for (auto set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) sets.push_back(set);
  }
  return sets;
}

}  // namespace phasegrid::testing
