#include "plan.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "sweep/settings.hpp"
#include "sweep/shapes.hpp"
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
// feature. The scale is rounded down until the largest feature is below 1.
FeatureLaw unit_law(double density) {
  const double words = std::ceil(density * 0x1p32);
  const auto present_limit = static_cast<std::int32_t>(words - 1 - 0x1p31);
  const float largest = static_cast<float>(present_limit);
  float scale = static_cast<float>(1.0 / (density * 0x1p32));
  while (std::fma(largest, scale, scale * 0x1p31f) >= 1.0f) scale = std::nextafter(scale, 0.0f);
  return {present_limit, scale, scale * 0x1p31f};
}

// The same with values in [low, high), or that number.
FeatureLaw law_of_density(double density, const InputSettings& inputs) {
  FeatureLaw law = unit_law(density);
  if (inputs.value_low == 0 && inputs.value_high == 1) return law;
  const double range = inputs.value_high - inputs.value_low;
  const float scale = static_cast<float>(range * static_cast<double>(law.scale));
  const float offset = static_cast<float>(inputs.value_low + range * static_cast<double>(law.offset));
  return {law.present_limit, scale, offset};
}

// Words of which kind follow each other for the inputs of a cell.
InputLaw input_law(const Cell& cell) {
  const InputSettings& inputs = cell.inputs;
  InputLaw law{};
  law.presence = inputs.presence;
  law.values = inputs.values;
  law.samples = inputs.samples;
  law.size = inputs.presence == PresenceLaw::active ? inputs.active : std::max(1, inputs.group_size);
  const double p = 1.0 - cell.sparsity.front();
  law.choice = unit_law(inputs.presence == PresenceLaw::correlated       ? p
                        : inputs.presence == PresenceLaw::anticorrelated ? std::min(1.0, p * inputs.group_size)
                                                                         : 1.0);
  law.general = inputs.presence != PresenceLaw::independent || inputs.values != ValueLaw::uniform || inputs.samples > 0;
  return law;
}

float sparsity_of(const Cell& cell, int feature) {
  return static_cast<float>(cell.sparsity[static_cast<std::size_t>(feature)]);
}

// Whether a feature's presence follows from another word than its value.
bool has_presence_word(const InputSettings& inputs) {
  return inputs.presence != PresenceLaw::independent || inputs.values == ValueLaw::normal;
}

bool features_alike(const Cell& cell) {
  return std::ranges::all_of(cell.sparsity, [&](double s) { return s == cell.sparsity.front(); });
}

// The values of an axis, or what stands in its place.
std::vector<double> values_of(const Grid& grid, AxisName name, double otherwise) {
  for (const Grid::Dimension& dimension : grid.dimensions()) {
    if (dimension.name == name) return dimension.values;
  }
  return {otherwise};
}

}  // namespace

std::int32_t place_of(std::vector<Betas>& list, const Betas& betas) {
  const auto found = std::ranges::find(list, betas);
  if (found != list.end()) return static_cast<std::int32_t>(found - list.begin());
  list.push_back(betas);
  return static_cast<std::int32_t>(list.size()) - 1;
}

bool is_plain(const Shape& shape, const Cell& cell) {
  return shape.is_papers_model() && input_law(cell).general == 0 && cell.inputs.target == Target::identity &&
         cell.train.loss_power == 2;
}

Mapping mapping_of(const Shape& shape, const Cell& cell) {
  return is_plain(shape, cell) && cell.train.load_balance_over == BalanceOver::all && serves_tiny(shape, features_alike(cell)) ? Mapping::tiny : Mapping::block;
}

int cpu_tile(const Shape& shape, int batch) {
  constexpr int kCacheFloats = 192 * 1024;  // of rows: 768 KiB, less than half of a second-level cache
  constexpr int kEntriesAnExpert = 32;
  if (shape.n_experts == 1) return dense_tile(shape, batch);
  const int unit = kLanes * samples_per_draw(shape.n_features);
  const int row = round_up(shape.n_features, 16) * (shape.top_k == 1 ? 2 : shape.top_k + 2);
  const int wanted = std::max(64, kEntriesAnExpert * shape.n_experts / shape.top_k);
  const int most = std::max(unit, kCacheFloats / row / unit * unit);
  const int largest = std::min(most, round_up(std::min(batch, 1 << 20), unit));
  int tile = std::min(round_up(wanted, unit), largest);
  // A core makes the words of 16 calls of a lane at once (block/tile_inputs.hpp), and a tile should use most of them.
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
  return static_cast<std::size_t>(layout.size) + kOptimiserStates * static_cast<std::size_t>(layout.parameter_floats);
}

CellSettings cell_settings(const Shape& shape, const Cell& cell) {
  const TrainSettings& train = cell.train;
  CellSettings settings{};
  const bool alike = features_alike(cell);
  if (alike) settings.law = law_of_density(1.0 - static_cast<double>(sparsity_of(cell, 0)), cell.inputs);
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
  settings.schedule = train.schedule;
  settings.warmup = train.warmup;
  settings.floor = static_cast<float>(train.floor);
  settings.optimizer = OptimizerSettings::of(train);
  settings.inputs = input_law(cell);
  settings.error = {train.loss_power, cell.inputs.target};
  settings.shared = cell.inputs.shared;
  settings.balance_over = train.load_balance_over;
  settings.router_init = cell.init.router;
  settings.weight_init = cell.init.weights;
  settings.weight_spread = static_cast<float>(cell.init.weight_spread);
  settings.decoder_init = cell.init.decoder;
  settings.bias_init = cell.init.bias;
  settings.bias_spread = static_cast<float>(cell.init.bias_spread);
  settings.steps = train.steps;
  settings.batch = train.batch;
  settings.keep_evaluation = train.keep != Keep::last_batch ? 1 : 0;

  KeyHash hash;
  hash.add(static_cast<std::uint32_t>(cell.seed));
  hash.add(static_cast<std::uint32_t>(cell.seed >> 32));
  if (cell.inputs.shared == SharedData::cells) {  // nothing that may differ between cells
    const auto key = hash.finish();
    settings.key[0] = key[0];
    settings.key[1] = key[1];
    return settings;
  }
  for (int number : {shape.n_features, shape.n_hidden, shape.n_experts, shape.top_k, train.batch}) {
    hash.add(static_cast<std::uint32_t>(number));
  }
  hash.add(train.loss == Loss::mean ? 0u : 1u);
  for (int f = 0; f < (alike ? 1 : shape.n_features); ++f) hash.add(sparsity_of(cell, f));
  for (float number : {settings.learning_rate, settings.decay, settings.load_balance}) hash.add(number);
  for (double importance : cell.importance) hash.add(static_cast<float>(importance));
  for (const auto& [name, values] : beyond_defaults(cell)) {
    for (char letter : name) hash.add(static_cast<std::uint32_t>(letter));
    for (double value : values) hash.add(static_cast<float>(value));
  }
  const auto key = hash.finish();
  settings.key[0] = key[0];
  settings.key[1] = key[1];
  return settings;
}

std::vector<FeatureSettings> feature_settings(const Shape& shape, const Cell& cell) {
  std::vector<FeatureSettings> features(static_cast<std::size_t>(shape.n_features));
  for (int f = 0; f < shape.n_features; ++f) {
    FeatureSettings& feature = features[static_cast<std::size_t>(f)];
    feature.law = law_of_density(1.0 - static_cast<double>(sparsity_of(cell, f)), cell.inputs);
    if (has_presence_word(cell.inputs)) {  // the value's word is taken whole
      const FeatureLaw value = law_of_density(1.0, cell.inputs);
      feature.law.scale = value.scale, feature.law.offset = value.offset;
    }
    feature.importance = static_cast<float>(cell.importance[static_cast<std::size_t>(f)]);
  }
  return features;
}

double model_work(const Shape& shape, Mapping mapping, int steps, int batch) {
  const double n = shape.n_features, m = shape.n_hidden, E = shape.n_experts, k = shape.top_k;
  const double sample = mapping == Mapping::tiny ? n * (1 + m) * (0.5 + E) : 2 * n * (2 + m * k + 3 * (k - 1)) + n * E;
  return sample * std::max(1, steps) * (batch + 64.0);  // no steps: the model is evaluated
}

PlannedSweep::PlannedSweep(const Sweep& given)
    : stored(static_cast<std::size_t>(given.shape.parameter_count())),
      grid(given),
      restarts(given.restarts),
      keep(given.train.keep),
      starts_given(!given.init.from.empty()),
      steps_(given.train.steps),
      batch_(given.train.batch) {
  shape = given.shape;
  mapping = Mapping::tiny;
  plain = true;
  for (double power : values_of(grid, AxisName::loss_power, given.train.loss_power)) {  // the one axis it depends on
    Cell cell = grid.cell(0);
    cell.train.loss_power = static_cast<int>(power);
    if (mapping_of(shape, cell) == Mapping::block) mapping = Mapping::block;
    plain = plain && is_plain(shape, cell);
  }
  largest_batch = static_cast<int>(std::ranges::max(values_of(grid, AxisName::batch, batch_)));
  most_steps = static_cast<int>(std::ranges::max(values_of(grid, AxisName::steps, steps_)));
  load_balance = std::ranges::max(values_of(grid, AxisName::load_balance, given.train.load_balance)) != 0;
  snapshots.assign(given.train.snapshots.begin(), given.train.snapshots.end());
  keeps_moments = phasegrid::keeps_moments(keep);
  if (mapping == Mapping::tiny) return;
  layout = cpu_layout(shape, largest_batch, keep, load_balance);
  workspace = workspace_floats(layout);
}

void PlannedSweep::expand() {
  cells.reserve(grid.cells());
  if (mapping == Mapping::block) features.reserve(grid.cells() * static_cast<std::size_t>(shape.n_features));
  for (std::size_t c = 0; c < grid.cells(); ++c) {
    const Cell cell = grid.cell(c);
    cells.push_back(cell_settings(shape, cell));
    cells.back().optimizer.betas = place_of(betas, {cell.train.beta1, cell.train.beta2});
    if (mapping == Mapping::tiny) continue;
    const std::vector<FeatureSettings> of_cell = feature_settings(shape, cell);
    features.insert(features.end(), of_cell.begin(), of_cell.end());
  }
}

void PlannedSweep::start_at(std::span<const float> whole) {
  initial.clear();
  if (whole.empty()) return;
  const auto size = static_cast<std::size_t>(shape.parameter_count());
  initial.reserve(grid.cells() * size);
  for (std::size_t cell = 0; cell < grid.cells(); ++cell) {
    const auto model = whole.subspan(cell_in_sweep(cell) * stored, size);
    initial.insert(initial.end(), model.begin(), model.end());
  }
}

void PlannedSweep::choose_models(std::span<const std::int32_t> status, const std::vector<bool>& mine) {
  models.clear();
  models.reserve(std::min(grid.cells(), static_cast<std::size_t>(std::ranges::count(mine, true))) *
                 static_cast<std::size_t>(restarts));
  for (std::size_t cell = 0; cell < grid.cells(); ++cell) {
    const std::size_t whole = cell_in_sweep(cell);
    for (int restart = 0; restart < restarts && mine[whole]; ++restart) {
      const auto at = whole * static_cast<std::size_t>(restarts) + static_cast<std::size_t>(restart);
      if (status[at] == kNotTrained) models.push_back({static_cast<std::int32_t>(cell), restart});
    }
  }
}

void PlannedSweep::go_on_from(const Results& shorter) {
  const auto size = static_cast<std::size_t>(shape.parameter_count());
  first_steps.assign(models.size(), 0);
  begun.assign(models.size() * (1 + kOptimiserStates) * size, 0.0f);
  auto to = begun.begin();
  for (std::size_t i = 0; i < models.size(); ++i) {
    const std::size_t at = cell_in_sweep(static_cast<std::size_t>(models[i].cell)) * static_cast<std::size_t>(restarts) +
                           static_cast<std::size_t>(models[i].restart);
    if (shorter.status[at] == kTrained) first_steps[i] = shorter.sweep.train.steps;
    for (const auto* numbers : {&shorter.all_parameters, &shorter.first_moments, &shorter.second_moments}) {
      const auto model = std::span(*numbers).subspan(at * stored, size);
      to = std::ranges::copy(model, to).out;
    }
  }
}

std::vector<PlannedSweep> plan_sweeps(std::span<const Sweep> sweeps) {
  std::vector<PlannedSweep> planned;
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    const auto stored = static_cast<std::size_t>(with_largest_shape(sweeps[s]).shape.parameter_count());
    for (SweepPart& part : parts_of_one_shape(sweeps[s])) {
      PlannedSweep& made = planned.emplace_back(part.sweep);
      made.sweep = s;
      made.cells_in_sweep = std::move(part.cells);
      made.stored = stored;
    }
  }
  return planned;
}

double PlannedSweep::work(std::size_t cell) const {
  return model_work(shape, mapping, static_cast<int>(grid.value(cell, AxisName::steps).value_or(steps_)),
                    static_cast<int>(grid.value(cell, AxisName::batch).value_or(batch_)));
}

std::vector<BiasCorrection> bias_corrections(int steps, const Betas& betas) {
  std::vector<BiasCorrection> corrections(static_cast<std::size_t>(steps));
  for (std::size_t i = 0; i < corrections.size(); ++i) {
    const double step = static_cast<double>(i + 1);
    corrections[i].first = static_cast<float>(1.0 / (1.0 - std::pow(betas.first, step)));
    corrections[i].second = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(betas.second, step)));
  }
  return corrections;
}

CorrectionTables correction_tables(const PlannedModels& planned) {
  double needed = 1;  // steps until beta^t < 2^-26
  for (const Betas& betas : planned.betas) {
    for (double beta : {betas.first, betas.second}) {
      if (beta > 0) needed = std::max(needed, std::ceil(18.1 / -std::log(beta)));
    }
  }
  CorrectionTables tables;
  tables.length = static_cast<std::size_t>(std::min<double>(needed, std::max(1, planned.most_steps)));
  for (const Betas& betas : planned.betas) {
    const std::vector<BiasCorrection> one = bias_corrections(static_cast<int>(tables.length), betas);
    tables.numbers.insert(tables.numbers.end(), one.begin(), one.end());
  }
  return tables;
}

}  // namespace phasegrid
