// The C interface over the C++ one: no exception leaves, every pointer is looked at.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stop_token>
#include <string>
#include <vector>

#include "results/result_arrays.hpp"
#include "sweep/config_json.hpp"
#include "phasegrid/phasegrid.h"
#include "phasegrid/phasegrid.hpp"
#include "sweep/shapes.hpp"
#include "text/text_file.hpp"

using phasegrid::AxisName;
using phasegrid::Grid;
using phasegrid::InputError;
using phasegrid::Results;
using phasegrid::Shape;
using phasegrid::Sweep;

struct phasegrid_sweep {
  std::string text, origin;
  phasegrid::SweepFileOptions options;
  Sweep sweep;
};

// Results, and what the views of their arrays need beside them.
struct phasegrid_results {
  Results results;
  std::vector<Grid::Dimension> dimensions;
  std::string config;
  std::vector<std::int32_t> snapshot_steps;
  std::vector<std::vector<float>> spread;  // models of different shapes, each laid out as the largest
  std::vector<std::pair<std::string, phasegrid_array>> arrays;

  explicit phasegrid_results(Results trained);
  phasegrid_results(const phasegrid_results&) = delete;
  phasegrid_results& operator=(const phasegrid_results&) = delete;
};

namespace {

// ---------------------------------------------------------------- errors

// Storage for one sentence without an allocation that could fail.
thread_local char last_error[4096] = "";

phasegrid_status fail(phasegrid_status status, std::string_view sentence) {
  const std::size_t length = std::min(sentence.size(), sizeof last_error - 1);
  std::memcpy(last_error, sentence.data(), length);
  last_error[length] = '\0';
  return status;
}

// Runs an action that returns a status.
template <class Action>
phasegrid_status guarded(const Action& action) {
  try {
    return action();
  } catch (const InputError& error) {
    return fail(PHASEGRID_BAD_INPUT, error.what());
  } catch (const std::bad_alloc&) {
    return fail(PHASEGRID_FAILED, "not enough memory; use fewer cells or restarts");
  } catch (const std::exception& error) {
    return fail(PHASEGRID_FAILED, phasegrid::error_sentence(error.what()));
  } catch (...) {
    return fail(PHASEGRID_FAILED, "an unknown error");
  }
}

void need(const void* pointer, std::string_view function, std::string_view argument) {
  if (pointer == nullptr) throw InputError(fmt::format("{}: {} must not be NULL", function, argument));
}

// The enumerations of the header are those of C++.
template <class Choice>
Choice choice(std::int32_t value, std::int32_t most, std::string_view function, std::string_view argument) {
  if (value < 0 || value > most) {
    throw InputError(fmt::format("{}: {} must be from 0 to {}, not {}", function, argument, most, value));
  }
  return static_cast<Choice>(value);
}
static_assert(static_cast<int>(phasegrid::DeviceChoice::cuda) == PHASEGRID_DEVICE_CUDA &&
              static_cast<int>(phasegrid::DeviceChoice::cpu) == PHASEGRID_DEVICE_CPU);
static_assert(static_cast<int>(phasegrid::InstructionSet::avx512) == PHASEGRID_ISA_AVX512 &&
              static_cast<int>(phasegrid::InstructionSet::baseline) == PHASEGRID_ISA_BASELINE);
static_assert(static_cast<int>(phasegrid::Layout::authors) == PHASEGRID_LAYOUT_AUTHORS);

// ---------------------------------------------------------------- sweeps

phasegrid_sweep* make_sweep(std::string text, std::string origin, const char* preset, const char* variant) {
  auto made = std::make_unique<phasegrid_sweep>();
  made->text = std::move(text);
  made->origin = std::move(origin);
  if (preset != nullptr) made->options.preset = preset;
  if (variant != nullptr) made->options.variant = variant;
  made->sweep = phasegrid::parse_sweep(made->text, made->origin, made->options);
  return made.release();
}

// ---------------------------------------------------------------- arrays

using Extents = std::vector<std::size_t>;

Extents with(Extents extents, std::initializer_list<int> more) {
  for (int extent : more) extents.push_back(static_cast<std::size_t>(extent));
  return extents;
}

template <class T>
constexpr std::int32_t type_of() {
  if constexpr (std::is_same_v<T, float>) return PHASEGRID_FLOAT32;
  if constexpr (std::is_same_v<T, double>) return PHASEGRID_FLOAT64;
  if constexpr (std::is_same_v<T, std::int32_t>) return PHASEGRID_INT32;
}

// Elements of the last `inner` dimensions lie together; before them, one starts every `row` elements.
template <class T>
phasegrid_array view(const T* data, const Extents& extents, std::size_t inner = 0, std::size_t row = 0) {
  if (extents.size() > PHASEGRID_MOST_DIMENSIONS)
    throw std::logic_error("more dimensions than the header has room for");
  phasegrid_array array{};
  array.data = data;
  array.type = type_of<T>();
  array.n_dimensions = static_cast<std::int32_t>(extents.size());
  std::size_t stride = 1;
  for (std::size_t d = extents.size(); d-- > 0;) {
    if (inner > 0 && extents.size() - d == inner + 1) stride = row;
    array.extents[d] = extents[d];
    array.strides[d] = static_cast<std::ptrdiff_t>(stride * sizeof(T));
    stride *= extents[d];
  }
  return array;
}

std::string values_key(AxisName name) {  // as in the .npz files
  return fmt::format("{}_values", name == AxisName::last_importance ? "importance" : to_string(name));
}

}  // namespace

phasegrid_results::phasegrid_results(Results trained)
    : results(std::move(trained)),
      dimensions(Grid(results.sweep).dimensions()),
      config(phasegrid::config_of(results)),
      snapshot_steps(results.sweep.train.snapshots.begin(), results.sweep.train.snapshots.end()) {
  const Shape& shape = results.sweep.shape;
  const int restarts = results.sweep.restarts;
  const auto row = static_cast<std::size_t>(shape.parameter_count());
  const Extents cells = Grid(results.sweep).extents();
  for (const Grid::Dimension& dimension : dimensions) {
    arrays.emplace_back(values_key(dimension.name), view(dimension.values.data(), {dimension.values.size()}));
  }
  auto add_parameters = [&](const std::string& prefix, const std::vector<float>& compact, const Extents& outer) {
    const bool differ = phasegrid::has_shape_axes(results.sweep);
    const std::size_t each = compact.size() / row / results.cells();
    if (differ) spread.push_back(phasegrid::spread_out(results.sweep, compact, each));
    const std::vector<float>& models = differ ? spread.back() : compact;
    for (const phasegrid::Part& part : shape.parts()) {
      Extents extents = outer;
      for (int i = 0; i < part.rank; ++i) extents.push_back(static_cast<std::size_t>(part.extents[i]));
      arrays.emplace_back(prefix + part.name, view(models.data() + part.offset, extents, part.rank, row));
    }
  };
  arrays.emplace_back("final_losses", view(results.final_losses.data(), cells));
  arrays.emplace_back("reconstruction_losses", view(results.reconstruction_losses.data(), cells));
  add_parameters("", results.parameters, cells);
  arrays.emplace_back("all_losses", view(results.all_losses.data(), with(cells, {restarts})));
  arrays.emplace_back("all_reconstruction_losses",
                      view(results.all_reconstruction_losses.data(), with(cells, {restarts})));
  arrays.emplace_back("status", view(results.status.data(), with(cells, {restarts})));
  arrays.emplace_back("kept", view(results.kept.data(), cells));
  for (const phasegrid::ResultArray& array : phasegrid::kResultArrays) {
    const bool of_restarts = array.parameters && array.of == phasegrid::ResultArray::Of::model;
    if (!of_restarts || array.elements(results.sweep) == 0) continue;
    add_parameters(std::string(array.key), results.*array.floats, with(cells, {restarts}));
  }
  if (snapshot_steps.empty()) return;
  const int T = static_cast<int>(snapshot_steps.size());
  arrays.emplace_back("snapshot_steps", view(snapshot_steps.data(), {snapshot_steps.size()}));
  arrays.emplace_back("snapshot_losses", view(results.snapshot_losses.data(), with(cells, {restarts, T})));
  arrays.emplace_back("snapshot_reconstruction_losses",
                      view(results.snapshot_reconstruction_losses.data(), with(cells, {restarts, T})));
  add_parameters("snapshot_", results.snapshot_parameters, with(cells, {T}));
}

namespace {

phasegrid::TrainOptions options_of(const phasegrid_train_options* given, std::size_t n_sweeps, std::stop_source& stop,
                                   std::vector<Results>& earlier) {
  phasegrid_train_options o;
  phasegrid_train_options_init(&o, sizeof o);
  if (given != nullptr) {
    if (given->size < sizeof given->size || given->size > 4096) {
      throw InputError(fmt::format(
          "phasegrid_train: options.size must be sizeof(phasegrid_train_options), not {}; phasegrid_train_options_init "
          "sets it",
          given->size));
    }
    std::memcpy(&o, given, std::min(given->size, sizeof o));
  }
  phasegrid::TrainOptions options;
  options.device =
      choice<phasegrid::DeviceChoice>(o.device, PHASEGRID_DEVICE_CUDA, "phasegrid_train", "options.device");
  options.instruction_set = choice<phasegrid::InstructionSet>(o.instruction_set, PHASEGRID_ISA_AVX512,
                                                              "phasegrid_train", "options.instruction_set");
  options.threads = o.threads;
  options.shard = {o.shard_index, o.shard_count};
  options.stop = stop.get_token();
  if (o.progress != nullptr) {
    options.progress = [&stop, callback = o.progress, user = o.user](const phasegrid::Progress& p) {
      const phasegrid_progress progress{p.models_done, p.models_total, p.share_done, p.seconds};
      if (callback(&progress, user) != 0) stop.request_stop();
    };
  }
  if (o.warning != nullptr) {
    options.warning = [callback = o.warning, user = o.user](const std::string& sentence) {
      callback(sentence.c_str(), user);
    };
  }
  for (std::size_t s = 0; o.resume != nullptr && s < n_sweeps; ++s) {
    need(o.resume[s], "phasegrid_train", "an entry of options.resume");
    earlier.push_back(o.resume[s]->results);
  }
  options.resume = earlier;
  return options;
}

// Whether every model of the shard is trained.
bool is_done(const std::vector<Results>& results, const std::vector<Sweep>& sweeps, const phasegrid::Shard& shard) {
  const std::vector<std::vector<bool>> mine = phasegrid::shard_cells(sweeps, shard);
  for (std::size_t s = 0; s < results.size(); ++s) {
    const auto restarts = static_cast<std::size_t>(sweeps[s].restarts);
    for (std::size_t i = 0; i < results[s].status.size(); ++i) {
      if (mine[s][i / restarts] && results[s].status[i] == phasegrid::kNotTrained) return false;
    }
  }
  return true;
}

}  // namespace

// ---------------------------------------------------------------- the functions of the header

const char* phasegrid_last_error(void) { return last_error; }
const char* phasegrid_version(void) { return PHASEGRID_VERSION; }

phasegrid_status phasegrid_sweep_parse(const char* toml, const char* preset, const char* variant,
                                       phasegrid_sweep** sweep) {
  return guarded([&] {
    need(sweep, "phasegrid_sweep_parse", "sweep");
    *sweep = nullptr;
    need(toml, "phasegrid_sweep_parse", "toml");
    *sweep = make_sweep(toml, "sweep", preset, variant);
    return PHASEGRID_OK;
  });
}

phasegrid_status phasegrid_sweep_read(const char* path, const char* preset, const char* variant,
                                      phasegrid_sweep** sweep) {
  return guarded([&] {
    need(sweep, "phasegrid_sweep_read", "sweep");
    *sweep = nullptr;
    need(path, "phasegrid_sweep_read", "path");
    *sweep = make_sweep(phasegrid::sweep_file_text(path), path, preset, variant);
    return PHASEGRID_OK;
  });
}

phasegrid_status phasegrid_sweep_set(phasegrid_sweep* sweep, const char* change) {
  return guarded([&] {
    need(sweep, "phasegrid_sweep_set", "sweep");
    need(change, "phasegrid_sweep_set", "change");
    phasegrid::SweepFileOptions options = sweep->options;
    options.set.emplace_back(change);
    sweep->sweep = phasegrid::parse_sweep(sweep->text, sweep->origin, options);
    sweep->options = std::move(options);
    return PHASEGRID_OK;
  });
}

void phasegrid_sweep_free(phasegrid_sweep* sweep) { delete sweep; }

phasegrid_status phasegrid_train_options_init(phasegrid_train_options* options, size_t size) {
  return guarded([&] {
    need(options, "phasegrid_train_options_init", "options");
    phasegrid_train_options defaults{};
    if (size < sizeof defaults.size || size > 4096) {
      throw InputError(
          fmt::format("phasegrid_train_options_init: size must be sizeof(phasegrid_train_options), not {}", size));
    }
    defaults.size = size;
    defaults.shard_index = defaults.shard_count = 1;
    std::memset(options, 0, size);
    std::memcpy(options, &defaults, std::min(size, sizeof defaults));
    return PHASEGRID_OK;
  });
}

phasegrid_status phasegrid_train(const phasegrid_sweep* const* sweeps, size_t n_sweeps,
                                 const phasegrid_train_options* options, phasegrid_results** results) {
  return guarded([&] {
    if (n_sweeps == 0) return static_cast<phasegrid_status>(PHASEGRID_OK);
    need(results, "phasegrid_train", "results");
    std::fill_n(results, n_sweeps, nullptr);
    need(sweeps, "phasegrid_train", "sweeps");
    std::vector<Sweep> all;
    for (std::size_t s = 0; s < n_sweeps; ++s) {
      need(sweeps[s], "phasegrid_train", fmt::format("sweeps[{}]", s));
      all.push_back(sweeps[s]->sweep);
    }
    std::stop_source stop;
    std::vector<Results> earlier;
    const phasegrid::TrainOptions given = options_of(options, n_sweeps, stop, earlier);
    std::vector<Results> trained = phasegrid::train(all, given);
    const bool done = is_done(trained, all, given.shard);
    std::vector<std::unique_ptr<phasegrid_results>> made;
    for (Results& result : trained) made.push_back(std::make_unique<phasegrid_results>(std::move(result)));
    for (std::size_t s = 0; s < n_sweeps; ++s) results[s] = made[s].release();
    return done ? static_cast<phasegrid_status>(PHASEGRID_OK)
                : fail(PHASEGRID_STOPPED, "stopped before every model was trained; the results hold what was finished");
  });
}

const char* phasegrid_results_array_name(const phasegrid_results* results, size_t i) {
  return results != nullptr && i < results->arrays.size() ? results->arrays[i].first.c_str() : nullptr;
}

phasegrid_status phasegrid_results_array(const phasegrid_results* results, const char* name, phasegrid_array* array) {
  return guarded([&] {
    need(array, "phasegrid_results_array", "array");
    *array = {};
    need(results, "phasegrid_results_array", "results");
    need(name, "phasegrid_results_array", "name");
    std::string names;
    for (const auto& [key, value] : results->arrays) {
      if (key == name) {
        *array = value;
        return PHASEGRID_OK;
      }
      names += fmt::format("{}{}", names.empty() ? "" : ", ", key);
    }
    throw InputError(fmt::format("phasegrid_results_array: name must be one of {}, not '{}'", names,
                                 std::string_view(name).substr(0, 60)));
  });
}

const char* phasegrid_results_config(const phasegrid_results* results) {
  return results != nullptr ? results->config.c_str() : "";
}

int phasegrid_results_complete(const phasegrid_results* results) {
  return results != nullptr && results->results.complete() ? 1 : 0;
}

phasegrid_status phasegrid_results_save(const phasegrid_results* results, const char* path, int32_t layout) {
  return guarded([&] {
    need(results, "phasegrid_results_save", "results");
    need(path, "phasegrid_results_save", "path");
    save_results(results->results, path,
                 choice<phasegrid::Layout>(layout, PHASEGRID_LAYOUT_AUTHORS, "phasegrid_results_save", "layout"));
    return PHASEGRID_OK;
  });
}

phasegrid_status phasegrid_results_load(const char* path, phasegrid_results** results) {
  return guarded([&] {
    need(results, "phasegrid_results_load", "results");
    *results = nullptr;
    need(path, "phasegrid_results_load", "path");
    *results = std::make_unique<phasegrid_results>(phasegrid::load_results(path)).release();
    return PHASEGRID_OK;
  });
}

phasegrid_status phasegrid_results_merge(const phasegrid_results* const* parts, size_t n_parts,
                                         phasegrid_results** results) {
  return guarded([&] {
    need(results, "phasegrid_results_merge", "results");
    *results = nullptr;
    if (n_parts > 0) need(parts, "phasegrid_results_merge", "parts");
    phasegrid::Merger merger;
    for (std::size_t i = 0; i < n_parts; ++i) {
      need(parts[i], "phasegrid_results_merge", fmt::format("parts[{}]", i));
      merger.add(parts[i]->results, fmt::format("part {}", i + 1));
    }
    *results = std::make_unique<phasegrid_results>(merger.results()).release();
    return PHASEGRID_OK;
  });
}

void phasegrid_results_free(phasegrid_results* results) { delete results; }
