// Sweep files: TOML read by toml++, laid over with a preset, a variant and --set changes, then turned into a checked
// Sweep. The ranges of numbers are those of setting_rules.hpp.
#include "phasegrid/sweep_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "phasegrid/error.hpp"
#include "setting_rules.hpp"
#include "text/text_file.hpp"
#include "toml_limits.hpp"
#include "toml_values.hpp"

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

// Lays `over` over `under`. Tables merge, but an axis, an importance, snapshots, a list or a number is replaced whole.
void lay_over(toml::table& under, toml::table&& over, bool is_axes) {
  for (auto&& [key, value] : over) {
    toml::node* there = under.get(key);
    const bool whole = is_axes || key.str() == "importance" || key.str() == "snapshots";
    if (!whole && there != nullptr && there->is_table() && value.is_table()) {
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
  lay_over(document, std::move(*chosen->as_table()), false);
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
  lay_over(document, std::move(over), false);
}

void read_axes(const toml::table& document, Sweep& sweep) {
  const toml::table& axes = table_at(document, "axes");
  check_keys(axes, "axes", keys_of_table("axes"));
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    const toml::node* node = axes.get(to_string(name));
    if (node == nullptr) continue;
    const std::string_view rule_key = key_of(name);
    const toml::table& home = table_at(document, rule_key.substr(0, rule_key.find('.')));
    // (axes.seed is a key of its own: it is added to the sweep's seed.)
    if (const toml::node* twin = home.get(to_string(name)); twin != nullptr && twin != node) {
      refuse(*twin,
             fmt::format("{0} stands here and as axes.{1}; a key may stand in one place: take it out of [{2}], or "
                         "for one value leave the axis and write --set 'axes.{1}=[VALUE]'",
                         rule_key, to_string(name), rule_key.substr(0, rule_key.find('.'))));
    }
    const std::string shown = fmt::format("axes.{}", to_string(name));
    sweep.axes.push_back({name, read_list_or_range(*node, rule_key, shown)});
  }
}

// "uniform", a list, { geometric = RATIO } or { shuffled_geometric = RATIO }.
void read_importance(const toml::node& node, const Shape& shape, DataSettings& data) {
  const auto* text = node.as_string();
  const toml::table* rule = node.as_table();
  const bool shuffled = rule != nullptr && rule->contains("shuffled_geometric");
  if (node.is_array() && !node.as_array()->empty()) {
    data.importance = read_list(*node.as_array(), "data.importance", "data.importance");
  } else if (rule != nullptr && rule->size() == 1 && (shuffled || rule->contains("geometric"))) {
    const std::string key = shuffled ? "shuffled_geometric" : "geometric";
    data.importance_rule = shuffled ? ImportanceRule::shuffled_geometric : ImportanceRule::geometric;
    data.importance_ratio = number_from(*rule->get(key), "data.importance_ratio", "data.importance." + key);
  } else if (text == nullptr || text->get() != "uniform") {
    refuse(node, fmt::format("data.importance must be \"uniform\" or a list of model.n_features = {} numbers, each {}, "
                             "or {{ geometric = RATIO }} or {{ shuffled_geometric = RATIO }}, not {}",
                             shape.n_features, allowed(rule_of("data.importance")),
                             node.is_array() ? "an empty list" : found(node)));
  }
}

void read_data(const toml::table& data, Sweep& sweep) {
  check_keys(data, "data", keys_of_table("data"));
  if (const toml::node* node = data.get("importance")) read_importance(*node, sweep.shape, sweep.data);
  double number = 0;
  if (const toml::node* node = data.get("sparsity")) {
    if (node->is_array() && node->as_array()->empty()) {
      refuse(*node, fmt::format("data.sparsity must be {}, or a list of one a feature, not an empty list",
                                allowed(rule_of("data.sparsity"))));
    } else if (node->is_array()) {
      sweep.data.feature_sparsity = read_list(*node->as_array(), "data.sparsity", "data.sparsity");
    } else {
      read_number(data, "data", "sparsity", number);
      sweep.data.sparsity = number;
    }
  }
  if (data.contains("last_importance")) {
    read_number(data, "data", "last_importance", number);
    sweep.data.last_importance = number;
  }
}

void read_init(const toml::table& init, Sweep& sweep) {
  check_keys(init, "init", keys_of_table("init"));
  read_choice<RouterInit>(init, "init", "router",
                          {{"xavier", RouterInit::xavier},
                           {"zero", RouterInit::zero},
                           {"diagonal", RouterInit::diagonal},
                           {"ordered-k-hot", RouterInit::ordered_k_hot},
                           {"random-k-hot", RouterInit::random_k_hot}},
                          sweep.init.router);
  read_choice<BiasInit>(init, "init", "bias", {{"xavier", BiasInit::xavier}, {"zero", BiasInit::zero}},
                        sweep.init.bias);
}

void read_train(const toml::table& train, TrainSettings& into) {
  check_keys(train, "train", keys_of_table("train"));
  read_number(train, "train", "steps", into.steps);
  read_number(train, "train", "batch", into.batch);
  read_number(train, "train", "learning_rate", into.learning_rate);
  read_number(train, "train", "weight_decay", into.weight_decay);
  read_number(train, "train", "load_balance", into.load_balance);
  read_number(train, "train", "drop_below", into.drop_below);
  read_number(train, "train", "drop_factor", into.drop_factor);
  read_number(train, "train", "stop_below", into.stop_below);
  read_choice<Loss>(train, "train", "loss", {{"mean", Loss::mean}, {"sum", Loss::sum}}, into.loss);
  read_choice<Keep>(train, "train", "keep",
                    {{"last-batch", Keep::last_batch}, {"evaluation", Keep::evaluation}, {"all", Keep::all}},
                    into.keep);
  read_choice<Schedule>(train, "train", "schedule",
                        {{"constant", Schedule::constant}, {"linear", Schedule::linear}, {"cosine", Schedule::cosine}},
                        into.schedule);
  if (const toml::node* node = train.get("snapshots")) {
    if (const toml::array* list = node->as_array(); list != nullptr && list->empty()) return;  // none
    for (double step : read_list_or_range(*node, "train.snapshots", "train.snapshots")) {
      try {
        check_setting("train.snapshots", step);  // a range may leave what an int can hold
      } catch (const InputError& error) {
        refuse(*node, error.what());
      }
      into.snapshots.push_back(static_cast<int>(step));
    }
  }
}

// What the document says, key by key.
Sweep read_document(const toml::table& document, const std::string& origin) {
  Sweep sweep;
  check_keys(document, "",
             {"name", "restarts", "seed", "model", "data", "init", "train", "axes", "presets", "variants"});
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
      refuse(*node, fmt::format("seed must be {}, not {}{}", allowed(rule_of("seed")), found(*node),
                                list_hint(*node, "seed")));
    }
    sweep.seed = static_cast<std::uint64_t>(node->as_integer()->get());
  }

  const toml::table& model = table_at(document, "model");
  check_keys(model, "model", keys_of_table("model"));
  read_number(model, "model", "n_features", sweep.shape.n_features);
  read_number(model, "model", "n_hidden", sweep.shape.n_hidden);
  read_number(model, "model", "n_experts", sweep.shape.n_experts);
  read_number(model, "model", "top_k", sweep.shape.top_k);

  read_data(table_at(document, "data"), sweep);

  read_init(table_at(document, "init"), sweep);
  read_train(table_at(document, "train"), sweep.train);
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
    throw InputError(fmt::format("{}: {}", origin, message));
  }
}

// How many features there are is what a model is about, so it has no default.
void require_features(const toml::table& document, const std::string& origin) {
  if (table_at(document, "model").contains("n_features")) return;
  throw InputError(
      fmt::format("{}: model.n_features must be given: {} (n_hidden, n_experts and top_k are 1 where they are not)",
                  origin, allowed(rule_of("model.n_features"))));
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
  Sweep sweep = read_document(document, origin);
  if (!layers.variant.empty()) sweep.name += "_" + layers.variant;
  return sweep;
}

// Every preset and variant must be sound, chosen or not, so that a mistake shows before the day it is used. Only
// sparsity and n_features may be missing, for --set to give.
void check_layers(std::string_view text, const std::string& origin, const Layers& layers) {
  try {
    const toml::table document = parse_layers(text, origin, layers);
    Sweep sweep = read_layers(document, origin, layers);
    const bool is_axis = std::ranges::count(sweep.axes, AxisName::sparsity, &Axis::name) > 0;
    if (!is_axis && !sweep.data.sparsity && sweep.data.feature_sparsity.empty()) sweep.data.sparsity = 0;
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
      refuse(value, fmt::format("variants: the name of a variant must be 1 to {} letters, digits, '.', '_' or '-', the "
                                "first a letter, digit or '_', not '{}'",
                                kLongestName, shortened(std::string(key.str()))));
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
