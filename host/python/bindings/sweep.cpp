// Sweeps come from TOML, of a file or written by sweep.py from keyword arguments, so that there is one reader and one
// set of messages.
#include "bindings.hpp"
#include "sweep/conventions.hpp"
#include "sweep/shapes.hpp"
#include "text/near_names.hpp"

namespace phasegrid::python {

nb::dict parts_of(const Sweep& sweep) {
  nb::dict parts;
  for (const Part& part : sweep.shape.parts()) {
    nb::list extents;
    for (int i = 0; i < part.rank; ++i) extents.append(part.extents[i]);
    parts[part.name] = nb::make_tuple(part.offset, nb::tuple(extents));
  }
  return parts;
}

void bind_sweep(nb::module_& module) {
  nb::class_<Sweep>(module, "Sweep", "A checked sweep.")
      .def_ro("name", &Sweep::name)
      .def_ro("restarts", &Sweep::restarts)
      .def_ro("seed", &Sweep::seed)
      .def_prop_ro("n_features", [](const Sweep& s) { return s.shape.n_features; })
      .def_prop_ro("n_hidden", [](const Sweep& s) { return s.shape.n_hidden; })
      .def_prop_ro("n_experts", [](const Sweep& s) { return s.shape.n_experts; })
      .def_prop_ro("top_k", [](const Sweep& s) { return s.shape.top_k; })
      .def_prop_ro(
          "models",
          [](const Sweep& s) { return count_cells_with_models(s) * static_cast<std::size_t>(s.restarts); },
          "Models that a training makes.")
      .def_prop_ro(
          "has_shape_axes", [](const Sweep& s) { return has_shape_axes(s); },
          "Whether cells have models of different shapes.")
      .def_prop_ro("parts", &parts_of, nb::sig("def parts(self) -> dict[str, tuple[int, tuple[int, ...]]]"),
                   "Name -> (first parameter, extents) of each part of the largest model's parameters.")
      .def(
          "work",
          [](const Sweep& s) {
            const std::vector<double> work = cell_work(s);
            return array_of(work, {work.size()});
          },
          "(cells,): about what each costs, in tenths of a nanosecond on one core; 0 where there is no model.")
      .def_prop_ro("snapshots", [](const Sweep& s) { return s.train.snapshots; })
      .def_prop_ro(
          "config", [](const Sweep& s) { return config_of(s); },
          "Every setting, as the JSON of a results file has them.")
      .def_prop_ro(
          "dimensions",
          [](const Sweep& s) -> nb::typed<nb::list, nb::typed<nb::tuple, nb::str, DoubleArray>> {
            nb::list dimensions;
            const Grid grid(s);
            for (const Grid::Dimension& d : grid.dimensions()) {
              dimensions.append(nb::make_tuple(std::string(to_string(d.name)), array_of(d.values, {d.values.size()})));
            }
            return dimensions;
          },
          "(name, values) of the grid's dimensions, in the order of the arrays.");
  module.def(
      "parse_sweep", [](const std::string& text, const std::string& origin) { return parse_sweep(text, origin); },
      nb::arg("text"), nb::arg("origin"), "A sweep from TOML; ValueError where it cannot be used.");
  module.def(
      "nearest_name",
      [](const std::string& word, const std::vector<std::string>& names) {
        return nearest_name(word, std::vector<std::string_view>(names.begin(), names.end()));
      },
      nb::arg("word"), nb::arg("names"), "The name that is nearest to a word, or '' where none is near.");
  module.def("settings", &settings_json, "The settings table, as JSON.");
  module.def("settings_markdown", &settings_markdown, "The settings table, as a table of Markdown.");
  module.def(
      "conventions",
      [] {
        std::vector<std::vector<std::string>> rows;
        for (const Convention& one : conventions()) {
          rows.push_back({std::string(one.name), std::string(one.about), std::string(one.toml)});
        }
        return rows;
      },
      "(name, what it is, TOML) of every convention.");
  module.def("parse_config", &parse_settings, nb::arg("config"), "The sweep of a `config`.");
  module.def(
      "read_sweeps",
      [](const std::string& path, std::vector<std::string> set, std::string preset, std::string variant) {
        return read_sweeps(path, {std::move(set), std::move(preset), std::move(variant)});
      },
      nb::arg("path"), nb::arg("set"), nb::arg("preset"), nb::arg("variant"), "The sweeps of a TOML file.");
}

}  // namespace phasegrid::python
