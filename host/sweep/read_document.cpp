#include "read_document.hpp"

#include <fmt/format.h>

#include "setting_kinds.hpp"
#include "settings.hpp"

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

}  // namespace

void read_document(const toml::table& document, Sweep& sweep) {
  Keys top;
  for (const Setting& row : settings()) {
    if (row.table().empty()) top.push_back(row.key);
  }
  top.insert(top.end(), setting_tables().begin(), setting_tables().end());
  top.insert(top.end(), {"axes", "presets", "variants"});
  check_keys(document, "", top);
  std::string_view checked;
  for (const Setting& row : settings()) {
    const std::string_view name = row.table();
    const toml::table& table = name.empty() ? document : table_at(document, name);
    if (checked != name) check_keys(table, name, keys_of_table(name));
    checked = name;
    if (const toml::node* node = table.get(row.name())) row.kind->read(*node, std::string(row.key), sweep);
  }
  read_axes(document, sweep);
}

}  // namespace phasegrid
