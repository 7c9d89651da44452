#include "toml_values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "text/near_names.hpp"
#include "phasegrid/error.hpp"
#include "phasegrid/sweep.hpp"
#include "settings.hpp"

namespace phasegrid {

// ---------------------------------------------------------------- messages

std::string shortened(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

namespace {
// "fig4.toml:12: ", or "--set train.steps=0: "; nothing for what was written nowhere, as the settings of a config.
std::string place(const toml::node& node) {
  const toml::source_region& source = node.source();
  if (!source.path && source.begin.line == 0) return "";
  const std::string origin = source.path ? *source.path : "sweep";
  if (origin.starts_with("--set") || source.begin.line == 0) return origin + ": ";
  return fmt::format("{}:{}: ", origin, source.begin.line);
}

}  // namespace

void refuse(const toml::node& node, const std::string& sentence) { throw InputError(place(node) + sentence); }

std::string found(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  std::ostringstream text;
  if (const auto* s = node.as_string()) text << '"' << shortened(s->get()) << '"';
  if (const auto* i = node.as_integer()) text << i->get();
  if (const auto* d = node.as_floating_point()) text << fmt::format("{:#}", d->get());
  if (const auto* b = node.as_boolean()) text << (b->get() ? "true" : "false");
  return text.str().empty() ? "a date or time" : text.str();
}

std::string_view list_hint(const toml::node& node, std::string_view key) {
  if (!node.is_array() || std::ranges::find(setting_keys(), key) == setting_keys().end()) return "";
  return can_be_axis(key) ? "; a list of values stands under [axes]"
                          : "; it cannot be an axis: give each value a [variants.NAME] table";
}

// ---------------------------------------------------------------- reading

namespace {
// What may help who wrote an unknown key: the one that was meant, of this table or else of another.
std::string hint_for(std::string_view path, std::string_view key, const Keys& allowed) {
  const std::string here = nearest_name(key, allowed), anywhere = nearest_name(key, setting_keys());
  if (path == "axes" && here.empty() && !anywhere.empty()) return fmt::format("; {} cannot be an axis", anywhere);
  if (here.empty()) return anywhere.empty() ? "" : "; did you mean " + anywhere;
  return fmt::format("; did you mean {}{}{}", path, path.empty() ? "" : ".", here);
}
}  // namespace

void check_keys(const toml::table& table, std::string_view path, const Keys& allowed) {
  for (auto&& [key, value] : table) {
    if (std::ranges::find(allowed, key.str()) != allowed.end()) continue;
    refuse(value, fmt::format("unknown key '{}{}{}'{}; {} may hold {}", path, path.empty() ? "" : ".", key.str(),
                              hint_for(path, key.str(), allowed),
                              path.empty() ? "a sweep file" : fmt::format("[{}]", path), fmt::join(allowed, ", ")));
  }
}

const toml::table& table_at(const toml::table& document, std::string_view key) {
  static const toml::table kEmpty;
  const toml::node* node = document.get(key);
  if (node == nullptr) return kEmpty;
  if (!node->is_table()) refuse(*node, fmt::format("{} must be a table, [{}], not {}", key, key, found(*node)));
  return *node->as_table();
}

double number_from(const toml::node& node, const NumberRule& rule, const std::string& shown) {
  const bool fits = node.is_integer() || (node.is_floating_point() && !rule.whole);
  if (!fits) {
    refuse(node, fmt::format("{} must be {}, not {}{}", shown, allowed(rule), found(node), list_hint(node, shown)));
  }
  const double value =
      node.is_integer() ? static_cast<double>(node.as_integer()->get()) : node.as_floating_point()->get();
  if (!obeys(rule, value)) refuse(node, fmt::format("{} must be {}, not {}", shown, allowed(rule), found(node)));
  return value;
}

std::vector<double> read_list(const toml::array& list, const NumberRule& rule, const std::string& shown) {
  if (list.empty())
    refuse(list, fmt::format("{} must have at least one value, each {}, not an empty list", shown,
                             allowed(rule)));
  std::vector<double> values;
  for (const toml::node& element : list) {
    values.push_back(number_from(element, rule, fmt::format("{}[{}]", shown, values.size())));
  }
  return values;
}

std::vector<double> read_range(const toml::table& table, const NumberRule& rule, const std::string& shown) {
  const bool whole = rule.whole;
  check_keys(table, shown, {"start", "stop", "step"});
  double part[3] = {};
  int i = 0;
  for (const char* key : {"start", "stop", "step"}) {
    const toml::node* node = table.get(key);
    if (node == nullptr)
      refuse(table, fmt::format("{} must be a list or {{ start, stop, step }}; {} is missing", shown, key));
    const auto value = node->value<double>();
    if (!node->is_number() || !std::isfinite(*value) || (whole && !node->is_integer())) {
      refuse(*node,
             fmt::format("{}.{} must be a {} number, not {}", shown, key, whole ? "whole" : "finite", found(*node)));
    }
    part[i++] = *value;
  }
  try {
    return range(part[0], part[1], part[2]);
  } catch (const InputError& error) {
    refuse(table, fmt::format("{}: {}", shown, error.what()));
  }
}

std::vector<double> read_list_or_range(const toml::node& node, const NumberRule& rule, const std::string& shown) {
  if (node.is_array()) return read_list(*node.as_array(), rule, shown);
  if (node.is_table()) return read_range(*node.as_table(), rule, shown);
  refuse(node, fmt::format("{} must be a list of numbers or {{ start, stop, step }}, not {}", shown, found(node)));
}

}  // namespace phasegrid
