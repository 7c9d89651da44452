// Sweep files: TOML read by toml++, laid over with a preset and --set changes, then turned into a checked Sweep. The
// ranges of numbers are those of setting_rules.hpp.
#include "phasegrid/sweep_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>

#include "phasegrid/error.hpp"
#include "setting_rules.hpp"

namespace phasegrid {
namespace {

// ---------------------------------------------------------------- messages

std::string one_line(std::string_view text) {
  std::string line;
  for (char c : text) line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  return line;
}

// At most `most` bytes of a text, for a message.
std::string shortened(const std::string& text, std::size_t most = 60) {
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

// "fig4.toml:12: ", or "--set train.steps=0: " for what came from there.
std::string place(const toml::node& node) {
  const toml::source_region& source = node.source();
  const std::string origin = source.path ? *source.path : "sweep";
  if (origin.starts_with("--set") || source.begin.line == 0) return origin + ": ";
  return fmt::format("{}:{}: ", origin, source.begin.line);
}

[[noreturn]] void refuse(const toml::node& node, const std::string& sentence) {
  throw InputError(one_line(place(node) + sentence));
}

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

toml::table parse_toml(std::string_view text, const std::string& origin) {
  try {
    return toml::parse(text, std::string_view(origin));
  } catch (const toml::parse_error& error) {
    throw InputError(
        one_line(fmt::format("{}:{}: not valid TOML: {}", origin, error.source().begin.line, error.description())));
  }
}

// ---------------------------------------------------------------- presets and --set

// Lays `over` over `under`. Tables merge, but an axis, a list or a number is replaced whole.
void lay_over(toml::table& under, toml::table&& over, bool is_axes) {
  for (auto&& [key, value] : over) {
    toml::node* there = under.get(key);
    if (!is_axes && there != nullptr && there->is_table() && value.is_table()) {
      lay_over(*there->as_table(), std::move(*value.as_table()), key.str() == "axes");
    } else {
      under.insert_or_assign(key, std::move(value));
    }
  }
}

// What `over` makes an axis is no plain setting any more.
void make_room_for_axes(toml::table& document, const toml::table& over) {
  const toml::node* axes = over.get("axes");
  if (axes == nullptr || !axes->is_table()) return;
  for (auto&& [key, value] : *axes->as_table()) {
    for (const char* home : {"data", "train"}) {
      if (toml::table* table = document[home].as_table()) table->erase(key);
    }
  }
}

void apply_preset(toml::table& document, const std::string& preset, const std::string& origin) {
  toml::table presets;
  if (toml::node* node = document.get("presets")) {
    if (!node->is_table())
      refuse(*node, "presets must be a table of tables, e.g. [presets.quick], not " + found(*node));
    presets = std::move(*node->as_table());
    document.erase("presets");
  }
  if (preset == "paper") return;
  toml::node* chosen = presets.get(preset);
  if (chosen == nullptr) {
    std::string names = "paper";
    for (auto&& [key, value] : presets) names += ", " + std::string(key.str());
    throw InputError(one_line(fmt::format("{}: there is no preset '{}'; it has {}", origin, preset, names)));
  }
  if (!chosen->is_table()) refuse(*chosen, fmt::format("presets.{} must be a table, not {}", preset, found(*chosen)));
  make_room_for_axes(document, *chosen->as_table());
  lay_over(document, std::move(*chosen->as_table()), false);
}

void apply_set(toml::table& document, const std::string& change) {
  const std::string origin = "--set " + shortened(change, 100);
  const std::size_t equals = change.find('=');
  const std::string path = change.substr(0, equals);
  // '[' and '#' would begin a TOML header or comment, which change nothing.
  if (equals == std::string::npos || path.empty() || path.find_first_of("[#\n") != std::string::npos ||
      change.find('\n') != std::string::npos) {
    throw InputError(one_line(origin + ": must be PATH=TOML-VALUE, e.g. train.steps=100"));
  }
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
    throw InputError(one_line(fmt::format("{}: '{}' is not a TOML value; {}", origin, shortened(value), advice)));
  }
  make_room_for_axes(document, over);
  lay_over(document, std::move(over), false);
}

// ---------------------------------------------------------------- reading

using Keys = std::initializer_list<std::string_view>;

void check_keys(const toml::table& table, std::string_view path, Keys allowed) {
  for (auto&& [key, value] : table) {
    if (std::ranges::find(allowed, key.str()) != allowed.end()) continue;
    refuse(value, fmt::format("unknown key '{}{}{}'; {} may hold {}", path, path.empty() ? "" : ".", key.str(),
                              path.empty() ? "a sweep file" : fmt::format("[{}]", path), fmt::join(allowed, ", ")));
  }
}

// The table at `key` of the document; an absent one is empty.
const toml::table& table_at(const toml::table& document, std::string_view key) {
  static const toml::table kEmpty;
  const toml::node* node = document.get(key);
  if (node == nullptr) return kEmpty;
  if (!node->is_table()) refuse(*node, fmt::format("{} must be a table, [{}], not {}", key, key, found(*node)));
  return *node->as_table();
}

// A number that obeys the rule of `rule_key`; `shown` is what a message calls it.
double number_from(const toml::node& node, std::string_view rule_key, const std::string& shown) {
  const SettingRule& rule = rule_of(rule_key);
  const bool fits = node.is_integer() || (node.is_floating_point() && !rule.whole);
  if (!fits) refuse(node, fmt::format("{} must be {}, not {}", shown, allowed(rule), found(node)));
  const double value =
      node.is_integer() ? static_cast<double>(node.as_integer()->get()) : node.as_floating_point()->get();
  try {
    check_setting(rule_key, value);
  } catch (const InputError&) {
    refuse(node, fmt::format("{} must be {}, not {}", shown, allowed(rule), found(node)));
  }
  return value;
}

template <class Number>
void read_number(const toml::table& table, std::string_view path, std::string_view key, Number& into) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const std::string shown = path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
  into = static_cast<Number>(number_from(*node, shown, shown));
}

template <class Choice>
void read_choice(const toml::table& table, std::string_view path, std::string_view key,
                 std::initializer_list<std::pair<std::string_view, Choice>> choices, Choice& into) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (const auto* text = node->as_string(); text != nullptr && text->get() == name) {
      into = choice;
      return;
    }
    names += fmt::format("{}\"{}\"", names.empty() ? "" : " or ", name);
  }
  refuse(*node, fmt::format("{}.{} must be {}, not {}", path, key, names, found(*node)));
}

std::vector<double> read_list(const toml::array& list, std::string_view rule_key, const std::string& shown) {
  if (list.empty())
    refuse(list, fmt::format("{} must have at least one value, each {}, not an empty list", shown,
                             allowed(rule_of(rule_key))));
  std::vector<double> values;
  for (const toml::node& element : list) {
    values.push_back(number_from(element, rule_key, fmt::format("{}[{}]", shown, values.size())));
  }
  return values;
}

std::vector<double> read_range(const toml::table& table, std::string_view rule_key, const std::string& shown) {
  const bool whole = rule_of(rule_key).whole;
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

void read_axes(const toml::table& document, Sweep& sweep) {
  const toml::table& axes = table_at(document, "axes");
  check_keys(axes, "axes",
             {"sparsity", "last_importance", "steps", "batch", "learning_rate", "weight_decay", "load_balance"});
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    const toml::node* node = axes.get(to_string(name));
    if (node == nullptr) continue;
    const std::string_view rule_key = key_of(name);
    const toml::table& home = table_at(document, rule_key.substr(0, rule_key.find('.')));
    if (const toml::node* twin = home.get(to_string(name))) {
      refuse(*twin,
             fmt::format("{0} stands here and as axes.{1}; a key may stand in one place: take it out of [{2}], or "
                         "for one value leave the axis and write --set 'axes.{1}=[VALUE]'",
                         rule_key, to_string(name), rule_key.substr(0, rule_key.find('.'))));
    }
    const std::string shown = fmt::format("axes.{}", to_string(name));
    Axis axis{name, {}};
    if (node->is_array()) {
      axis.values = read_list(*node->as_array(), rule_key, shown);
    } else if (node->is_table()) {
      axis.values = read_range(*node->as_table(), rule_key, shown);
    } else {
      refuse(*node,
             fmt::format("{} must be a list of numbers or {{ start, stop, step }}, not {}", shown, found(*node)));
    }
    sweep.axes.push_back(std::move(axis));
  }
}

void read_data(const toml::table& data, Sweep& sweep) {
  check_keys(data, "data", {"importance", "sparsity", "last_importance"});
  if (const toml::node* node = data.get("importance")) {
    const auto* text = node->as_string();
    if (node->is_array() && !node->as_array()->empty()) {
      sweep.data.importance = read_list(*node->as_array(), "data.importance", "data.importance");
    } else if (text == nullptr || text->get() != "uniform") {
      refuse(*node,
             fmt::format("data.importance must be \"uniform\" or a list of model.n_features numbers, each {}, not {}",
                         allowed(rule_of("data.importance")), node->is_array() ? "an empty list" : found(*node)));
    }
  }
  double number = 0;
  if (data.contains("sparsity")) {
    read_number(data, "data", "sparsity", number);
    sweep.data.sparsity = number;
  }
  if (data.contains("last_importance")) {
    read_number(data, "data", "last_importance", number);
    sweep.data.last_importance = number;
  }
}

// What the document says, key by key.
Sweep read_document(const toml::table& document, const std::string& origin) {
  Sweep sweep;
  if (const toml::node* node = document.get("presets")) {
    refuse(*node, "presets must stand at the top of a sweep file, not within a preset or --set");
  }
  check_keys(document, "", {"name", "restarts", "seed", "model", "data", "train", "axes", "presets"});
  sweep.name = std::filesystem::path(origin).stem().string();
  if (const toml::node* node = document.get("name")) {
    const auto* text = node->as_string();
    if (text == nullptr || !is_usable_name(text->get())) {
      refuse(*node, fmt::format("name must be 1 to {} letters, digits, '.', '_' or '-', the first a letter, digit or "
                                "'_', not {}",
                                kLongestName, found(*node)));
    }
    sweep.name = text->get();
  }
  read_number(document, "", "restarts", sweep.restarts);
  if (const toml::node* node = document.get("seed")) {
    if (!node->is_integer() || node->as_integer()->get() < 0) {
      refuse(*node, fmt::format("seed must be {}, not {}", allowed(rule_of("seed")), found(*node)));
    }
    sweep.seed = static_cast<std::uint64_t>(node->as_integer()->get());
  }

  const toml::table& model = table_at(document, "model");
  check_keys(model, "model", {"n_features", "n_hidden", "n_experts", "top_k"});
  read_number(model, "model", "n_features", sweep.shape.n_features);
  read_number(model, "model", "n_hidden", sweep.shape.n_hidden);
  read_number(model, "model", "n_experts", sweep.shape.n_experts);
  read_number(model, "model", "top_k", sweep.shape.top_k);

  read_data(table_at(document, "data"), sweep);

  const toml::table& train = table_at(document, "train");
  check_keys(train, "train", {"steps", "batch", "learning_rate", "weight_decay", "load_balance", "loss", "keep"});
  read_number(train, "train", "steps", sweep.train.steps);
  read_number(train, "train", "batch", sweep.train.batch);
  read_number(train, "train", "learning_rate", sweep.train.learning_rate);
  read_number(train, "train", "weight_decay", sweep.train.weight_decay);
  read_number(train, "train", "load_balance", sweep.train.load_balance);
  read_choice<Loss>(train, "train", "loss", {{"mean", Loss::mean}, {"sum", Loss::sum}}, sweep.train.loss);
  read_choice<Keep>(train, "train", "keep", {{"last-batch", Keep::last_batch}, {"evaluation", Keep::evaluation}},
                    sweep.train.keep);
  read_axes(document, sweep);
  return sweep;
}

// What concerns several keys, or values that a range made. Such a message begins with a key, whose line is shown.
void check_document(const Sweep& sweep, const toml::table& document, const std::string& origin) {
  try {
    sweep.check();
  } catch (const InputError& error) {
    const std::string_view message = error.what();
    const std::string_view key = message.substr(0, message.find_first_of(" :["));
    if (const toml::node* node = toml::at_path(document, key).node()) refuse(*node, std::string(message));
    throw InputError(one_line(fmt::format("{}: {}", origin, message)));
  }
}

// The file with one preset. Copies of a toml::table have no line numbers, so it is parsed anew each time.
toml::table parse_variant(std::string_view text, const std::string& origin, const std::string& preset) {
  toml::table document = parse_toml(text, origin);
  apply_preset(document, preset, origin);
  return document;
}

// Every preset must be sound, chosen or not, so that a mistake shows before the day it is used. Only sparsity may be
// missing, for --set to give.
void check_variant(std::string_view text, const std::string& origin, const std::string& preset) {
  try {
    const toml::table document = parse_variant(text, origin, preset);
    Sweep sweep = read_document(document, origin);
    const bool is_axis = std::ranges::count(sweep.axes, AxisName::sparsity, &Axis::name) > 0;
    if (!is_axis && !sweep.data.sparsity) sweep.data.sparsity = 0;
    check_document(sweep, document, origin);
  } catch (const InputError& error) {
    if (preset == "paper") throw;
    throw InputError(one_line(fmt::format("{} (with preset '{}')", error.what(), preset)));
  }
}

}  // namespace

Sweep parse_sweep(std::string_view text, const std::string& origin, const SweepFileOptions& options) {
  check_variant(text, origin, "paper");
  const toml::table whole = parse_toml(text, origin);
  if (const toml::table* presets = whole["presets"].as_table()) {
    for (auto&& [key, value] : *presets) {
      if (key.str() == "paper") refuse(value, "presets.paper: 'paper' stands for the file itself; choose another name");
      check_variant(text, origin, std::string(key.str()));
    }
  }
  toml::table document = parse_variant(text, origin, options.preset);
  for (const std::string& change : options.set) apply_set(document, change);
  const Sweep sweep = read_document(document, origin);
  check_document(sweep, document, origin);
  return sweep;
}

Sweep read_sweep(const std::string& path, const SweepFileOptions& options) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw InputError(fmt::format("{}: is a folder; a sweep file (TOML) is needed", one_line(path)));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>(file), {});
  if (!file) throw InputError(fmt::format("{}: cannot be read: {}", one_line(path), std::strerror(errno)));
  return parse_sweep(text, path, options);
}

}  // namespace phasegrid
