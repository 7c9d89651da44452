#include "phasegrid/results_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "authors_layout.hpp"
#include "sweep/config_json.hpp"
#include "sweep/shapes.hpp"
#include "npz.hpp"
#include "output_file.hpp"
#include "phasegrid/error.hpp"
#include "restart_arrays.hpp"
#include "results_check.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

// ---------------------------------------------------------------- arrays

using Extents = std::vector<std::size_t>;

Extents with(Extents extents, int more) {
  extents.push_back(static_cast<std::size_t>(more));
  return extents;
}

// Key of a dimension's values.
std::string values_key(AxisName name) {
  if (name == AxisName::last_importance) return "importance_values";  // the authors' name
  return fmt::format("{}_values", to_string(name));
}

constexpr std::string_view kSnapshot = "snapshot_";  // begins the keys of what is kept of every snapshot

Extents with_part(Extents outer, const Part& part) {
  for (int i = 0; i < part.rank; ++i) outer.push_back(static_cast<std::size_t>(part.extents[i]));
  return outer;
}

// Models [cells][each][stride], each kind of their parameters as one array of the shape `outer` and its own.
void append_parts(const Sweep& sweep, std::span<const float> models, std::size_t each, std::string_view prefix,
                  const Extents& outer, NpzArrays& arrays) {
  const auto stride = static_cast<std::size_t>(sweep.shape.parameter_count());
  std::vector<float> spread;
  if (has_shape_axes(sweep)) models = spread = spread_out(sweep, models, each);
  for (const Part& part : sweep.shape.parts()) {
    const std::size_t size = static_cast<std::size_t>(part.size()) * sizeof(float);
    NpyArray array{"<f4", with_part(outer, part), std::vector<std::byte>(models.size() / stride * size)};
    std::byte* to = array.bytes.data();
    for (std::size_t at = 0; at < models.size(); at += stride, to += size) {
      std::memcpy(to, models.data() + at + part.offset, size);
    }
    arrays.emplace_back(fmt::format("{}{}", prefix, part.name), std::move(array));
  }
}

void expect_parts(const NpzFile& file, const Parts& parts, std::string_view prefix, const Extents& outer) {
  for (const Part& part : parts) file.expect_shape(fmt::format("{}{}", prefix, part.name), with_part(outer, part));
}

// The reverse of append_parts, into models of the right size.
void load_parts(const NpzFile& file, const Sweep& sweep, std::string_view prefix, std::size_t each,
                std::span<float> models) {
  const auto stride = static_cast<std::size_t>(sweep.shape.parameter_count());
  for (const Part& part : sweep.shape.parts()) {
    const std::vector<float> values = file.floats(fmt::format("{}{}", prefix, part.name));
    auto from = values.begin();
    for (std::size_t at = 0; at < models.size(); at += stride, from += part.size()) {
      std::copy_n(from, part.size(), models.begin() + static_cast<std::ptrdiff_t>(at) + part.offset);
    }
  }
  gather(sweep, models, each);
}

std::vector<std::int32_t> snapshot_steps(const Sweep& sweep) {
  return {sweep.train.snapshots.begin(), sweep.train.snapshots.end()};
}

NpzArrays arrays_of(const Results& results, Layout layout) {
  if (layout == Layout::authors) return authors_arrays(results);
  const Sweep& sweep = results.sweep;
  const Grid grid(sweep);
  const Extents cells = grid.extents(), models = with(cells, sweep.restarts);
  const auto restarts = static_cast<std::size_t>(sweep.restarts);
  NpzArrays arrays;
  for (const Grid::Dimension& dimension : grid.dimensions()) {
    arrays.emplace_back(values_key(dimension.name),
                        make_array(std::span<const double>(dimension.values), {dimension.values.size()}));
  }
  auto add_losses = [&](std::string_view key, const std::vector<float>& losses, const Extents& extents) {
    arrays.emplace_back(key, make_array(std::span<const float>(losses), extents));
  };
  add_losses("final_losses", results.final_losses, cells);
  append_parts(sweep, results.parameters, 1, "", cells, arrays);
  add_losses("reconstruction_losses", results.reconstruction_losses, cells);
  add_losses("all_losses", results.all_losses, models);
  add_losses("all_reconstruction_losses", results.all_reconstruction_losses, models);
  arrays.emplace_back("status", make_array(std::span<const std::int32_t>(results.status), models));
  arrays.emplace_back("kept", make_array(std::span<const std::int32_t>(results.kept), cells));
  for (const auto& [prefix, numbers] : restart_arrays(sweep.train.keep)) {
    append_parts(sweep, results.*numbers, restarts, prefix, models, arrays);
  }
  if (const std::vector<std::int32_t> steps = snapshot_steps(sweep); !steps.empty()) {
    const int T = static_cast<int>(steps.size());
    arrays.emplace_back("snapshot_steps", make_array(std::span<const std::int32_t>(steps), {steps.size()}));
    add_losses("snapshot_losses", results.snapshot_losses, with(models, T));
    add_losses("snapshot_reconstruction_losses", results.snapshot_reconstruction_losses, with(models, T));
    append_parts(sweep, results.snapshot_parameters, steps.size(), kSnapshot, with(cells, T), arrays);
  }
  arrays.emplace_back("config", make_string(config_of(results)));
  return arrays;
}

// At least as many bytes as the file of a sweep will have, without its arrays being made for it.
std::size_t most_bytes(const Sweep& sweep, Layout layout) {
  const Grid grid(sweep);
  constexpr std::size_t kForDevice = 1024;  // what the config may still grow by
  const std::size_t cells = grid.cells(), models = cells * static_cast<std::size_t>(sweep.restarts);
  const std::size_t shots = sweep.train.snapshots.size();
  // The authors': a loss and two grid keys of eight bytes for each cell.
  std::size_t numbers = cells * static_cast<std::size_t>(6 + sweep.shape.weight_count() + sweep.shape.router_count());
  if (layout == Layout::phasegrid) {
    const auto parameters = static_cast<std::size_t>(sweep.shape.parameter_count());
    numbers = cells * (3 + (1 + shots) * parameters) + models * (3 + 2 * shots) + shots;
    numbers += models * parameters * restart_arrays(sweep.train.keep).size();
    numbers += config_of(sweep).size() + kForDevice;  // four bytes a character
  }
  std::size_t values = 0;
  for (const Grid::Dimension& dimension : grid.dimensions()) values += dimension.values.size();
  return npz_size_bound(32 + grid.dimensions().size(), numbers * sizeof(float) + values * sizeof(double));
}

void check_layout(const Sweep& sweep, Layout layout) {
  if (layout == Layout::authors) check_authors_layout(sweep);
}

}  // namespace

// ---------------------------------------------------------------- files

void save_results(const Results& results, const std::string& path, Layout layout) {
  check_layout(results.sweep, layout);
  OutputFile file(path, OutputFile::Claim::shared);
  file.finish(npz_bytes(arrays_of(results, layout)));
}

std::string partial_path(const std::string& path) {
  std::error_code unknown;
  return (fs::is_symlink(path, unknown) ? real_path(path) : path) + ".partial";
}

Results load_results(const std::string& path) {
  std::error_code unknown;
  if (!fs::exists(path, unknown) && fs::exists(partial_path(path), unknown)) {
    throw InputError(fmt::format("{}: does not exist yet; what an interrupted training finished is in {}", path,
                                 partial_path(path)));
  }
  const NpzFile file(path);
  if (!file.has("config") && file.has("expert_weights_list")) {
    throw InputError(
        fmt::format("{}: is in the authors' layout, which says no settings, so it is no results of a sweep; compare, the "
                    "pictures, the explorer and open_arrays of Python read it",
                    path));
  }
  const std::string text = file.text("config");
  Config config;
  try {
    config = parse_config(text);
  } catch (const NewerFormat& error) {
    throw InputError(fmt::format("{}: {}", path, error.what()));
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: 'config' is not one of phasegrid's: {}", path, error.what()));
  }
  const Sweep& sweep = config.sweep;
  const Grid grid(sweep);
  for (const Grid::Dimension& dimension : grid.dimensions()) {
    const std::string key = values_key(dimension.name);
    file.expect_shape(key, {dimension.values.size()});
    // A NaN stands for a sparsity that each feature has of its own.
    const bool same = std::ranges::equal(file.doubles(key), dimension.values,
                                         [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
    if (!same) throw InputError(fmt::format("{}: '{}' is not as 'config' says", path, key));
  }
  const Parts parts = sweep.shape.parts();
  const Extents cells = grid.extents(), models = with(cells, sweep.restarts);
  if (!file.has("reconstruction_losses")) {
    throw InputError(
        fmt::format("{}: has no array 'reconstruction_losses'; phasegrid 0.1.0 and before wrote such files, "
                    "so train the sweep again",
                    path));
  }
  for (const char* key : {"final_losses", "reconstruction_losses", "kept"}) file.expect_shape(key, cells);
  for (const char* key : {"all_losses", "all_reconstruction_losses"}) file.expect_shape(key, models);
  file.expect_shape("status", models);
  expect_parts(file, parts, "", cells);
  for (const auto& [prefix, numbers] : restart_arrays(sweep.train.keep)) expect_parts(file, parts, prefix, models);
  const std::vector<std::int32_t> steps = snapshot_steps(sweep);
  const Extents shots = with(cells, static_cast<int>(steps.size()));
  if (!steps.empty()) {
    file.expect_shape("snapshot_steps", {steps.size()});
    if (file.integers("snapshot_steps") != steps) {
      throw InputError(fmt::format("{}: 'snapshot_steps' is not as 'config' says", path));
    }
    for (const char* key : {"snapshot_losses", "snapshot_reconstruction_losses"}) {
      file.expect_shape(key, with(models, static_cast<int>(steps.size())));
    }
    expect_parts(file, parts, kSnapshot, shots);
  }
  Results results(sweep);  // only now: the file is as large as its config says
  results.device = config.device;
  results.made_by = config.made_by;
  results.bits = config.bits;
  results.final_losses = file.floats("final_losses");
  results.kept = file.integers("kept");
  results.reconstruction_losses = file.floats("reconstruction_losses");
  results.all_losses = file.floats("all_losses");
  results.all_reconstruction_losses = file.floats("all_reconstruction_losses");
  results.status = file.integers("status");
  load_parts(file, sweep, "", 1, results.parameters);
  for (const auto& [prefix, numbers] : restart_arrays(sweep.train.keep)) {
    load_parts(file, sweep, prefix, static_cast<std::size_t>(sweep.restarts), results.*numbers);
  }
  if (!steps.empty()) {
    results.snapshot_losses = file.floats("snapshot_losses");
    results.snapshot_reconstruction_losses = file.floats("snapshot_reconstruction_losses");
    load_parts(file, sweep, kSnapshot, steps.size(), results.snapshot_parameters);
  }
  check_results(results, path);
  return results;
}

// ---------------------------------------------------------------- reserved

struct ReservedFile::Temporary : OutputFile {
  using OutputFile::OutputFile;
};

ReservedFile::ReservedFile(std::string path, const Sweep& sweep, Layout layout)
    : path_(std::move(path)), layout_(layout) {
  check_layout(sweep, layout);
  temporary_ = std::make_unique<Temporary>(path_, OutputFile::Claim::sole);
  temporary_->reserve(most_bytes(sweep, layout));
}
ReservedFile::~ReservedFile() = default;
ReservedFile::ReservedFile(ReservedFile&&) noexcept = default;

void ReservedFile::save(const Results& results) {
  if (!temporary_ || temporary_->is_in_place()) {
    throw std::logic_error("ReservedFile::save: only once, and not after a move");
  }
  temporary_->finish(npz_bytes(arrays_of(results, layout_)));
}

}  // namespace phasegrid
