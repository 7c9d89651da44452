#include "cell_inputs.hpp"

#include <algorithm>

#include "phasegrid/error.hpp"
#include "train/instruction_sets.hpp"
#include "train/plan.hpp"
#include "train/workspace.hpp"

namespace phasegrid {

std::vector<float> draw_cell_inputs(const Shape& shape, const Cell& cell, int samples, std::uint64_t seed,
                                    Inputs which) {
  const InputSettings &law = cell.inputs, plain;
  if (law.presence == plain.presence && law.values == plain.values && law.value_low == 0 && law.value_high == 1) {
    return which == Inputs::nonzero ? draw_nonzero_inputs(cell.sparsity, samples, seed)
                                    : draw_inputs(cell.sparsity, samples, seed);
  }
  const auto n = static_cast<std::size_t>(shape.n_features);
  CellSettings settings = cell_settings(shape, cell);
  settings.key[0] = static_cast<std::uint32_t>(seed);
  settings.key[1] = static_cast<std::uint32_t>(seed >> 32);
  const std::vector<FeatureSettings> features = feature_settings(shape, cell);
  const std::size_t wanted = static_cast<std::size_t>(samples) * n;
  std::vector<float> inputs;
  constexpr int kBatch = 4096, kMostBatches = 1 << 14;
  std::vector<float> batch(kBatch * n);
  for (int b = 0; b < kMostBatches && inputs.size() < wanted; ++b) {
    draw_general_inputs(settings, features.data(), shape.n_features, b, kBatch, batch.data());
    for (std::size_t i = 0; i < kBatch && inputs.size() < wanted; ++i) {
      const auto x = std::span(batch).subspan(i * n, n);
      const bool zero = std::ranges::all_of(x, [](float a) { return a == 0; });
      if (which == Inputs::all || !zero) inputs.insert(inputs.end(), x.begin(), x.end());
    }
  }
  if (inputs.size() < wanted) {
    throw InputError("inputs: nearly all are zero at this sparsity; use inputs = \"all\"");
  }
  return inputs;
}

// A training batch of as many samples as the set has is the set, in order; its law alone matters, and not the model.
std::vector<float> draw_data_set(const Shape& shape, const Cell& cell) {
  const InputSettings& law = cell.inputs;
  if (law.samples == 0) throw InputError("data.samples must be given: there is no data set without it");
  if (law.presence != PresenceLaw::independent || law.values != ValueLaw::uniform) {
    throw InputError("a data set can be drawn of independent, uniform features alone, not with data.groups, "
                     "data.active or another kind of data.values");
  }
  CellSettings settings = cell_settings(shape, cell);
  settings.batch = law.samples;
  const std::vector<FeatureSettings> features = feature_settings(shape, cell);
  const Shape dense{.n_features = shape.n_features, .n_hidden = 1, .n_experts = 1, .top_k = 1};
  const BlockLayout layout = cpu_layout(dense, law.samples, Keep::last_batch, false);
  const Workspace workspace = make_workspace(workspace_floats(layout));
  std::vector<float> inputs(static_cast<std::size_t>(law.samples) * static_cast<std::size_t>(shape.n_features));
  block_kernels(best_instruction_set())
      .draw_batch({dense, &settings, features.data(), &layout, workspace.get()}, 0, 1, inputs.data());
  return inputs;
}

}  // namespace phasegrid
