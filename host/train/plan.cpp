#include "plan.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tiny/tiny.hpp"

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
// feature. The scale is rounded down until the largest feature is below 1. For CellSettings and FeatureSettings.
template <class Settings>
void set_density(Settings& settings, double density) {
  const double words = std::ceil(density * 0x1p32);
  settings.present_limit = static_cast<std::int32_t>(words - 1 - 0x1p31);
  const float largest = static_cast<float>(settings.present_limit);
  float scale = static_cast<float>(1.0 / (density * 0x1p32));
  while (std::fma(largest, scale, scale * 0x1p31f) >= 1.0f) scale = std::nextafter(scale, 0.0f);
  settings.scale = scale;
  settings.offset = scale * 0x1p31f;
}

float sparsity_of(const Cell& cell, int feature) {
  return static_cast<float>(cell.sparsity[static_cast<std::size_t>(feature)]);
}

bool features_alike(const Cell& cell) {
  return std::ranges::all_of(cell.sparsity, [&](double s) { return s == cell.sparsity.front(); });
}

static_assert(kStopped == kNotTrained, "a kernel's status is stored as a model's");
static_assert(kScheduleLinear == static_cast<int>(Schedule::linear) &&
              kScheduleCosine == static_cast<int>(Schedule::cosine));
static_assert(kRouterZero == static_cast<int>(RouterInit::zero) &&
              kRouterDiagonal == static_cast<int>(RouterInit::diagonal) &&
              kRouterOrdered == static_cast<int>(RouterInit::ordered_k_hot) &&
              kRouterRandom == static_cast<int>(RouterInit::random_k_hot) &&
              kBiasZero == static_cast<int>(BiasInit::zero));

}  // namespace

Mapping mapping_of(const Shape& shape, const Cell& cell) {
  return is_tiny(shape) && features_alike(cell) ? Mapping::tiny : Mapping::block;
}

int cpu_tile(const Shape& shape, int batch) {
  constexpr int kCacheFloats = 192 * 1024;  // of rows: 768 KiB, less than half of a second-level cache
  constexpr int kEntriesAnExpert = 32;
  if (shape.n_experts == 1) return tile_of_batch(shape.n_features, batch, kDenseTile);
  const int unit = kLanes * rows_per_draw(shape.n_features);
  const int row = round_up(shape.n_features, 16) * (shape.top_k == 1 ? 2 : shape.top_k + 2);
  const int wanted = std::max(64, kEntriesAnExpert * shape.n_experts / shape.top_k);
  const int most = std::max(unit, kCacheFloats / row / unit * unit);
  const int largest = std::min(most, round_up(std::min(batch, 1 << 20), unit));
  int tile = std::min(round_up(wanted, unit), largest);
  // A core makes the words of 16 calls of a lane at once (block/data.hpp), and a tile should use most of them.
  const auto share_used = [&](int rows) {
    const int calls = (rows * shape.n_features + 3) / 4;
    return static_cast<double>(calls) / round_up(calls, 16);
  };
  while (share_used(tile / kLanes) < 0.9 && tile + unit <= largest) tile += unit;
  return tile;
}

BlockLayout cpu_layout(const Shape& shape, int largest_batch, Keep keep, bool load_balance) {
  const int batch = std::max(largest_batch, keep != Keep::last_batch ? kEvaluationSamples : 1);
  return block_layout(shape, cpu_tile(shape, batch), load_balance, 16, true);
}

std::size_t workspace_floats(const BlockLayout& layout) {
  return static_cast<std::size_t>(layout.size) + 2 * static_cast<std::size_t>(layout.parameter_floats);
}

std::size_t PlannedSweep::workspace() const { return mapping == Mapping::tiny ? 0 : workspace_floats(layout); }

CellSettings cell_settings(const Shape& shape, const Cell& cell) {
  const TrainSettings& train = cell.train;
  CellSettings settings{};
  const bool alike = features_alike(cell);
  if (alike) set_density(settings, 1.0 - static_cast<double>(sparsity_of(cell, 0)));
  for (int f = 0; f < std::min(shape.n_features, kMaxTinyFeatures); ++f) {
    settings.importance[f] = static_cast<float>(cell.importance[static_cast<std::size_t>(f)]);
  }
  const double features = train.loss == Loss::mean ? shape.n_features : 1;
  settings.loss_scale = static_cast<float>(1.0 / (train.batch * features));
  settings.evaluation_scale = static_cast<float>(1.0 / (kEvaluationSamples * features));
  settings.learning_rate = static_cast<float>(train.learning_rate);
  settings.decay = static_cast<float>(1.0 - train.learning_rate * train.weight_decay);
  settings.weight_decay = static_cast<float>(train.weight_decay);
  settings.drop_below = static_cast<float>(train.drop_below);
  settings.drop_factor = static_cast<float>(train.drop_factor);
  settings.stop_below = static_cast<float>(train.stop_below);
  settings.load_balance = static_cast<float>(train.load_balance);
  settings.schedule = static_cast<std::int32_t>(train.schedule);
  settings.router_init = static_cast<std::int32_t>(cell.init.router);
  settings.bias_init = static_cast<std::int32_t>(cell.init.bias);
  settings.steps = train.steps;
  settings.batch = train.batch;
  settings.keep_evaluation = train.keep != Keep::last_batch ? 1 : 0;

  KeyHash hash;
  hash.add(static_cast<std::uint32_t>(cell.seed));
  hash.add(static_cast<std::uint32_t>(cell.seed >> 32));
  for (int number : {shape.n_features, shape.n_hidden, shape.n_experts, shape.top_k, train.batch}) {
    hash.add(static_cast<std::uint32_t>(number));
  }
  hash.add(train.loss == Loss::mean ? 0u : 1u);
  for (int f = 0; f < (alike ? 1 : shape.n_features); ++f) hash.add(sparsity_of(cell, f));
  for (float number : {settings.learning_rate, settings.decay, settings.load_balance}) hash.add(number);
  for (double importance : cell.importance) hash.add(static_cast<float>(importance));
  const auto key = hash.finish();
  settings.key[0] = key[0];
  settings.key[1] = key[1];
  return settings;
}

std::vector<FeatureSettings> feature_settings(const Shape& shape, const Cell& cell) {
  std::vector<FeatureSettings> features(static_cast<std::size_t>(shape.n_features));
  for (int f = 0; f < shape.n_features; ++f) {
    FeatureSettings& feature = features[static_cast<std::size_t>(f)];
    set_density(feature, 1.0 - static_cast<double>(sparsity_of(cell, f)));
    feature.importance = static_cast<float>(cell.importance[static_cast<std::size_t>(f)]);
  }
  return features;
}

double model_work(const Shape& shape, Mapping mapping, int steps, int batch) {
  const double n = shape.n_features, m = shape.n_hidden, E = shape.n_experts, k = shape.top_k;
  const double sample = mapping == Mapping::tiny ? n * (1 + m) * (0.5 + E) : 2 * n * (2 + m * k + 3 * (k - 1)) + n * E;
  return sample * steps * (batch + 64.0);
}

PlannedSweep plan(const Sweep& sweep, const Results& finished, const std::vector<bool>& mine) {
  const Grid grid(sweep);
  const Shape& shape = sweep.shape;
  PlannedSweep planned;
  planned.shape = shape;
  planned.mapping = mapping_of(shape, grid.cell(0));
  planned.snapshots.assign(sweep.train.snapshots.begin(), sweep.train.snapshots.end());
  planned.cells.reserve(grid.cells());
  planned.models.reserve(finished.status.size());
  if (planned.mapping == Mapping::block) {
    planned.features.reserve(grid.cells() * static_cast<std::size_t>(shape.n_features));
  }
  for (std::size_t c = 0; c < grid.cells(); ++c) {
    const Cell cell = grid.cell(c);
    planned.cells.push_back(cell_settings(shape, cell));
    planned.load_balance = planned.load_balance || cell.train.load_balance != 0;
    planned.largest_batch = std::max(planned.largest_batch, cell.train.batch);
    planned.most_steps = std::max(planned.most_steps, cell.train.steps);
    if (planned.mapping == Mapping::block) {
      const std::vector<FeatureSettings> features = feature_settings(shape, cell);
      planned.features.insert(planned.features.end(), features.begin(), features.end());
    }
    for (int restart = 0; mine[c] && restart < sweep.restarts; ++restart) {
      const std::size_t model = c * static_cast<std::size_t>(sweep.restarts) + static_cast<std::size_t>(restart);
      if (finished.status[model] == kNotTrained) planned.models.push_back({static_cast<std::int32_t>(c), restart});
    }
  }
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const auto parameters = static_cast<std::size_t>(shape.parameter_count());
  planned.losses.assign(planned.models.size(), {kNan, kNan});
  planned.parameters.assign(planned.models.size() * parameters, kNan);
  planned.snapshot_losses.assign(planned.models.size() * planned.snapshots.size(), {kNan, kNan});
  planned.snapshot_parameters.assign(planned.models.size() * planned.snapshots.size() * parameters, kNan);
  planned.status.assign(planned.models.size(), kNotTrained);
  planned.steps_done.assign(planned.models.size(), 0);
  if (planned.mapping == Mapping::block) {
    planned.layout = cpu_layout(shape, planned.largest_batch, sweep.train.keep, planned.load_balance);
  }
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

Job job_of(const PlannedModels& planned, std::span<const BiasCorrection> corrections) {
  Job job{};
  job.n_models = static_cast<std::int32_t>(planned.models.size());
  job.top_k = planned.shape.top_k;
  job.n_corrections = static_cast<std::int32_t>(corrections.size());
  job.n_snapshots = static_cast<std::int32_t>(planned.snapshots.size());
  return job;
}

}  // namespace phasegrid
