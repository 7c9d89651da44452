#include "results_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "phasegrid/error.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid {
namespace {

// Key of a dimension's values.
std::string values_key(AxisName name) {
  if (name == AxisName::last_importance) return "importance_values";  // the authors' name
  return fmt::format("{}_values", to_string(name));
}

std::vector<std::int32_t> snapshot_steps(const Sweep& sweep) {
  return {sweep.train.snapshots.begin(), sweep.train.snapshots.end()};
}

// The bytes of a model's part in memory: of the array, from that of the element on.
struct Place {
  std::size_t offset, stride;
  Place(const FileArray& array, const Sweep& sweep)
      : offset(array.part ? static_cast<std::size_t>(array.part->offset) * sizeof(float) : 0),
        stride((array.part ? static_cast<std::size_t>(sweep.shape.parameter_count()) : 1) * sizeof(float)) {}
};

}  // namespace

std::vector<FileArray> file_arrays(const Sweep& sweep) {
  std::vector<FileArray> arrays;
  const std::vector<std::size_t> cells = Grid(sweep).extents();
  for (const ResultArray& of : kResultArrays) {
    if (of.elements(sweep) == 0) continue;
    FileArray array{std::string(of.key), &of, {}, cells, of.rows(sweep) * of.elements(sweep), 1};
    if (of.of == ResultArray::Of::model) array.shape.push_back(of.rows(sweep));
    if (of.given == ResultArray::Given::each_snapshot) array.shape.push_back(sweep.train.snapshots.size());
    if (!of.parameters) {
      arrays.push_back(std::move(array));
      continue;
    }
    for (const Part& part : sweep.shape.parts()) {
      FileArray& one = arrays.emplace_back(array);
      one.key += part.name;
      one.part = part;
      for (int i = 0; i < part.rank; ++i) one.shape.push_back(static_cast<std::size_t>(part.extents[i]));
      one.size = static_cast<std::size_t>(part.size());
    }
  }
  return arrays;
}

std::size_t cells_of_block(const std::vector<FileArray>& arrays, std::size_t bytes) {
  std::size_t cell_bytes = 0;
  for (const FileArray& array : arrays) cell_bytes += array.cell_bytes();
  return std::max<std::size_t>(1, bytes / cell_bytes);
}

void pack_cells(const FileArray& array, const Results& results, std::size_t first, CellRange places,
                std::span<std::byte> to) {
  const Sweep& sweep = results.sweep;
  const std::size_t width = array.of->cell_numbers(sweep), count = (places.end - places.begin) * width;
  std::span<const std::byte> from =
      array.of->bytes(results).subspan(places.begin * width * sizeof(float), count * sizeof(float));
  if (!array.part) {
    std::ranges::copy(from, to.begin());
    return;
  }
  std::vector<float> spread;
  if (has_shape_axes(sweep)) {
    const auto models = std::span(results.*array.of->floats).subspan(places.begin * width, count);
    spread = spread_out(sweep, models, array.elements, first + places.begin);
    from = std::as_bytes(std::span(spread));
  }
  const Place place(array, sweep);
  const std::size_t size = array.size * sizeof(float);
  const std::byte* model = from.data() + place.offset;
  for (std::size_t at = 0; at < to.size(); at += size, model += place.stride) std::memcpy(to.data() + at, model, size);
}

void unpack_cells(const FileArray& array, std::span<const std::byte> from, Results& results, std::size_t to_cell) {
  if (from.empty()) return;
  const Place place(array, results.sweep);
  const std::size_t size = array.size * sizeof(float);
  std::byte* model = array.of->bytes(results).data() + to_cell * array.elements * place.stride + place.offset;
  if (size == place.stride) {
    std::memcpy(model, from.data(), from.size());
    return;
  }
  for (std::size_t at = 0; at < from.size(); at += size, model += place.stride)
    std::memcpy(model, from.data() + at, size);
}

void gather_models(Results& results, std::size_t first, CellRange places) {
  const Sweep& sweep = results.sweep;
  if (!has_shape_axes(sweep)) return;
  for (const ResultArray& array : kResultArrays) {
    if (!array.parameters || array.elements(sweep) == 0) continue;
    const std::size_t width = array.cell_numbers(sweep);
    gather(sweep, std::span(results.*array.floats).subspan(places.begin * width, (places.end - places.begin) * width),
           array.rows(sweep) * array.elements(sweep), first + places.begin);
  }
}

std::vector<NpzEntry> results_entries(const Sweep& sweep, const std::string& config,
                                      const std::function<NpzRead(const FileArray&)>& numbers) {
  const Grid grid(sweep);
  std::vector<NpzEntry> entries;
  for (const Grid::Dimension& dimension : grid.dimensions()) {
    entries.push_back(entry_of(values_key(dimension.name),
                               make_array(std::span<const double>(dimension.values), {dimension.values.size()})));
  }
  std::vector<std::int32_t> steps = snapshot_steps(sweep);
  for (const FileArray& array : file_arrays(sweep)) {
    if (array.of->given == ResultArray::Given::each_snapshot && !steps.empty()) {  // before the first of them
      entries.push_back(entry_of("snapshot_steps", make_array(std::span<const std::int32_t>(steps), {steps.size()})));
      steps.clear();
    }
    entries.push_back({array.key, array.type(), array.shape, grid.cells() * array.cell_bytes(), numbers(array)});
  }
  entries.push_back(entry_of("config", make_string(config)));
  return entries;
}

std::string config_text(const NpzFile& file) {
  if (!file.has("config") && file.has("expert_weights_list")) {
    throw InputError(fmt::format(
        "{}: is in the authors' layout, which says no settings, so it is no results of a sweep; compare, the "
        "pictures, the explorer and open_arrays of Python read it",
        file.path()));
  }
  return file.text("config");
}

Config parsed_config(const NpzFile& file, const std::string& text) {
  const std::string& path = file.path();
  try {
    Config config = parse_config(text);
    config.sweep = with_largest_shape(std::move(config.sweep));
    return config;
  } catch (const NewerFormat& error) {
    throw InputError(fmt::format("{}: {}", path, error.what()));
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: 'config' is not one of phasegrid's: {}", path, error.what()));
  }
}

void expect_arrays(const NpzFile& file, const Sweep& sweep) {
  const std::string& path = file.path();
  const Grid grid(sweep);
  for (const Grid::Dimension& dimension : grid.dimensions()) {
    const std::string key = values_key(dimension.name);
    file.expect_shape(key, {dimension.values.size()});
    // A NaN stands for a sparsity that each feature has of its own.
    const bool same = std::ranges::equal(file.doubles(key), dimension.values,
                                         [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
    if (!same) throw InputError(fmt::format("{}: '{}' is not as 'config' says", path, key));
  }
  if (!file.has("reconstruction_losses")) {
    throw InputError(
        fmt::format("{}: has no array 'reconstruction_losses'; phasegrid 0.1.0 and before wrote such files, "
                    "so train the sweep again",
                    path));
  }
  const std::vector<std::int32_t> steps = snapshot_steps(sweep);
  if (!steps.empty()) {
    file.expect_shape("snapshot_steps", {steps.size()});
    if (file.integers("snapshot_steps") != steps) {
      throw InputError(fmt::format("{}: 'snapshot_steps' is not as 'config' says", path));
    }
  }
  for (const FileArray& array : file_arrays(sweep)) file.expect_shape(array.key, array.shape);
}

}  // namespace phasegrid
