// Sweep files: TOML read by toml++, laid over with a preset, a variant and --set changes, then turned into a checked
// Sweep, setting by setting of the settings table.
#include "phasegrid/sweep_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "phasegrid/error.hpp"
#include "read_document.hpp"
#include "setting_kinds.hpp"
#include "settings.hpp"
#include "sweep_check.hpp"
#include "text/text_file.hpp"
#include "toml_limits.hpp"

namespace phasegrid {
namespace {

toml::table parse_toml(std::string_view text, const std::string& origin) {
  if (const auto problem = find_toml_problem(text)) {
    throw InputError(fmt::format("{}:{}: not valid TOML: {}", origin, problem->line, problem->what));
  }
  try {
    return toml::parse(text, std::string_view(origin));
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}: not valid TOML: {}", origin, error.source().begin.line, error.description()));
  }
}

// ---------------------------------------------------------------- presets and --set

// Lays `over` over `under`: tables of settings merge, a setting is replaced whole.
void lay_over(toml::table& under, toml::table&& over, bool are_settings = false) {
  for (auto&& [key, value] : over) {
    toml::node* there = under.get(key);
    if (!are_settings && there != nullptr && there->is_table() && value.is_table()) {
      lay_over(*there->as_table(), std::move(*value.as_table()), true);
    } else {
      under.insert_or_assign(key, std::move(value));
    }
  }
}

// What `over` makes an axis is no plain setting any more; but an axis of seeds is added to the seed.
void make_room_for_axes(toml::table& document, const toml::table& over) {
  const toml::node* axes = over.get("axes");
  if (axes == nullptr || !axes->is_table()) return;
  for (const Setting& row : settings()) {
    if (!row.axis || !axes->as_table()->contains(row.name())) continue;
    if (toml::table* table = document[row.table()].as_table()) table->erase(row.name());
  }
}

// The tables [presets.NAME] or [variants.NAME] of a document; an empty one where it has none.
const toml::table& layers_of(const toml::table& document, std::string_view kind) {
  if (const toml::node* node = document.get(kind); node != nullptr && !node->is_table()) {
    refuse(*node, fmt::format("{0} must be a table of tables, e.g. [{0}.{1}], not {2}", kind,
                              kind == "presets" ? "quick" : "dense", found(*node)));
  }
  return table_at(document, kind);
}

// Layers stand at the top of a file. Within another layer or --set they would be lost, or laid over unchecked.
void refuse_layers_within(const toml::table& table) {
  for (std::string_view kind : {"presets", "variants"}) {
    if (const toml::node* node = table.get(kind)) {
      refuse(*node,
             fmt::format("{} must stand at the top of a sweep file, not within a preset, a variant or --set", kind));
    }
  }
}

// Lays [presets.NAME] or [variants.NAME] over the document. `none` is the name that stands for no layer.
void apply_layer(toml::table& document, std::string_view kind, const std::string& name, std::string_view none,
                 const std::string& origin) {
  (void)layers_of(document, kind);  // a mistake is found whichever is chosen
  toml::table layers;
  if (toml::node* node = document.get(kind)) {
    layers = std::move(*node->as_table());
    document.erase(kind);
  }
  if (name == none) return;
  const std::string_view one = kind.substr(0, kind.size() - 1);
  toml::node* chosen = layers.get(name);
  if (chosen == nullptr) {
    std::string names(none);
    for (auto&& [key, value] : layers) names += (names.empty() ? "" : ", ") + std::string(key.str());
    throw InputError(
        fmt::format("{}: there is no {} '{}'; it has {}", origin, one, shortened(name), names.empty() ? "none" : names));
  }
  if (!chosen->is_table()) refuse(*chosen, fmt::format("{}.{} must be a table, not {}", kind, name, found(*chosen)));
  refuse_layers_within(*chosen->as_table());
  make_room_for_axes(document, *chosen->as_table());
  lay_over(document, std::move(*chosen->as_table()));
}

void apply_set(toml::table& document, const std::string& change) {
  const std::string origin = "--set " + shortened(change, 100);
  const std::size_t equals = change.find('=');
  const std::string path = change.substr(0, equals);
  // '[' and '#' would begin a TOML header or comment, which change nothing.
  if (equals == std::string::npos || path.empty() || path.find_first_of("[#\n") != std::string::npos ||
      change.find('\n') != std::string::npos) {
    throw InputError(origin + ": must be PATH=TOML-VALUE, e.g. train.steps=100");
  }
  if (const auto problem = find_toml_problem(change)) throw InputError(fmt::format("{}: {}", origin, problem->what));
  toml::table over;
  try {
    over = toml::parse(change, std::string_view(origin));
  } catch (const toml::parse_error& error) {
    const std::string value = change.substr(equals + 1);
    const bool is_word =
        !value.empty() && std::isalpha(static_cast<unsigned char>(value[0])) != 0 &&
        std::ranges::all_of(value, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
    const std::string advice = is_word ? fmt::format("a string needs quotes: --set '{}=\"{}\"'", path, value)
                                       : std::string(error.description());
    throw InputError(fmt::format("{}: '{}' is not a TOML value; {}", origin, shortened(value), advice));
  }
  refuse_layers_within(over);
  make_room_for_axes(document, over);
  lay_over(document, std::move(over));
}

// What is an axis may not be a plain setting too. (But a seed may: its axis is added to it.)
void refuse_twins(const toml::table& document) {
  const toml::table& axes = table_at(document, "axes");
  for (const Setting& row : settings()) {
    if (!row.axis || row.table().empty() || !axes.contains(row.name())) continue;
    const toml::node* twin = table_at(document, row.table()).get(row.name());
    if (twin == nullptr) continue;
    refuse(*twin, fmt::format("{0} stands here and as axes.{1}; a key may stand in one place: take it out of [{2}], or "
                              "for one value leave the axis and write --set 'axes.{1}=[VALUE]'",
                              row.key, row.name(), row.table()));
  }
}

// What concerns several keys, or values that a range made. Such a message begins with a key, whose line is shown.
void check_document(const Sweep& sweep, const toml::table& document, const std::string& origin) {
  try {
    sweep.check();
  } catch (const InputError& error) {
    const std::string_view message = error.what();
    const std::string_view key = message.substr(0, message.find_first_of(" :["));
    if (const toml::node* node = toml::at_path(document, key).node()) refuse(*node, std::string(message));
    throw InputError(fmt::format("{}: {}", origin, message));
  }
}

// How many features there are is what a model is about, so it has no default.
void require_features(const toml::table& document, const std::string& origin) {
  if (table_at(document, "model").contains("n_features")) return;
  throw InputError(
      fmt::format("{}: model.n_features must be given: {} (n_hidden, n_experts and top_k are 1 where they are not)",
                  origin, setting("model.n_features").kind->allowed()));
}

// Which layers of a file are meant.
struct Layers {
  std::string preset = "paper", variant;
};

// The file with one preset and one variant. Copies of a toml::table have no line numbers, so it is parsed anew each
// time.
toml::table parse_layers(std::string_view text, const std::string& origin, const Layers& layers) {
  toml::table document = parse_toml(text, origin);
  apply_layer(document, "presets", layers.preset, "paper", origin);
  apply_layer(document, "variants", layers.variant, "", origin);
  return document;
}

Sweep read_layers(const toml::table& document, const std::string& origin, const Layers& layers) {
  Sweep sweep;
  sweep.name = std::filesystem::path(origin).stem().string();
  read_document(document, sweep);
  refuse_twins(document);
  if (!layers.variant.empty()) sweep.name += "_" + layers.variant;
  return sweep;
}

// Every preset and variant must be sound, chosen or not, so that a mistake shows before the day it is used. Only
// sparsity and n_features may be missing, for --set to give.
void check_layers(std::string_view text, const std::string& origin, const Layers& layers) {
  try {
    const toml::table document = parse_layers(text, origin, layers);
    Sweep sweep = read_layers(document, origin, layers);
    const bool is_axis = find_axis(sweep, AxisName::sparsity) != nullptr;
    if (!is_axis && !has_exact_count(sweep) && !gives_sparsity(sweep.data)) sweep.data.sparsity = 0;
    check_document(sweep, document, origin);
  } catch (const InputError& error) {
    std::string with;
    if (layers.preset != "paper") with += fmt::format(" (with preset '{}')", shortened(layers.preset));
    if (!layers.variant.empty()) with += fmt::format(" (with variant '{}')", shortened(layers.variant));
    throw InputError(error.what() + with);
  }
}

}  // namespace

std::vector<Sweep> parse_sweeps(std::string_view text, const std::string& origin, const SweepFileOptions& options) {
  const toml::table whole = parse_toml(text, origin);
  std::vector<std::string> presets = {"paper"}, variants;
  for (auto&& [key, value] : layers_of(whole, "presets")) {
    if (key.str() == "paper") refuse(value, "presets.paper: 'paper' stands for the file itself; choose another name");
    presets.emplace_back(key.str());
  }
  for (auto&& [key, value] : layers_of(whole, "variants")) {
    if (!is_usable_name(key.str())) {
      refuse(value, fmt::format("variants: the name of a variant must be {}, not '{}'", usable_names(),
                                shortened(std::string(key.str()))));
    }
    variants.emplace_back(key.str());
  }
  if (variants.empty()) variants.emplace_back();
  for (const std::string& preset : presets) {
    for (const std::string& variant : variants) check_layers(text, origin, {preset, variant});
  }
  if (!options.variant.empty()) variants = {options.variant};
  std::vector<Sweep> sweeps;
  for (const std::string& variant : variants) {
    const Layers layers{options.preset, variant};
    toml::table document = parse_layers(text, origin, layers);
    for (const std::string& change : options.set) apply_set(document, change);
    sweeps.push_back(read_layers(document, origin, layers));
    check_document(sweeps.back(), document, origin);
    require_features(document, origin);
  }
  return sweeps;
}

Sweep parse_sweep(std::string_view text, const std::string& origin, const SweepFileOptions& options) {
  const std::vector<Sweep> sweeps = parse_sweeps(text, origin, options);
  if (sweeps.size() > 1) {
    std::string names;
    const toml::table document = parse_toml(text, origin);
    for (auto&& [key, value] : layers_of(document, "variants")) {
      names += (names.empty() ? "" : ", ") + std::string(key.str());
    }
    throw InputError(fmt::format("{}: holds {} variants ({}); one must be named", origin, sweeps.size(), names));
  }
  return sweeps.front();
}

std::vector<Sweep> read_sweeps(const std::string& path, const SweepFileOptions& options) {
  return parse_sweeps(sweep_file_text(path), path, options);
}

Sweep read_sweep(const std::string& path, const SweepFileOptions& options) {
  return parse_sweep(sweep_file_text(path), path, options);
}

}  // namespace phasegrid
