#include "cell_inputs.hpp"

#include <algorithm>

#include "phasegrid/error.hpp"
#include "train/instruction_sets.hpp"
#include "train/plan.hpp"

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

}  // namespace phasegrid
