#include "setting_kinds.hpp"

#include <fmt/format.h>

#include "phasegrid/error.hpp"

namespace phasegrid {

void SettingKind::check_axis_value(const std::string& key, double value) const {
  if (obeys(axis_rule(), value)) return;
  throw InputError(fmt::format("{} must be values, each {}, not {}", key, phasegrid::allowed(axis_rule()), value));
}

void check_number(const std::string& key, const NumberRule& rule, double value) {
  if (obeys(rule, value)) return;
  throw InputError(fmt::format("{} must be {}, not {}", key, allowed(rule), value));
}

void refuse_word(const toml::node& node, const std::string& key, const std::string& allowed) {
  refuse(node, fmt::format("{} must be {}, not {}{}", key, allowed, found(node), list_hint(node, key)));
}

std::string quoted_words(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) text += fmt::format("{}\"{}\"", text.empty() ? "" : " or ", word);
  return text;
}

}  // namespace phasegrid
