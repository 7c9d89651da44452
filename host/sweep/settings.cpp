#include "settings.hpp"

#include <algorithm>
#include <stdexcept>

#include "setting_kinds.hpp"

namespace phasegrid {
namespace {

template <class Part, class Value>
std::shared_ptr<const SettingKind> number(Value Part::* member, NumberRule rule = {}) {
  return std::make_shared<NumberKind<Part, Value>>(member, rule);
}
template <class Part>
std::shared_ptr<const SettingKind> whole(int Part::* member, double lowest, double highest) {
  return number(member, {.lowest = lowest, .highest = highest, .whole = true});
}
template <class Part, class Choice>
std::shared_ptr<const SettingKind> words(Choice Part::* member, std::vector<std::string_view> words) {
  return std::make_shared<WordKind<Part, Choice>>(member, std::move(words));
}

// {key, what it may be, what it is about, its axis, whether it enters the key of the random numbers, since which format}.
// A new row comes behind those of its table, with the next format (identity.hpp).
std::vector<Setting> make_rows() {
  using enum AxisName;
  using enum InKey;
  return {
      {"name", name_kind(), "of the sweep and its results; a sweep file's own name, where it gives none"},
      {"restarts", whole(&Sweep::restarts, 1, 1e6),
       "models per cell, which differ in their random numbers alone; the best one is kept"},
      {"seed", seed_kind(), "of all random numbers; the values of an axis are added to it", seed, always},

      {"model.n_features", whole(&Shape::n_features, 1, 256), "n, inputs and outputs of a model; must be given", {},
       always},
      {"model.n_hidden", whole(&Shape::n_hidden, 1, 64), "m, hidden units of an expert", {}, always},
      {"model.n_experts", whole(&Shape::n_experts, 1, 64), "E; 1 is the dense model", {}, always},
      {"model.top_k", whole(&Shape::top_k, 1, 64), "k, experts that a sample is sent to, at most n_experts", {}, always},

      {"data.importance", importance_kind(),
       "weight of every feature's error: all 1, a list, r^f for feature f from 0, or those in one random order", {},
       always},
      {"data.sparsity", sparsity_kind(),
       "probability that a feature is 0, else it is uniform in [0, 1); must be given, here or as an axis", sparsity,
       always},
      {"data.last_importance", last_importance_kind(),
       "importance of the last feature, instead of what data.importance says", last_importance, always},

      {"init.router", words(&InitSettings::router, {"xavier", "zero", "diagonal", "ordered-k-hot", "random-k-hot"}),
       "how routers start; k-hot: every expert on n / E features, which E must divide", {}, no, 1},
      {"init.bias", words(&InitSettings::bias, {"xavier", "zero"}), "how biases start", {}, no, 1},

      {"train.steps", whole(&TrainSettings::steps, 1, 1e9), "steps of a training", steps},
      {"train.batch", whole(&TrainSettings::batch, 1, 16777216), "samples per step", batch, always},
      {"train.learning_rate", number(&TrainSettings::learning_rate), "of AdamW (beta 0.9 and 0.999, epsilon 1e-8)",
       learning_rate, always},
      {"train.weight_decay", number(&TrainSettings::weight_decay),
       "decoupled, of all parameters: a step multiplies them by 1 - learning_rate weight_decay", weight_decay, always},
      {"train.load_balance", number(&TrainSettings::load_balance),
       "alpha, weight of the load-balance term in the loss of mixtures; the paper has 0.01", load_balance, always},
      {"train.loss", words(&TrainSettings::loss, {"mean", "sum"}), "over the features of a sample", {}, always},
      {"train.keep", words(&TrainSettings::keep, {"last-batch", "evaluation", "all"}),
       "which restart is kept: that of the lowest loss on one fresh batch of 16,384 samples; \"last-batch\": on its last "
       "training batch, the paper's choice, by which the luckiest wins, often with fewer features; \"all\": as "
       "\"evaluation\", and results have the parameters of every restart"},
      {"train.schedule", words(&TrainSettings::schedule, {"constant", "linear", "cosine"}),
       "of the learning rate; linear and cosine end at 0", {}, no, 1},
      {"train.drop_below", number(&TrainSettings::drop_below),
       "the learning rate is multiplied by drop_factor, once, when a batch's loss is below this; 0: never", {}, no, 1},
      {"train.drop_factor", number(&TrainSettings::drop_factor, {.lowest = 0, .highest = 1}), "factor of that drop", {},
       no, 1},
      {"train.stop_below", number(&TrainSettings::stop_below),
       "a training ends when a batch's loss is below this; 0: never", {}, no, 1},
      {"train.snapshots", snapshots_kind(), "steps after which losses and parameters are kept, ascending", {}, no, 1},
  };
}

// What follows from the rows.
struct Table {
  std::vector<Setting> rows = make_rows();
  std::vector<const Setting*> axes = std::vector<const Setting*>(kAxisNames);
  std::vector<std::string> axis_keys;
  std::vector<std::string_view> keys, tables;

  Table() {
    for (const Setting& row : rows) {
      keys.push_back(row.key);
      if (row.axis) axes[static_cast<std::size_t>(*row.axis)] = &row;
      if (!row.table().empty() && std::ranges::find(tables, row.table()) == tables.end()) tables.push_back(row.table());
    }
    for (const Setting* row : axes) {
      if (row == nullptr) throw std::logic_error("an AxisName without a row");
      axis_keys.push_back("axes." + std::string(row->name()));
    }
    keys.insert(keys.end(), axis_keys.begin(), axis_keys.end());
  }
};
const Table& table() {
  static const Table kTable;
  return kTable;
}

}  // namespace

std::string_view Setting::table() const {
  const std::size_t dot = key.find('.');
  return dot == std::string_view::npos ? "" : key.substr(0, dot);
}
std::string_view Setting::name() const { return key.substr(key.find('.') + 1); }
std::string Setting::keyword() const { return std::string(name()) + (table() == "init" ? "_init" : ""); }

std::span<const Setting> settings() { return table().rows; }

const Setting& setting(std::string_view key) {
  const auto found = std::ranges::find(table().rows, key, &Setting::key);
  if (found == table().rows.end()) throw std::logic_error("no setting " + std::string(key));
  return *found;
}
const Setting& setting(AxisName axis) { return *table().axes.at(static_cast<std::size_t>(axis)); }

std::span<const std::string_view> setting_keys() { return table().keys; }
std::span<const std::string_view> setting_tables() { return table().tables; }

std::vector<std::string_view> keys_of_table(std::string_view of) {
  std::vector<std::string_view> keys;
  for (const std::string_view key : table().keys) {
    if (const std::size_t dot = key.find('.'); key.substr(0, dot) == of) keys.push_back(key.substr(dot + 1));
  }
  return keys;
}

bool can_be_axis(std::string_view key) {
  const auto found = std::ranges::find(table().rows, key, &Setting::key);
  return found != table().rows.end() && found->axis.has_value();
}

std::vector<KeyPart> beyond_defaults(const Cell& cell, std::span<const Setting> rows) {
  std::vector<KeyPart> parts;
  for (const Setting& row : rows) {
    if (row.in_key != InKey::unless_default) continue;
    if (std::vector<double> values = row.kind->beyond_default(cell); !values.empty()) {
      parts.push_back({row.key, std::move(values)});
    }
  }
  return parts;
}

std::string_view to_string(AxisName name) { return setting(name).name(); }

}  // namespace phasegrid
