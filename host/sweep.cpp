#include "phasegrid/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

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
  if (!data.importance.empty() && data.importance.size() != static_cast<std::size_t>(shape.n_features)) {
    throw InputError(
        fmt::format("data.importance must be \"uniform\" or a list of model.n_features = {} numbers, not "
                    "of {}",
                    shape.n_features, data.importance.size()));
  }
  for (double importance : data.importance) check_setting("data.importance", importance);
  if (data.sparsity) {
    check_setting("data.sparsity", *data.sparsity);
    check_sparsity("data.sparsity", *data.sparsity);
  }
  if (data.last_importance) check_setting("data.last_importance", *data.last_importance);
  check_setting("train.steps", train.steps);
  check_setting("train.batch", train.batch);
  check_setting("train.learning_rate", train.learning_rate);
  check_setting("train.weight_decay", train.weight_decay);
  check_setting("train.load_balance", train.load_balance);

  double models = restarts;
  for (const Axis& axis : axes) {
    if (std::ranges::count(axes, axis.name, &Axis::name) > 1) {
      throw InputError(fmt::format("axes.{} stands twice", to_string(axis.name)));
    }
    check_axis(axis);
    models *= static_cast<double>(axis.values.size());
  }
  if (data.sparsity && find_axis(axes, AxisName::sparsity) != nullptr) {
    throw InputError("sparsity stands under both [data] and [axes]; it must stand under one");
  }
  if (!data.sparsity && find_axis(axes, AxisName::sparsity) == nullptr) {
    throw InputError("sparsity must stand under [data] (a number from 0 to below 1) or [axes]");
  }
  if (data.last_importance && find_axis(axes, AxisName::last_importance) != nullptr) {
    throw InputError("last_importance stands under both [data] and [axes]; it must stand under one");
  }
  if (models > kMostModels) {
    throw InputError(
        fmt::format("axes and restarts make {} models; at most {:.0f} are allowed in a sweep", models, kMostModels));
  }
}

Grid::Grid(const Sweep& sweep) : data_(sweep.data), train_(sweep.train), n_features_(sweep.shape.n_features) {
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    if (const Axis* axis = find_axis(sweep.axes, name)) {
      dimensions_.push_back({name, axis->values});
    } else if (name == AxisName::sparsity) {
      dimensions_.push_back({name, {data_.sparsity.value_or(0)}});
    } else if (name == AxisName::last_importance) {
      const double last = data_.importance.empty() ? 1.0 : data_.importance.back();
      dimensions_.push_back({name, {data_.last_importance.value_or(last)}});
    }
    if (!dimensions_.empty() && dimensions_.back().name == name) cells_ *= dimensions_.back().values.size();
  }
  // -0 becomes 0: they are equal settings, but a cell's random numbers follow from the bits of its settings.
  for (Dimension& dimension : dimensions_) {
    for (double& value : dimension.values) value += 0.0;
  }
  for (double& value : data_.importance) value += 0.0;
  for (double* value : {&train_.learning_rate, &train_.weight_decay, &train_.load_balance}) *value += 0.0;
}

std::vector<std::size_t> Grid::extents() const {
  std::vector<std::size_t> extents;
  for (const Dimension& dimension : dimensions_) extents.push_back(dimension.values.size());
  return extents;
}

Cell Grid::cell(std::size_t i) const {
  Cell cell;
  cell.train = train_;
  cell.importance = data_.importance;
  if (cell.importance.empty()) cell.importance.assign(static_cast<std::size_t>(n_features_), 1.0);
  for (auto dimension = dimensions_.rbegin(); dimension != dimensions_.rend(); ++dimension) {
    const double value = dimension->values[i % dimension->values.size()];
    i /= dimension->values.size();
    switch (dimension->name) {
      case AxisName::sparsity:
        cell.sparsity = value;
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
    }
  }
  return cell;
}

}  // namespace phasegrid
