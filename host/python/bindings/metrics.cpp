// The measures of metrics.hpp over every kept model: arrays (cells, ...), NaN where none was kept.
#include <algorithm>

#include "bindings.hpp"
#include "measure/measures.hpp"
#include "phasegrid/error.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid::python {
namespace {

std::size_t features(const Results& r) { return static_cast<std::size_t>(r.sweep.shape.n_features); }

void copy_to(const std::vector<double>& from, std::span<double> to) { std::ranges::copy(from, to.begin()); }

ModelView checked_model(const Results& results, std::int64_t cell) {
  if (cell < 0 || static_cast<std::uint64_t>(cell) >= results.cells()) {
    throw InputError("cell must be a whole number from 0 to " + std::to_string(results.cells() - 1) + ", not " +
                     std::to_string(cell));
  }
  const ModelView model = kept_model(results, static_cast<std::size_t>(cell));
  if (!has_models(model.shape)) {
    throw InputError("cell has no model: its top_k = " + std::to_string(model.shape.top_k) + " is above n_experts = " +
                     std::to_string(model.shape.n_experts));
  }
  return model;
}

void check_inputs(const Results& results, const Floats& inputs) {
  if (inputs.ndim() != 2 || inputs.shape(1) != features(results)) {
    throw InputError("inputs must have the shape (samples, n_features = " + std::to_string(features(results)) + ")");
  }
}

const char* word(Extent extent) { return extent == Extent::expert ? "expert" : "feature"; }

// The rows of the table of measures, for Python to make its methods of.
nb::list table_of_measures() {
  nb::list rows;
  for (const Measure& row : measures()) {
    nb::dict named;
    named["name"] = row.name;
    nb::list results, extents, options;
    for (const char* name : row.results) results.append(name);
    for (const Extent extent : row.extents) extents.append(word(extent));
    for (const char* name : row.options) options.append(name);
    named["results"] = nb::tuple(results);
    named["extents"] = nb::tuple(extents);
    named["options"] = nb::tuple(options);
    named["needs_inputs"] = row.needs_inputs;
    named["documentation"] = row.documentation;
    named["source"] = row.source;
    rows.append(named);
  }
  return rows;
}

// A measure over every kept model: a list of arrays (cells, extents).
nb::list measured(const Results& r, const std::string& name, int samples, std::uint64_t seed, bool all_inputs,
                  bool divide_by_k, double threshold, double least_norm) {
  const Measure& measure = measure_named(name);
  std::vector<std::vector<double>> numbers;
  {
    const nb::gil_scoped_release release;
    numbers = measure_cells(
        measure, r, {samples, seed, all_inputs ? Inputs::all : Inputs::nonzero, divide_by_k, threshold, least_norm});
  }
  std::vector<std::size_t> extents = {r.cells()};
  for (const Extent extent : measure.extents) extents.push_back(extent_of(r.sweep.shape, extent));
  nb::list arrays;
  for (auto& values : numbers) {
    if (measure.in_float32) {
      arrays.append(array_of(std::vector<float>(values.begin(), values.end()), extents));
    } else {
      arrays.append(array_of(std::move(values), extents));
    }
  }
  return arrays;
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
  const std::size_t n = features(r), k = static_cast<std::size_t>(model.shape.top_k), samples = inputs.shape(0);
  std::vector<std::int32_t> chosen;
  std::vector<double> gates;
  for (std::size_t i = 0; i < samples; ++i) {
    const Routing routing = route(model, std::span(inputs.data() + i * n, n));
    chosen.insert(chosen.end(), routing.experts.begin(), routing.experts.end());
    gates.insert(gates.end(), routing.gates.begin(), routing.gates.end());
  }
  return nb::make_tuple(array_of(std::move(chosen), {samples, k}), array_of(std::move(gates), {samples, k}));
}

FloatArray inputs_from(const Doubles& sparsity, int samples, std::uint64_t seed, bool all_inputs) {
  if (sparsity.ndim() != 1) throw InputError("sparsity must have the shape (n_features,)");
  const std::span<const double> list(sparsity.data(), sparsity.shape(0));
  for (const double value : list) {
    if (!(value >= 0 && value < 1)) throw InputError("sparsity must be numbers from 0 to below 1");
  }
  check_samples(samples);
  return array_of(all_inputs ? draw_inputs(list, samples, seed) : draw_nonzero_inputs(list, samples, seed),
                  {static_cast<std::size_t>(samples), list.size()});
}

nb::typed<nb::dict, nb::str, nb::typed<nb::tuple, double, double, double>> sharpness(const Doubles& field,
                                                                                     std::uint64_t seed) {
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
  const MeasureOptions defaults;
  module.def("measures", &table_of_measures, nb::sig("def measures() -> list[dict[str, Any]]"),
             "The table of measures.");
  module.def("measure", &measured, results, nb::arg("name"), nb::kw_only(), nb::arg("samples") = defaults.samples,
             nb::arg("seed") = defaults.seed, nb::arg("all_inputs") = defaults.inputs == Inputs::all,
             nb::arg("divide_by_k") = defaults.divide_by_k, nb::arg("threshold") = defaults.threshold,
             nb::arg("least_norm") = defaults.least_norm,
             nb::sig("def measure(results: Results, name: str, **options: Any) -> list[NDArray[Any]]"),
             "What a measure gives, each (cells, extents).");
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
  module.def("reconstruct", &reconstructions, results, nb::arg("cell"), nb::arg("inputs"), "(samples, n)");
  module.def("route", &routes, results, nb::arg("cell"), nb::arg("inputs"), "experts and gates, each (samples, k)");
  module.def("draw_inputs", &inputs_from, nb::arg("sparsity"), nb::arg("samples"), nb::arg("seed"),
             nb::arg("all_inputs"), "(samples, n)");
  module.def("boundary_sharpness", &sharpness, nb::arg("field"), nb::arg("seed"),
             "concentration, jump and roughness, each (value, low, high)");
}

}  // namespace phasegrid::python
