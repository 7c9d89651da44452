#include "read_document.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "conventions.hpp"
#include "setting_kinds.hpp"
#include "settings.hpp"
#include "shapes.hpp"

namespace phasegrid {
namespace {

void read_axes(const toml::table& document, Sweep& sweep) {
  const toml::table& axes = table_at(document, "axes");
  check_keys(axes, "axes", keys_of_table("axes"));
  for (int i = 0; i < kAxisNames; ++i) {
    const Setting& row = setting(static_cast<AxisName>(i));
    const toml::node* node = axes.get(row.name());
    if (node == nullptr) continue;
    const std::string shown = fmt::format("axes.{}", row.name());
    sweep.axes.push_back({*row.axis, read_list_or_range(*node, row.kind->axis_rule(), shown)});
  }
}

// The settings of a document, but for axes.
void read_settings(const toml::table& document, Sweep& sweep) {
  std::string_view checked;
  for (const Setting& row : settings()) {
    const std::string_view name = row.table();
    const toml::table& table = name.empty() ? document : table_at(document, name);
    if (checked != name) check_keys(table, name, keys_of_table(name));
    checked = name;
    if (const toml::node* node = table.get(row.name())) row.kind->read(*node, std::string(row.key), sweep);
  }
}

// The defaults that `convention` names.
void read_convention(const toml::node& node, const toml::table& document, Sweep& sweep) {
  const Convention* convention = node.is_string() ? find_convention(node.as_string()->get()) : nullptr;
  if (convention == nullptr) refuse(node, fmt::format("convention must be {}, not {}", convention_names(), found(node)));
  read_settings(toml::parse(convention->toml), sweep);
  // Spreads of 1 are those of W x; of W itself they are by hidden unit.
  const toml::node* hidden = table_at(document, "model").get("n_hidden");
  if (sweep.init.weights == WeightInit::normal && table_at(document, "axes").contains("n_hidden") &&
      !table_at(document, "init").contains("weights")) {
    refuse(node, fmt::format("convention = \"{}\" starts weights by n_hidden, which is an axis here; give init.weights",
                             convention->name));
  }
  const auto m = hidden == nullptr ? std::optional<double>(1) : hidden->value<double>();
  if (sweep.init.weights == WeightInit::normal && m && *m >= 1) sweep.init.weight_spread = 1 / std::sqrt(*m);
}

}  // namespace

void read_document(const toml::table& document, Sweep& sweep) {
  Keys top;
  for (const Setting& row : settings()) {
    if (row.table().empty()) top.push_back(row.key);
  }
  top.insert(top.end(), setting_tables().begin(), setting_tables().end());
  top.insert(top.end(), {"convention", "axes", "presets", "variants"});
  check_keys(document, "", top);
  if (const toml::node* node = document.get("convention")) read_convention(*node, document, sweep);
  read_settings(document, sweep);
  read_axes(document, sweep);
  sweep = with_largest_shape(std::move(sweep));
}

}  // namespace phasegrid
