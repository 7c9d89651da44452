// Results as NumPy views: read-only arrays over the memory of C++, which they keep alive.
#include <algorithm>

#include "bindings.hpp"
#include "phasegrid/error.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid::python {
namespace {

std::size_t size_of(int number) { return static_cast<std::size_t>(number); }

// Numbers of `self` with these extents; `self` stays as long as the array does.
template <class T>
nb::ndarray<nb::numpy, const T> view(const Results& self, const std::vector<T>& numbers,
                                     std::vector<std::size_t> extents) {
  return {numbers.data(), extents.size(), extents.data(), nb::find(self)};
}

// Every array of results, under its name.
template <class Visit>
void each_array(Results& results, Visit&& visit) {
  visit("reconstruction_losses", results.reconstruction_losses);
  visit("final_losses", results.final_losses);
  visit("all_reconstruction_losses", results.all_reconstruction_losses);
  visit("all_losses", results.all_losses);
  visit("status", results.status);
  visit("kept", results.kept);
  visit("parameters", results.parameters);
  visit("all_parameters", results.all_parameters);
  visit("first_moments", results.first_moments);
  visit("second_moments", results.second_moments);
  visit("snapshot_reconstruction_losses", results.snapshot_reconstruction_losses);
  visit("snapshot_losses", results.snapshot_losses);
  visit("snapshot_parameters", results.snapshot_parameters);
}

// Results of a config and their arrays, of another process or of a part of a grid.
Results results_from(const std::string& config, const nb::typed<nb::dict, nb::str, nb::any>& arrays) {
  const Config described = parse_config(config);
  Results results(described.sweep);
  results.device = described.device;
  results.made_by = described.made_by;
  results.bits = described.bits;
  each_array(results, [&]<class Number>(const char* name, std::vector<Number>& numbers) {
    using Array = nb::ndarray<const Number, nb::c_contig, nb::device::cpu>;
    const Array given = arrays.contains(name) ? nb::cast<Array>(arrays[name]) : Array();
    if (given.size() != numbers.size()) throw InputError(std::string(name) + " is not as large as config says");
    std::copy_n(given.data(), numbers.size(), numbers.begin());
  });
  return results;
}

nb::ndarray<nb::numpy, const float> of_restarts(const Results& self, const std::vector<float>& numbers) {
  return view(self, numbers, {self.cells(), size_of(self.sweep.restarts)});
}
// Models of every restart, where results have them.
nb::ndarray<nb::numpy, const float> of_models(const Results& self, const std::vector<float>& numbers) {
  const std::size_t size = size_of(self.sweep.shape.parameter_count());
  return view(self, numbers, {self.cells(), numbers.size() / (self.cells() * size), size});
}
nb::ndarray<nb::numpy, const float> of_snapshots(const Results& self, const std::vector<float>& numbers) {
  return view(self, numbers, {self.cells(), size_of(self.sweep.restarts), self.sweep.train.snapshots.size()});
}

}  // namespace

void bind_results(nb::module_& module) {
  nb::class_<Results>(module, "Results", "What a sweep's training left.")
      .def(nb::init<const Sweep&>(), nb::arg("sweep"), "Nothing trained yet.")
      .def_prop_ro("sweep", [](const Results& r) { return r.sweep; })
      .def_ro("device", &Results::device)
      .def_prop_ro("complete", [](const Results& r) { return r.complete(); })
      .def_prop_ro("config", [](const Results& r) { return config_of(r); })
      .def_prop_ro("final_losses", [](const Results& r) { return view(r, r.final_losses, {r.cells()}); }, "(cells,)")
      .def_prop_ro(
          "reconstruction_losses", [](const Results& r) { return view(r, r.reconstruction_losses, {r.cells()}); },
          "(cells,)")
      .def_prop_ro("all_losses", [](const Results& r) { return of_restarts(r, r.all_losses); }, "(cells, restarts)")
      .def_prop_ro(
          "all_reconstruction_losses", [](const Results& r) { return of_restarts(r, r.all_reconstruction_losses); },
          "(cells, restarts)")
      .def_prop_ro(
          "status", [](const Results& r) { return view(r, r.status, {r.cells(), size_of(r.sweep.restarts)}); },
          "(cells, restarts)")
      .def_prop_ro("kept", [](const Results& r) { return view(r, r.kept, {r.cells()}); }, "(cells,)")
      .def_prop_ro(
          "parameters",
          [](const Results& r) {
            return view(r, r.parameters, {r.cells(), size_of(r.sweep.shape.parameter_count())});
          },
          "(cells, parameters): experts (E, n, m), biases (E, n), router (E, n); smaller models first, then NaN")
      .def_prop_ro(
          "all_parameters", [](const Results& r) { return of_models(r, r.all_parameters); },
          "(cells, restarts, parameters), or (cells, 0, parameters) where keep is another than \"all\" and "
          "\"training-state\"")
      .def_prop_ro(
          "first_moments", [](const Results& r) { return of_models(r, r.first_moments); },
          "as all_parameters, with keep \"training-state\"")
      .def_prop_ro(
          "second_moments", [](const Results& r) { return of_models(r, r.second_moments); }, "as first_moments")
      .def_prop_ro(
          "snapshot_losses", [](const Results& r) { return of_snapshots(r, r.snapshot_losses); },
          "(cells, restarts, snapshots)")
      .def_prop_ro(
          "snapshot_reconstruction_losses",
          [](const Results& r) { return of_snapshots(r, r.snapshot_reconstruction_losses); },
          "(cells, restarts, snapshots)")
      .def_prop_ro(
          "snapshot_parameters",
          [](const Results& r) {
            return view(r, r.snapshot_parameters,
                        {r.cells(), r.sweep.train.snapshots.size(), size_of(r.sweep.shape.parameter_count())});
          },
          "(cells, snapshots, parameters)")
      .def(
          "spread_out",
          [](const Results& r, const std::string& name) {
            const std::vector<float>& models = name == "parameters"       ? r.parameters
                                               : name == "all_parameters" ? r.all_parameters
                                               : name == "first_moments"  ? r.first_moments
                                               : name == "second_moments" ? r.second_moments
                                                                          : r.snapshot_parameters;
            const std::size_t room = size_of(r.sweep.shape.parameter_count()), each = models.size() / room / r.cells();
            return array_of(spread_out(r.sweep, models, each), {r.cells(), each, room});
          },
          nb::arg("name"),
          "(cells, restarts, snapshots or 1, parameters): that array with every model laid out as the largest is, NaN "
          "where it has no such expert or hidden unit.")
      .def_prop_ro(
          "parts",
          [](const Results& r) {
            return parts_of(r.sweep);
          },
          nb::sig("def parts(self) -> dict[str, tuple[int, tuple[int, ...]]]"),
          "Name -> (first parameter, extents) of each part of a model's parameters.")
      .def(
          "save",
          [](const Results& r, const std::string& path, bool authors) {
            const nb::gil_scoped_release release;
            save_results(r, path, authors ? Layout::authors : Layout::phasegrid);
          },
          nb::arg("path"), nb::arg("authors"));
  module.def("results_from", &results_from, nb::arg("config"), nb::arg("arrays"),
             "Results of a config and of their arrays, each under its name.");
  module.def(
      "merge",
      [](const std::vector<const Results*>& parts) {
        Merger merger;
        for (std::size_t i = 0; i < parts.size(); ++i) merger.add(*parts[i], "part " + std::to_string(i + 1));
        return merger.results();
      },
      nb::arg("parts"));
  module.def(
      "merge_files",
      [](const std::vector<std::string>& parts, const std::string& out) { merge_results_files(parts, out); },
      nb::arg("parts"), nb::arg("out"), nb::call_guard<nb::gil_scoped_release>());
  module.def("load", &load_results, nb::arg("path"), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace phasegrid::python
