// The measures of metrics.hpp over every kept model: arrays (cells, ...), NaN where none was kept.
#include <cmath>
#include <limits>

#include "bindings.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid::python {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// One array (cells, width): measure(model, cell, row) fills a row of NaN.
template <class Measure>
std::vector<double> over_models(const Results& results, std::size_t width, Measure&& measure) {
  std::vector<double> numbers(results.cells() * width, kNan);
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    if (results.kept[cell] < 0) continue;
    measure(kept_model(results, cell), cell, std::span(numbers).subspan(cell * width, width));
  }
  return numbers;
}

int check_samples(int samples) {
  if (samples < 1 || samples > 10'000'000) {
    throw InputError("samples must be a whole number from 1 to 10000000, not " + std::to_string(samples));
  }
  return samples;
}

// Inputs as the cell's own data has them.
std::vector<float> inputs_of(const Grid& grid, std::size_t cell, int samples, std::uint64_t seed) {
  return draw_inputs(grid.cell(cell).sparsity, samples, seed);
}

Inputs which(bool all) { return all ? Inputs::all : Inputs::nonzero; }

std::size_t experts(const Results& r) { return static_cast<std::size_t>(r.sweep.shape.n_experts); }
std::size_t features(const Results& r) { return static_cast<std::size_t>(r.sweep.shape.n_features); }

void copy_to(const std::vector<double>& from, std::span<double> to) { std::ranges::copy(from, to.begin()); }

ModelView checked_model(const Results& results, std::int64_t cell) {
  if (cell < 0 || static_cast<std::uint64_t>(cell) >= results.cells()) {
    throw InputError("cell must be a whole number from 0 to " + std::to_string(results.cells() - 1) + ", not " +
                     std::to_string(cell));
  }
  return kept_model(results, static_cast<std::size_t>(cell));
}

void check_inputs(const Results& results, const Floats& inputs) {
  if (inputs.ndim() != 2 || inputs.shape(1) != features(results)) {
    throw InputError("inputs must have the shape (samples, n_features = " + std::to_string(features(results)) + ")");
  }
}

nb::typed<nb::tuple, FloatArray, FloatArray, FloatArray, FloatArray> feature_arrays(const Results& r) {
  FeatureMetrics metrics;
  {
    const nb::gil_scoped_release release;
    metrics = feature_metrics(r);
  }
  const std::vector<std::size_t> extents = {r.cells(), experts(r), features(r)};
  return nb::make_tuple(array_of(std::move(metrics.norm), extents), array_of(std::move(metrics.interference), extents),
                        array_of(std::move(metrics.polysemanticity), extents),
                        array_of(std::move(metrics.dimensionality), extents));
}

DoubleArray capacities(const Results& r) {
  return array_of(over_models(r, 1, [](const ModelView& m, std::size_t, auto row) { row[0] = total_capacity(m); }),
                  {r.cells()});
}

DoubleArray cones(const Results& r, int samples, std::uint64_t seed) {
  check_samples(samples);
  std::vector<double> numbers;
  {
    const nb::gil_scoped_release release;
    numbers = over_models(r, experts(r), [&](const ModelView& m, std::size_t, auto row) {
      copy_to(cone_shares(m, samples, seed), row);
    });
  }
  return array_of(std::move(numbers), {r.cells(), experts(r)});
}

nb::typed<nb::tuple, DoubleArray, DoubleArray> usage(const Results& r, int samples, std::uint64_t seed,
                                                    bool all_inputs) {
  check_samples(samples);
  std::vector<double> gate, active;
  {
    const nb::gil_scoped_release release;
    const Grid grid(r.sweep);
    active.assign(r.cells() * experts(r), kNan);
    gate = over_models(r, experts(r), [&](const ModelView& m, std::size_t cell, auto row) {
      const ExpertUsage used = expert_usage(m, inputs_of(grid, cell, samples, seed), which(all_inputs));
      copy_to(used.gate, row);
      copy_to(used.active, std::span(active).subspan(cell * experts(r), experts(r)));
    });
  }
  const std::vector<std::size_t> extents = {r.cells(), experts(r)};
  return nb::make_tuple(array_of(std::move(gate), extents), array_of(std::move(active), extents));
}

DoubleArray per_dimension(const Results& r, int samples, std::uint64_t seed, bool divide_by_k, bool all_inputs) {
  check_samples(samples);
  std::vector<double> numbers;
  {
    const nb::gil_scoped_release release;
    const Grid grid(r.sweep);
    numbers = over_models(r, 1, [&](const ModelView& m, std::size_t cell, auto row) {
      const ExpertUsage used = expert_usage(m, inputs_of(grid, cell, samples, seed), which(all_inputs));
      row[0] = features_per_dimension(m, used.gate, divide_by_k);
    });
  }
  return array_of(std::move(numbers), {r.cells()});
}

DoubleArray global_dimensionality(const Results& r, int samples, std::uint64_t seed) {
  check_samples(samples);
  std::vector<double> numbers;
  {
    const nb::gil_scoped_release release;
    const Grid grid(r.sweep);
    numbers = over_models(r, features(r), [&](const ModelView& m, std::size_t cell, auto row) {
      copy_to(global_feature_dimensionality(m, inputs_of(grid, cell, samples, seed)), row);
    });
  }
  return array_of(std::move(numbers), {r.cells(), features(r)});
}

DoubleArray monosemantic_counts(const Results& r, double threshold, double least_norm) {
  const Shape& shape = r.sweep.shape;
  return array_of(over_models(r, experts(r),
                              [&](const ModelView& m, std::size_t, auto row) {
                                for (int e = 0; e < shape.n_experts; ++e) {
                                  row[static_cast<std::size_t>(e)] = static_cast<double>(
                                      monosemantic_features(m.expert(e), shape.n_features, shape.n_hidden, threshold,
                                                            least_norm)
                                          .size());
                                }
                              }),
                  {r.cells(), experts(r)});
}

DoubleArray reconstructions(const Results& r, std::int64_t cell, const Floats& inputs) {
  check_inputs(r, inputs);
  const ModelView model = checked_model(r, cell);
  const std::size_t n = features(r), samples = inputs.shape(0);
  std::vector<double> outputs(samples * n);
  for (std::size_t i = 0; i < samples; ++i) {
    copy_to(reconstruct(model, std::span(inputs.data() + i * n, n)), std::span(outputs).subspan(i * n, n));
  }
  return array_of(std::move(outputs), {samples, n});
}

nb::typed<nb::tuple, IntArray, DoubleArray> routes(const Results& r, std::int64_t cell, const Floats& inputs) {
  check_inputs(r, inputs);
  const ModelView model = checked_model(r, cell);
  const std::size_t n = features(r), k = static_cast<std::size_t>(r.sweep.shape.top_k), samples = inputs.shape(0);
  std::vector<std::int32_t> chosen;
  std::vector<double> gates;
  for (std::size_t i = 0; i < samples; ++i) {
    const Routing routing = route(model, std::span(inputs.data() + i * n, n));
    chosen.insert(chosen.end(), routing.experts.begin(), routing.experts.end());
    gates.insert(gates.end(), routing.gates.begin(), routing.gates.end());
  }
  return nb::make_tuple(array_of(std::move(chosen), {samples, k}), array_of(std::move(gates), {samples, k}));
}

FloatArray inputs_from(const Doubles& sparsity, int samples, std::uint64_t seed) {
  if (sparsity.ndim() != 1) throw InputError("sparsity must have the shape (n_features,)");
  const std::span<const double> list(sparsity.data(), sparsity.shape(0));
  for (const double value : list) {
    if (!(value >= 0 && value < 1)) throw InputError("sparsity must be numbers from 0 to below 1");
  }
  return array_of(draw_inputs(list, check_samples(samples), seed),
                  {static_cast<std::size_t>(samples), list.size()});
}

nb::typed<nb::dict, nb::str, nb::typed<nb::tuple, double, double, double>> sharpness(const Doubles& field, std::uint64_t seed) {
  if (field.ndim() != 2) throw InputError("field must have two dimensions");
  const Sharpness s = boundary_sharpness(std::span(field.data(), field.size()), field.shape(0), field.shape(1), seed);
  nb::dict all;
  auto add = [&](const char* name, const Estimate& e) { all[name] = nb::make_tuple(e.value, e.low, e.high); };
  add("concentration", s.concentration);
  add("jump", s.jump);
  add("roughness", s.roughness);
  return all;
}

}  // namespace

void bind_metrics(nb::module_& module) {
  const auto results = nb::arg("results");
  module.def("feature_metrics", &feature_arrays, results,
             "norm, interference, polysemanticity and dimensionality, each (cells, E, n).");
  module.def("total_capacity", &capacities, results, "(cells,)");
  module.def("cone_shares", &cones, results, nb::arg("samples"), nb::arg("seed"), "(cells, E)");
  module.def("expert_usage", &usage, results, nb::arg("samples"), nb::arg("seed"), nb::arg("all_inputs"),
             "gate and active, each (cells, E)");
  module.def("features_per_dimension", &per_dimension, results, nb::arg("samples"), nb::arg("seed"),
             nb::arg("divide_by_k"), nb::arg("all_inputs"), "(cells,)");
  module.def(
      "training_health",
      [](const Results& r) {
        const TrainingHealth health = training_health(r);
        return nb::make_tuple(nb::make_tuple(health.diverged, health.first_diverged),
                              nb::make_tuple(health.empty, health.first_empty),
                              nb::make_tuple(health.dead, health.first_dead));
      },
      results,
      nb::sig("def training_health(results: Results) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]"),
      "Diverged restarts, cells without a finite model, dead models: how many, and the first one's cell.");
  module.def("global_feature_dimensionality", &global_dimensionality, results, nb::arg("samples"), nb::arg("seed"),
             "(cells, n)");
  module.def("monosemantic_counts", &monosemantic_counts, results, nb::arg("threshold"), nb::arg("least_norm"),
             "(cells, E)");
  module.def("reconstruct", &reconstructions, results, nb::arg("cell"), nb::arg("inputs"), "(samples, n)");
  module.def("route", &routes, results, nb::arg("cell"), nb::arg("inputs"), "experts and gates, each (samples, k)");
  module.def("draw_inputs", &inputs_from, nb::arg("sparsity"), nb::arg("samples"), nb::arg("seed"), "(samples, n)");
  module.def("boundary_sharpness", &sharpness, nb::arg("field"), nb::arg("seed"),
             "concentration, jump and roughness, each (value, low, high)");
}

}  // namespace phasegrid::python
