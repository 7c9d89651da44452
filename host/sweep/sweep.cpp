#include "phasegrid/sweep.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "phasegrid/error.hpp"
#include "setting_kinds.hpp"
#include "settings.hpp"
#include "shapes.hpp"
#include "sweep_check.hpp"

namespace phasegrid {
namespace {

void check_axis(const Axis& axis) {
  const SettingKind& kind = *setting(axis.name).kind;
  const std::string key = fmt::format("axes.{}", to_string(axis.name));
  if (axis.values.empty()) {
    throw InputError(fmt::format("{} must have at least one value, each {}", key, allowed(kind.axis_rule())));
  }
  if (axis.values.size() > kMostAxisValues) {
    throw InputError(fmt::format("{} has {} values; at most {} are allowed", key, axis.values.size(), kMostAxisValues));
  }
  std::set<double> seen;
  for (double value : axis.values) {
    kind.check_axis_value(key, value);
    if (!seen.insert(value).second) throw InputError(fmt::format("{} has the value {} twice", key, value));
  }
}

void check_shapes(const Sweep& sweep) {
  if (count_shapes(sweep) > kMostShapes) {
    throw InputError(fmt::format("the axes n_hidden, n_experts and top_k make more than {} shapes of models, the most that "
                                 "are allowed in a sweep",
                                 kMostShapes));
  }
  const std::vector<Shape> shapes = shapes_of(sweep);
  if (!std::ranges::any_of(shapes, has_models)) {
    const int least = std::ranges::min(shapes, {}, &Shape::top_k).top_k;
    const int most = std::ranges::max(shapes, {}, &Shape::n_experts).n_experts;
    throw InputError(fmt::format("{}.top_k must be at most {}.n_experts = {}, not {}",
                                 find_axis(sweep, AxisName::top_k) ? "axes" : "model",
                                 find_axis(sweep, AxisName::n_experts) ? "axes" : "model", most, least));
  }
  const RouterInit router = sweep.init.router;
  if (router != RouterInit::ordered_k_hot && router != RouterInit::random_k_hot) return;
  const int n = sweep.shape.n_features;
  for (const Shape& shape : shapes) {
    if (n % shape.n_experts == 0) continue;
    throw InputError(
        fmt::format("init.router = {} needs a model.n_experts that divides model.n_features = {}, not {}",
                    setting("init.router").kind->json(sweep).dump(), n, shape.n_experts));
  }
}

// Snapshots are kept of every cell, at steps that every cell reaches.
void check_snapshots(const Sweep& sweep, double models) {
  const std::vector<int>& snapshots = sweep.train.snapshots;
  double least_steps = sweep.train.steps;
  if (const Axis* axis = find_axis(sweep, AxisName::steps)) least_steps = std::ranges::min(axis->values);
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
  const int parameters = with_largest_shape(sweep).shape.parameter_count();
  const double numbers = models * static_cast<double>(snapshots.size()) * parameters;
  if (numbers > kMostSnapshotNumbers) {
    throw InputError(
        fmt::format("train.snapshots: {:.0f} models, {} snapshots and {} parameters make {:.3g} numbers; at most "
                    "{:.0g} are allowed in a sweep",
                    models, snapshots.size(), parameters, numbers, kMostSnapshotNumbers));
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

std::vector<double> power_law_sparsities(const PowerLaw& law, int n_features) {
  const auto density = [&](double c, int f) { return std::min(1.0, c * std::pow(f + 1, -law.power)); };
  const auto total = [&](double c) {
    double sum = 0;
    for (int f = 0; f < n_features; ++f) sum += density(c, f);
    return sum;
  };
  double low = 0, high = std::pow(n_features, law.power);  // all are 1 there; the sum rises with c
  high = std::max(high, 1.0);
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (total(middle) < law.active ? low : high) = middle;
  }
  std::vector<double> sparsity;
  for (int f = 0; f < n_features; ++f) sparsity.push_back(1 - density(high, f));
  return sparsity;
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
  for (const Setting& row : settings()) row.kind->check(std::string(row.key), *this);
  double models = restarts;
  for (const Axis& axis : axes) {
    if (std::ranges::count(axes, axis.name, &Axis::name) > 1) {
      throw InputError(fmt::format("axes.{} stands twice", to_string(axis.name)));
    }
    check_axis(axis);
    models *= static_cast<double>(axis.values.size());
  }
  check_shapes(*this);
  const bool given = gives_sparsity(data), counted = has_exact_count(*this);
  if (given && find_axis(*this, AxisName::sparsity) != nullptr) {
    throw InputError("sparsity stands under both [data] and [axes]; it must stand under one");
  }
  if (counted && (given || find_axis(*this, AxisName::sparsity) != nullptr)) {
    throw InputError("sparsity and data.active exclude each other; one must be taken out");
  }
  if (!given && !counted && find_axis(*this, AxisName::sparsity) == nullptr) {
    throw InputError(
        "sparsity must stand under [data] (a number from 0 to below 1, or a list of one per feature) or [axes]");
  }
  if (data.last_importance && find_axis(*this, AxisName::last_importance) != nullptr) {
    throw InputError("last_importance stands under both [data] and [axes]; it must stand under one");
  }
  if (models > kMostModels) {
    throw InputError(
        fmt::format("axes and restarts make {} models; at most {:.0f} are allowed in a sweep", models, kMostModels));
  }
  check_snapshots(*this, models);
  check_combinations(*this);
}

Grid::Grid(const Sweep& sweep)
    : base_{sweep.seed,       sweep.shape, sweep.data.feature_sparsity, importances(sweep), sweep.data.inputs, sweep.init,
            sweep.train} {
  if (sweep.data.sparsity_power) {
    base_.sparsity = power_law_sparsities(*sweep.data.sparsity_power, sweep.shape.n_features);
  }
  const bool own = !base_.sparsity.empty() || has_exact_count(sweep);
  const double sparsity = own ? std::numeric_limits<double>::quiet_NaN() : sweep.data.sparsity.value_or(0);
  if (base_.sparsity.empty()) base_.sparsity.assign(static_cast<std::size_t>(sweep.shape.n_features), own ? 0 : sparsity);
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    if (const Axis* axis = find_axis(sweep, name)) {
      dimensions_.push_back({name, axis->values});
    } else if (name == AxisName::sparsity) {
      dimensions_.push_back({name, {sparsity}});
    } else if (name == AxisName::last_importance) {
      dimensions_.push_back({name, {base_.importance.back()}});
    }
    if (!dimensions_.empty() && dimensions_.back().name == name) cells_ *= dimensions_.back().values.size();
  }
  for (Dimension& dimension : dimensions_) {
    for (double& value : dimension.values) value += 0.0;  // as SettingKind::tidy
  }
  for (const Setting& row : settings()) row.kind->tidy(base_);
}

std::vector<std::size_t> Grid::extents() const {
  std::vector<std::size_t> extents;
  for (const Dimension& dimension : dimensions_) extents.push_back(dimension.values.size());
  return extents;
}

std::optional<double> Grid::value(std::size_t i, AxisName name) const {
  for (auto dimension = dimensions_.rbegin(); dimension != dimensions_.rend(); ++dimension) {
    if (dimension->name == name) return dimension->values[i % dimension->values.size()];
    i /= dimension->values.size();
  }
  return std::nullopt;
}

Cell Grid::cell(std::size_t i) const {
  Cell cell = base_;
  for (auto dimension = dimensions_.rbegin(); dimension != dimensions_.rend(); ++dimension) {
    const double value = dimension->values[i % dimension->values.size()];
    i /= dimension->values.size();
    setting(dimension->name).kind->put(value, cell);
  }
  if (cell.inputs.presence == PresenceLaw::active) {  // of each feature by itself
    const double n = static_cast<double>(cell.sparsity.size());
    cell.sparsity.assign(cell.sparsity.size(), 1 - cell.inputs.active / n);
  }
  return cell;
}

}  // namespace phasegrid
