#include "plan.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "phasegrid/error.hpp"
#include "tiny.hpp"

namespace phasegrid {
namespace {

// A 64-bit hash: words are absorbed four at a time as counters of Philox4x32-10 under the hash so far.
class KeyHash {
 public:
  void add(std::uint32_t word) {
    block_[used_++] = word;
    if (used_ == 4) absorb();
  }
  void add(float number) { add(std::bit_cast<std::uint32_t>(number)); }
  r123::Philox4x32::ukey_type finish() {
    do add(0xffffffffu);  // an end mark, so that no input is another with zeros appended
    while (used_ != 0);
    return state_;
  }

 private:
  void absorb() {
    const auto out = r123::Philox4x32()(block_, state_);
    state_ = {{out[0], out[1]}};
    used_ = 0;
  }
  r123::Philox4x32::ctr_type block_ = {};
  r123::Philox4x32::ukey_type state_ = {};
  unsigned used_ = 0;
};

// The words w with (w + 2^31) / 2^32 < p, w signed, are those up to present_limit; (w + 2^31) / 2^32 / p is the
// feature. The scale is rounded down until the largest feature is below 1.
void set_density(CellSettings& settings, double density) {
  const double words = std::ceil(density * 0x1p32);
  settings.present_limit = static_cast<std::int32_t>(words - 1 - 0x1p31);
  const float largest = static_cast<float>(settings.present_limit);
  float scale = static_cast<float>(1.0 / (density * 0x1p32));
  while (std::fma(largest, scale, scale * 0x1p31f) >= 1.0f) scale = std::nextafter(scale, 0.0f);
  settings.scale = scale;
  settings.offset = scale * 0x1p31f;
}

}  // namespace

void check_supported(const Shape& shape) {
  if (!is_tiny(shape)) {
    throw InputError(
        fmt::format("no kernel for n_features = {}, n_hidden = {}, n_experts = {}: this build trains n_features up to "
                    "{}, n_hidden up to {} and n_experts up to {}",
                    shape.n_features, shape.n_hidden, shape.n_experts, kMaxTinyFeatures, kMaxTinyHidden,
                    kMaxTinyExperts));
  }
}

CellSettings cell_settings(const Shape& shape, const Cell& cell, std::uint64_t seed) {
  const TrainSettings& train = cell.train;
  CellSettings settings{};
  const float sparsity = static_cast<float>(cell.sparsity);
  set_density(settings, 1.0 - static_cast<double>(sparsity));
  for (int f = 0; f < shape.n_features; ++f) {
    settings.importance[f] = static_cast<float>(cell.importance[static_cast<std::size_t>(f)]);
  }
  const double features = train.loss == Loss::mean ? shape.n_features : 1;
  settings.loss_scale = static_cast<float>(1.0 / (train.batch * features));
  settings.evaluation_scale = static_cast<float>(1.0 / (kEvaluationSamples * features));
  settings.learning_rate = static_cast<float>(train.learning_rate);
  settings.decay = static_cast<float>(1.0 - train.learning_rate * train.weight_decay);
  settings.load_balance = static_cast<float>(train.load_balance);
  settings.steps = train.steps;
  settings.batch = train.batch;
  settings.keep_evaluation = train.keep == Keep::evaluation ? 1 : 0;

  KeyHash hash;
  hash.add(static_cast<std::uint32_t>(seed));
  hash.add(static_cast<std::uint32_t>(seed >> 32));
  for (int number : {shape.n_features, shape.n_hidden, shape.n_experts, shape.top_k, train.batch}) {
    hash.add(static_cast<std::uint32_t>(number));
  }
  hash.add(train.loss == Loss::mean ? 0u : 1u);
  for (float number : {sparsity, settings.learning_rate, settings.decay, settings.load_balance}) hash.add(number);
  for (int f = 0; f < shape.n_features; ++f) hash.add(settings.importance[f]);
  const auto key = hash.finish();
  settings.key[0] = key[0];
  settings.key[1] = key[1];
  return settings;
}

PlannedSweep plan(const Sweep& sweep, const Results& finished) {
  const Grid grid(sweep);
  PlannedSweep planned;
  planned.shape = sweep.shape;
  planned.cells.reserve(grid.cells());
  for (std::size_t c = 0; c < grid.cells(); ++c) {
    planned.cells.push_back(cell_settings(sweep.shape, grid.cell(c), sweep.seed));
    for (int restart = 0; restart < sweep.restarts; ++restart) {
      const std::size_t model = c * static_cast<std::size_t>(sweep.restarts) + static_cast<std::size_t>(restart);
      if (finished.status[model] == kNotTrained) planned.models.push_back({static_cast<std::int32_t>(c), restart});
    }
  }
  const auto parameters = static_cast<std::size_t>(sweep.shape.parameter_count());
  planned.losses.assign(planned.models.size(), std::numeric_limits<float>::quiet_NaN());
  planned.parameters.assign(planned.models.size() * parameters, std::numeric_limits<float>::quiet_NaN());
  planned.status.assign(planned.models.size(), kNotTrained);
  // About what the kernels cost: the data and the experts' products, times a little more for every further expert.
  planned.work_per_model = sweep.shape.n_features * (1 + sweep.shape.n_hidden) * (0.5 + sweep.shape.n_experts);
  return planned;
}

std::vector<BiasCorrection> bias_corrections(int steps) {
  std::vector<BiasCorrection> corrections(static_cast<std::size_t>(std::min(steps, 20000)));
  for (std::size_t i = 0; i < corrections.size(); ++i) {
    const double step = static_cast<double>(i + 1);
    corrections[i].first = static_cast<float>(1.0 / (1.0 - std::pow(0.9, step)));
    corrections[i].second = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(0.999, step)));
  }
  return corrections;
}

}  // namespace phasegrid
