#include "authors_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>

#include "sweep/config_json.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {

// ---------------------------------------------------------------- writing

void check_authors_layout(const Sweep& sweep) {
  if (Grid(sweep).dimensions().size() > 2) {
    throw InputError("layout authors has the axes sparsity and last_importance alone; this sweep has more");
  }
  if (!sweep.data.feature_sparsity.empty()) {
    throw InputError("layout authors has one sparsity for all features; this sweep has one a feature");
  }
}

NpzArrays authors_arrays(const Results& results) {
  const Sweep& sweep = results.sweep;
  const Shape& shape = sweep.shape;
  const Grid grid(sweep);
  const std::vector<double>&sparsity = grid.dimensions()[0].values, &importance = grid.dimensions()[1].values;
  // The authors count the load balance of a dense model too, where it is the constant alpha.
  const double constant = shape.n_experts == 1 ? sweep.train.load_balance : 0;
  std::vector<double> keys, losses;
  for (double s : sparsity) {
    for (double r : importance) keys.insert(keys.end(), {s, r});
  }
  for (float loss : results.final_losses) losses.push_back(static_cast<double>(loss) + constant);
  const auto stride = static_cast<std::size_t>(shape.parameter_count());
  auto values_of = [&](PartKind kind) {
    const Part part = shape.part(kind);
    std::vector<float> values;
    for (std::size_t at = 0; at < results.parameters.size(); at += stride) {
      const auto from = results.parameters.begin() + static_cast<std::ptrdiff_t>(at) + part.offset;
      values.insert(values.end(), from, from + part.size());
    }
    return values;
  };
  const std::vector<float> weights = values_of(PartKind::weights);
  const std::vector<float> routers = values_of(PartKind::router);
  const auto cells = results.cells(), E = static_cast<std::size_t>(shape.n_experts),
             n = static_cast<std::size_t>(shape.n_features), m = static_cast<std::size_t>(shape.n_hidden);
  const std::int32_t count = static_cast<std::int32_t>(cells);
  return {{"sparsity_values", make_array(std::span<const double>(sparsity), {sparsity.size()})},
          {"importance_values", make_array(std::span<const double>(importance), {importance.size()})},
          {"grid_keys", make_array(std::span<const double>(keys), {cells, 2})},
          {"final_losses", make_array(std::span<const double>(losses), {cells})},
          {"expert_weights_list", make_array(std::span<const float>(weights), {cells, E, n, m})},
          {"router_weights_list", make_array(std::span<const float>(routers), {cells, E, n})},
          {"n_grid_points", make_array(std::span(&count, 1), {})},
          {"save_timestamp", make_string("")}};  // no time: equal results give equal bytes
}

// ---------------------------------------------------------------- reading

namespace {

constexpr double kSameValue = 1e-6;  // of an axis, in two arrays of a file

// Value -> index, of an axis.
using Places = std::map<double, std::size_t>;

Places places_of(const std::vector<double>& values) {
  Places places;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) places.emplace(values[i], i);
  }
  return places;
}

// The index of the nearest value, where it is as good as equal.
std::optional<std::size_t> nearest(const Places& places, double value) {
  auto found = places.lower_bound(value);
  if (found != places.begin() && (found == places.end() || value - std::prev(found)->first < found->first - value)) {
    --found;
  }
  if (found == places.end() || !(std::abs(found->first - value) < kSameValue)) return std::nullopt;
  return found->second;
}

// The cell in the order [S][R] of each row of grid_keys.
std::vector<std::size_t> cells_of_rows(const NpzFile& file, const Diagram& d) {
  const Places sparsities = places_of(d.sparsity), importances = places_of(d.importance);
  const std::vector<double> keys = file.doubles("grid_keys");
  std::vector<std::size_t> cells;
  std::vector<bool> taken(keys.size() / 2, false);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const auto s = nearest(sparsities, keys[2 * i]), r = nearest(importances, keys[2 * i + 1]);
    const bool usable = s && r && !taken[d.cell(*s, *r)];
    if (!usable) {
      throw InputError(
          fmt::format("{}: 'grid_keys' must name every pair of sparsity_values and importance_values once; "
                      "its row {}, ({}, {}), is {}",
                      file.path(), i, keys[2 * i], keys[2 * i + 1], s && r ? "there twice" : "none of them"));
    }
    cells.push_back(d.cell(*s, *r));
    taken[cells.back()] = true;
  }
  return cells;
}

// The extents (E, n, m) behind those of the cells.
void take_shape(const NpzFile& file, const std::string& key, const std::vector<std::size_t>& cells, Diagram& d) {
  const std::vector<std::size_t>& shape = file.array(key).shape;
  const bool usable = shape.size() == cells.size() + 3 && std::equal(cells.begin(), cells.end(), shape.begin()) &&
                      std::all_of(shape.end() - 3, shape.end(), [](std::size_t x) { return x >= 1 && x <= 4096; });
  if (!usable) {
    throw InputError(fmt::format("{}: '{}' must have the shape ({}, E, n, m)", file.path(), key,
                                 cells.size() == 2 ? "S, R" : "S R"));
  }
  d.E = static_cast<int>(shape[cells.size()]);
  d.n = static_cast<int>(shape[cells.size() + 1]);
  d.m = static_cast<int>(shape[cells.size() + 2]);
}

void read_flat(const NpzFile& file, Diagram& d) {
  const std::size_t count = d.sparsity.size() * d.importance.size();
  file.expect_shape("grid_keys", {count, 2});
  file.expect_shape("final_losses", {count});
  take_shape(file, "expert_weights_list", {count}, d);
  const std::vector<double> losses = file.doubles("final_losses");
  const std::vector<float> weights = file.floats("expert_weights_list");
  const std::vector<std::size_t> cells = cells_of_rows(file, d);
  const auto size = static_cast<std::size_t>(d.E) * static_cast<std::size_t>(d.n) * static_cast<std::size_t>(d.m);
  d.losses.resize(count);
  d.weights.resize(count * size);
  for (std::size_t i = 0; i < count; ++i) {
    d.losses[cells[i]] = losses[i];
    std::copy_n(weights.begin() + static_cast<std::ptrdiff_t>(i * size), size,
                d.weights.begin() + static_cast<std::ptrdiff_t>(cells[i] * size));
  }
}

void read_grid(const NpzFile& file, Diagram& d) {
  const std::vector<std::size_t> cells = {d.sparsity.size(), d.importance.size()};
  file.expect_shape("final_losses", cells);
  take_shape(file, "expert_weights", cells, d);
  d.losses = file.doubles("final_losses");
  d.weights = file.floats("expert_weights");
}

}  // namespace

Diagram read_diagram(const std::string& path) {
  const NpzFile file(path);
  Diagram d;
  d.sparsity = file.doubles("sparsity_values");
  d.importance = file.doubles("importance_values");
  file.expect_shape("sparsity_values", {d.sparsity.size()});
  file.expect_shape("importance_values", {d.importance.size()});
  file.has("expert_weights_list") ? read_flat(file, d) : read_grid(file, d);
  // Up to phasegrid 0.1.0, whose files have no reconstruction losses, a dense model's loss held the constant too.
  d.holds_balance = d.E == 1 && !(file.has("config") && file.has("reconstruction_losses"));
  if (d.E == 1 && !d.holds_balance) {
    try {
      d.load_balance = parse_config(file.text("config")).sweep.train.load_balance;
    } catch (const std::exception& error) {
      throw InputError(fmt::format("{}: 'config' is not one of phasegrid's: {}", path, error.what()));
    }
  }
  return d;
}

}  // namespace phasegrid
