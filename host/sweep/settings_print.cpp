// The settings table as `phasegrid settings` prints it, for people, for the documentation and for machines.
#include <fmt/format.h>

#include <algorithm>

#include "setting_kinds.hpp"
#include "settings.hpp"

namespace phasegrid {
namespace {

// As a sweep file has it: 0.001, "mean", []; "" where there is none.
std::string default_of(const Setting& row) {
  if (row.key == "model.n_features") return "";  // Shape's is no default of sweeps
  const Json value = row.kind->json(Sweep{});
  if (value.is_null()) return "";
  return value.is_number_float() ? fmt::format("{}", value.get<double>()) : value.dump();
}

}  // namespace

std::string settings_text() {
  std::string text;
  for (const Setting& row : settings()) {
    const std::string value = default_of(row);
    text += fmt::format("{}{}{}\n    {}{}\n    {}\n", row.key, value.empty() ? "" : " = " + value,
                        row.axis ? "   (may be an axis)" : "", row.kind->allowed(), "", row.about);
  }
  return text;
}

std::string settings_markdown() {
  std::string text = "| key | default | may be | meaning |\n|---|---|---|---|\n";
  for (const Setting& row : settings()) {
    const std::string value = default_of(row);
    text += fmt::format("| `{}`{} | {} | {} | {} |\n", row.key, row.axis ? " \\*" : "",
                        value.empty() ? "" : fmt::format("`{}`", value), row.kind->allowed(), row.about);
  }
  return text;
}

std::string settings_json() {
  Json all = Json::array();
  for (const Setting& row : settings()) {
    const Forms forms = row.kind->forms();
    Json entry = {{"key", row.key},
                  {"keyword", row.keyword()},
                  {"default", default_of(row).empty() ? Json() : row.kind->json(Sweep{})},
                  {"axis", row.axis.has_value()},
                  {"allowed", row.kind->allowed()},
                  {"about", row.about},
                  {"text", forms.text},
                  {"number", forms.number},
                  {"whole", forms.whole},
                  {"list", forms.list},
                  {"words", forms.words},
                  {"yes_no", forms.yes_no},
                  {"rules", forms.rules},
                  {"mappings", forms.mappings}};
    if (!forms.list_keyword.empty()) entry["list_keyword"] = forms.list_keyword;
    all.push_back(std::move(entry));
  }
  return all.dump();
}

}  // namespace phasegrid
