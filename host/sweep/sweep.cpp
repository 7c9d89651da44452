#include "phasegrid/sweep.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "phasegrid/error.hpp"
#include "setting_rules.hpp"

namespace phasegrid {
namespace {

const Axis* find_axis(const std::vector<Axis>& axes, AxisName name) {
  const auto found = std::ranges::find(axes, name, &Axis::name);
  return found == axes.end() ? nullptr : &*found;
}

// The training step works with float32: a sparsity that rounds to 1 there would leave no feature present, ever.
void check_sparsity(std::string_view key, double value) {
  if (value < 1 && static_cast<float>(value) >= 1.0f) {
    throw InputError(fmt::format("{} must be {} (in float32, so at most 0.9999999), not {}", key,
                                 allowed(rule_of("data.sparsity")), value));
  }
}

// Text for a message, which is one line.
std::string printable(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return c < ' ' || c > '~'; }, '?');
  return line;
}

void check_axis(const Axis& axis) {
  const std::string key = fmt::format("axes.{}", to_string(axis.name));
  if (axis.values.empty()) {
    throw InputError(fmt::format("{} must have at least one value, each {}", key, allowed(rule_of(key_of(axis.name)))));
  }
  if (axis.values.size() > kMostAxisValues) {
    throw InputError(fmt::format("{} has {} values; at most {} are allowed", key, axis.values.size(), kMostAxisValues));
  }
  std::set<double> seen;
  for (double value : axis.values) {
    const SettingRule& rule = rule_of(key_of(axis.name));
    try {
      check_setting(rule.key, value);
    } catch (const InputError&) {
      throw InputError(fmt::format("{} must be values, each {}, not {}", key, allowed(rule), value));
    }
    if (axis.name == AxisName::sparsity) check_sparsity(key, value);
    if (!seen.insert(value).second) throw InputError(fmt::format("{} has the value {} twice", key, value));
  }
}

void check_data(const Sweep& sweep) {
  const DataSettings& data = sweep.data;
  const auto n = static_cast<std::size_t>(sweep.shape.n_features);
  if (!data.importance.empty() && data.importance.size() != n) {
    throw InputError(
        fmt::format("data.importance must be \"uniform\" or a list of model.n_features = {} numbers, not "
                    "of {}",
                    n, data.importance.size()));
  }
  for (double importance : data.importance) check_setting("data.importance", importance);
  check_setting("data.importance_ratio", data.importance_ratio);
  if (data.importance_rule != ImportanceRule::list && !data.importance.empty()) {
    throw InputError("data.importance must be a list or a rule, not both");
  }
  if (data.sparsity && !data.feature_sparsity.empty()) {
    throw InputError("data.sparsity must be one number or a list of one a feature, not both");
  }
  if (data.sparsity) {
    check_setting("data.sparsity", *data.sparsity);
    check_sparsity("data.sparsity", *data.sparsity);
  }
  if (!data.feature_sparsity.empty() && data.feature_sparsity.size() != n) {
    throw InputError(fmt::format("data.sparsity must be a list of model.n_features = {} numbers, not of {}", n,
                                 data.feature_sparsity.size()));
  }
  for (double sparsity : data.feature_sparsity) {
    check_setting("data.sparsity", sparsity);
    check_sparsity("data.sparsity", sparsity);
  }
  if (data.last_importance) check_setting("data.last_importance", *data.last_importance);
}

void check_init(const Sweep& sweep) {
  const int n = sweep.shape.n_features, E = sweep.shape.n_experts;
  const RouterInit router = sweep.init.router;
  const bool k_hot = router == RouterInit::ordered_k_hot || router == RouterInit::random_k_hot;
  if (k_hot && n % E != 0) {
    throw InputError(
        fmt::format("init.router = \"{}\" needs a model.n_experts that divides model.n_features = {}, not {}",
                    router == RouterInit::ordered_k_hot ? "ordered-k-hot" : "random-k-hot", n, E));
  }
}

// Snapshots are kept of every cell, at steps that every cell reaches.
void check_snapshots(const Sweep& sweep, double models) {
  const std::vector<int>& snapshots = sweep.train.snapshots;
  double least_steps = sweep.train.steps;
  if (const Axis* axis = find_axis(sweep.axes, AxisName::steps)) least_steps = std::ranges::min(axis->values);
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    if (snapshots[i] < 0 || snapshots[i] > least_steps) {
      throw InputError(fmt::format("train.snapshots must be steps from 0 to the fewest steps of the sweep, {}, not {}",
                                   least_steps, snapshots[i]));
    }
    if (i > 0 && snapshots[i] <= snapshots[i - 1]) {
      throw InputError(fmt::format("train.snapshots must be in ascending order, each once; {} comes after {}",
                                   snapshots[i], snapshots[i - 1]));
    }
  }
  const double numbers = models * static_cast<double>(snapshots.size()) * sweep.shape.parameter_count();
  if (numbers > kMostSnapshotNumbers) {
    throw InputError(
        fmt::format("train.snapshots: {:.0f} models, {} snapshots and {} parameters make {:.3g} numbers; at most "
                    "{:.0g} are allowed in a sweep",
                    models, snapshots.size(), sweep.shape.parameter_count(), numbers, kMostSnapshotNumbers));
  }
}

// A permutation of 0 .. n - 1 drawn from a seed (Fisher and Yates), the same on every platform.
std::vector<std::size_t> permutation(std::size_t n, std::uint64_t seed) {
  constexpr std::uint32_t kPermutation = 0x70657246;  // tells these random numbers from others of the same seed
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  const r123::Philox4x32::ukey_type key = {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  for (std::size_t i = n; i-- > 1;) {
    const auto block = r123::Philox4x32()({{static_cast<std::uint32_t>(i), 0, 0, kPermutation}}, key);
    const std::uint64_t word = (static_cast<std::uint64_t>(block[0]) << 32) | block[1];
    std::swap(order[i], order[word % (i + 1)]);  // 2^64 is so large that the remainder is fair
  }
  return order;
}

std::vector<double> importances(const Sweep& sweep) {
  const auto n = static_cast<std::size_t>(sweep.shape.n_features);
  const DataSettings& data = sweep.data;
  std::vector<double> importance = data.importance;
  if (importance.empty()) importance.assign(n, 1.0);
  if (data.importance_rule != ImportanceRule::list) {
    for (std::size_t f = 0; f < n; ++f) importance[f] = std::pow(data.importance_ratio, static_cast<double>(f));
  }
  if (data.importance_rule == ImportanceRule::shuffled_geometric) {
    const std::vector<double> ordered = importance;
    const std::vector<std::size_t> order = permutation(n, sweep.seed);
    for (std::size_t f = 0; f < n; ++f) importance[f] = ordered[order[f]];
  }
  if (data.last_importance) importance.back() = *data.last_importance;
  return importance;
}

}  // namespace

std::string_view to_string(AxisName name) {
  const std::string_view key = key_of(name);
  return key.substr(key.find('.') + 1);
}

std::vector<double> range(double start, double stop, double step) {
  if (!std::isfinite(start) || !std::isfinite(stop) || !std::isfinite(step)) {
    throw InputError("a range needs finite numbers start, stop and step");
  }
  if (step <= 0) throw InputError(fmt::format("a range needs a step above 0, not {}", step));
  if (stop < start) throw InputError(fmt::format("a range needs stop >= start, not {} < {}", stop, start));
  const double steps = std::floor((stop - start) / step + 1e-9);
  if (steps + 1 > static_cast<double>(kMostAxisValues)) {
    throw InputError(
        fmt::format("a range of {} values is too long; at most {} are allowed", steps + 1, kMostAxisValues));
  }
  std::vector<double> values(static_cast<std::size_t>(steps) + 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = start + static_cast<double>(i) * step;
    // To 12 digits, so that 0.025 * k prints clean and equals the same number written in a list.
    values[i] = std::abs(value) < 1000 ? std::round(value * 1e12) / 1e12 : value;
  }
  return values;
}

void Sweep::check() const {
  if (!is_usable_name(name)) {
    throw InputError(
        fmt::format("name must be 1 to {} letters, digits, '.', '_' or '-', the first a letter, digit or "
                    "'_', not '{}'",
                    kLongestName, printable(std::string_view(name).substr(0, kLongestName))));
  }
  check_setting("restarts", restarts);
  if (seed > 9223372036854775807u) {
    throw InputError(fmt::format("seed must be {}, not {}", allowed(rule_of("seed")), seed));
  }
  check_setting("model.n_features", shape.n_features);
  check_setting("model.n_hidden", shape.n_hidden);
  check_setting("model.n_experts", shape.n_experts);
  check_setting("model.top_k", shape.top_k);
  if (shape.top_k > shape.n_experts) {
    throw InputError(
        fmt::format("model.top_k must be at most model.n_experts = {}, not {}", shape.n_experts, shape.top_k));
  }
  check_data(*this);
  check_init(*this);
  check_setting("train.steps", train.steps);
  check_setting("train.batch", train.batch);
  check_setting("train.learning_rate", train.learning_rate);
  check_setting("train.weight_decay", train.weight_decay);
  check_setting("train.load_balance", train.load_balance);
  check_setting("train.drop_below", train.drop_below);
  check_setting("train.drop_factor", train.drop_factor);
  check_setting("train.stop_below", train.stop_below);

  double models = restarts;
  for (const Axis& axis : axes) {
    if (std::ranges::count(axes, axis.name, &Axis::name) > 1) {
      throw InputError(fmt::format("axes.{} stands twice", to_string(axis.name)));
    }
    check_axis(axis);
    models *= static_cast<double>(axis.values.size());
  }
  const bool given = data.sparsity || !data.feature_sparsity.empty();
  if (given && find_axis(axes, AxisName::sparsity) != nullptr) {
    throw InputError("sparsity stands under both [data] and [axes]; it must stand under one");
  }
  if (!given && find_axis(axes, AxisName::sparsity) == nullptr) {
    throw InputError(
        "sparsity must stand under [data] (a number from 0 to below 1, or a list of one a feature) or [axes]");
  }
  if (data.last_importance && find_axis(axes, AxisName::last_importance) != nullptr) {
    throw InputError("last_importance stands under both [data] and [axes]; it must stand under one");
  }
  if (models > kMostModels) {
    throw InputError(
        fmt::format("axes and restarts make {} models; at most {:.0f} are allowed in a sweep", models, kMostModels));
  }
  check_snapshots(*this, models);
}

Grid::Grid(const Sweep& sweep)
    : base_{sweep.seed, sweep.data.feature_sparsity, importances(sweep), sweep.init, sweep.train} {
  const bool own = !sweep.data.feature_sparsity.empty();
  const double sparsity = own ? std::numeric_limits<double>::quiet_NaN() : sweep.data.sparsity.value_or(0);
  if (!own) base_.sparsity.assign(static_cast<std::size_t>(sweep.shape.n_features), sparsity);
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    if (const Axis* axis = find_axis(sweep.axes, name)) {
      dimensions_.push_back({name, axis->values});
    } else if (name == AxisName::sparsity) {
      dimensions_.push_back({name, {sparsity}});
    } else if (name == AxisName::last_importance) {
      dimensions_.push_back({name, {base_.importance.back()}});
    }
    if (!dimensions_.empty() && dimensions_.back().name == name) cells_ *= dimensions_.back().values.size();
  }
  // -0 becomes 0: they are equal settings, but a cell's random numbers follow from the bits of its settings.
  for (Dimension& dimension : dimensions_) {
    for (double& value : dimension.values) value += 0.0;
  }
  for (std::vector<double>* list : {&base_.sparsity, &base_.importance}) {
    for (double& value : *list) value += 0.0;
  }
  TrainSettings& train = base_.train;
  for (double* value : {&train.learning_rate, &train.weight_decay, &train.load_balance, &train.drop_below,
                        &train.drop_factor, &train.stop_below}) {
    *value += 0.0;
  }
}

std::vector<std::size_t> Grid::extents() const {
  std::vector<std::size_t> extents;
  for (const Dimension& dimension : dimensions_) extents.push_back(dimension.values.size());
  return extents;
}

Cell Grid::cell(std::size_t i) const {
  Cell cell = base_;
  for (auto dimension = dimensions_.rbegin(); dimension != dimensions_.rend(); ++dimension) {
    const double value = dimension->values[i % dimension->values.size()];
    i /= dimension->values.size();
    switch (dimension->name) {
      case AxisName::sparsity:
        if (!std::isnan(value)) cell.sparsity.assign(cell.sparsity.size(), value);  // NaN: each feature has its own
        break;
      case AxisName::last_importance:
        cell.importance.back() = value;
        break;
      case AxisName::steps:
        cell.train.steps = static_cast<int>(value);
        break;
      case AxisName::batch:
        cell.train.batch = static_cast<int>(value);
        break;
      case AxisName::learning_rate:
        cell.train.learning_rate = value;
        break;
      case AxisName::weight_decay:
        cell.train.weight_decay = value;
        break;
      case AxisName::load_balance:
        cell.train.load_balance = value;
        break;
      case AxisName::seed:
        cell.seed += static_cast<std::uint64_t>(value);
        break;
    }
  }
  return cell;
}

}  // namespace phasegrid
