#include "cell_inputs.hpp"

#include <Random123/philox.h>

#include <algorithm>
#include <cmath>

#include "common/job.hpp"
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

// As kernels/common/inputs.hpp draws the samples of a data set: word f % 4 of call f / 4 of Philox with 7 rounds is
// feature f's, and says both whether it is present and what it is.
std::vector<float> draw_data_set(const Shape& shape, const Cell& cell) {
  const InputSettings& law = cell.inputs;
  if (law.samples == 0) throw InputError("data.samples must be given: there is no data set without it");
  if (law.presence != PresenceLaw::independent || law.values != ValueLaw::uniform) {
    throw InputError("a data set can be drawn of independent, uniform features alone, not with data.groups, "
                     "data.active or another kind of data.values");
  }
  using Philox = r123::Philox4x32_R<7>;
  const CellSettings settings = cell_settings(shape, cell);
  const std::vector<FeatureSettings> features = feature_settings(shape, cell);
  const Philox::ukey_type key = {{settings.key[0], settings.key[1]}};
  const auto n = static_cast<std::uint32_t>(shape.n_features);
  std::vector<float> inputs;
  inputs.reserve(static_cast<std::size_t>(law.samples) * n);
  for (std::uint32_t sample = 0; sample < static_cast<std::uint32_t>(law.samples); ++sample) {
    Philox::ctr_type words{};
    for (std::uint32_t f = 0; f < n; ++f) {
      if (f % 4 == 0) words = Philox()({{f / 4, sample, 0u, static_cast<std::uint32_t>(kStreamData)}}, key);
      const auto word = static_cast<std::int32_t>(words[f % 4]);
      const FeatureLaw& feature = features[f].law;
      inputs.push_back(word <= feature.present_limit ? std::fma(static_cast<float>(word), feature.scale, feature.offset)
                                                     : 0.0f);
    }
  }
  return inputs;
}

}  // namespace phasegrid
