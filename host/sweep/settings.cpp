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

template <class Part>
std::shared_ptr<const SettingKind> yes_no(bool Part::* member) {
  return std::make_shared<YesNoKind<Part>>(member);
}
constexpr NumberRule kShareRule = {.lowest = 0, .highest = 1};
constexpr NumberRule kBelowOne = {.lowest = 0, .highest = 1, .below_highest = true};
constexpr NumberRule kBetaRule = {.lowest = 0, .highest = 0.99999};  // their corrections are tables (plan.cpp)

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

      {"model.n_features", whole(&Shape::n_features, 1, 1024), "n, inputs and outputs of a model; must be given", {},
       always},
      {"model.n_hidden", whole(&Shape::n_hidden, 1, 256), "m, hidden units of an expert", n_hidden, always},
      {"model.n_experts", whole(&Shape::n_experts, 1, 64), "E; 1 is the dense model", n_experts, always},
      {"model.top_k", whole(&Shape::top_k, 1, 64),
       "k, experts that a sample is sent to, at most n_experts; cells of a grid with more have no model", top_k, always},

      {"model.tied", yes_no(&Shape::tied), "false: each expert has a decoder D of its own, z = D h + b, beside W", {}, no, 2},
      {"model.hidden", words(&Shape::hidden, {"linear", "relu"}), "activation of the hidden units, h = W^T x", {}, no, 2},
      {"model.output", words(&Shape::output, {"linear", "relu"}),
       "activation of z; of each expert before the gates combine them", {}, no, 2},
      {"model.bias", yes_no(&Shape::bias), "false: no b at all", {}, no, 2},

      {"data.importance", importance_kind(),
       "weight of every feature's error: all 1, a list, r^f for feature f from 0, or those in one random order", {},
       always},
      {"data.sparsity", sparsity_kind(),
       "probability that a feature is 0; must be given, here or as an axis, unless data.active is", sparsity, always},
      {"data.last_importance", last_importance_kind(),
       "importance of the last feature, instead of what data.importance says", last_importance, always},
      {"data.values", values_kind(), "value of a present feature: U[0, 1), 1, N(0, 1) or U[a, b)", {}, unless_default, 2},
      {"data.groups", groups_kind(),
       "blocks of neighbouring features: present as a whole with probability p = 1 - sparsity, or with probability "
       "size p exactly one of them, each equally likely",
       {}, unless_default, 2},
      {"data.active", active_kind(), "exactly so many features are present, every subset equally likely", active,
       unless_default, 2},
      {"data.target", words(&InputSettings::target, {"identity", "absolute", "relu"}),
       "what is to be reconstructed, feature by feature: x, |x| or max(x, 0)", {}, no, 2},
      {"data.samples", std::make_shared<OptionalWholeKind<InputSettings>>(&InputSettings::samples, 1e9),
       "a fixed data set of so many samples, drawn once for a cell; batches take them at random with replacement, or, "
       "where batch is as many, all in order; not given: always fresh samples",
       samples, unless_default, 2},
      {"data.shared", words(&InputSettings::shared, {"none", "restarts", "cells"}),
       "which models see the same inputs: restarts of a cell, or all cells of the grid, restart by restart", {}, no, 2},

      {"init.router", words(&InitSettings::router, {"xavier", "zero", "diagonal", "ordered-k-hot", "random-k-hot"}),
       "how routers start; k-hot: every expert on n / E features, which E must divide", {}, no, 1},
      {"init.bias", bias_init_kind(), "how biases start: std sqrt(2 / (n + E)), 0, or a standard deviation", {}, no, 1},
      {"init.weights", weight_init_kind(),
       "how encoders and decoders start: std sqrt(2 / (m (n + E))), or a standard deviation", {}, no, 2},
      {"init.decoder", words(&InitSettings::decoder, {"independent", "transpose"}),
       "of untied models: random numbers of its own, or equal to the encoder", {}, no, 2},
      {"init.from", from_kind(),
       "a results file whose kept models training starts at: of the same models and grid, or of one cell for all", {}, no,
       2},

      {"train.steps", whole(&TrainSettings::steps, 0, 1e9), "steps of a training; 0: losses are those of the initial models", steps},
      {"train.batch", whole(&TrainSettings::batch, 1, 16777216), "samples per step", batch, always},
      {"train.learning_rate", number(&TrainSettings::learning_rate), "of the optimizer",
       learning_rate, always},
      {"train.weight_decay", number(&TrainSettings::weight_decay, {.lowest = -1, .highest = 1e9}),
       "adamw: a step multiplies parameters by 1 - learning_rate weight_decay; adam, sgd: weight_decay w is added to the "
       "gradient; below 0 it pulls norms up", weight_decay, always},
      {"train.load_balance", number(&TrainSettings::load_balance),
       "alpha, weight of the load-balance term in the loss of mixtures; the paper has 0.01", load_balance, always},
      {"train.loss", words(&TrainSettings::loss, {"mean", "sum"}), "over the features of a sample", {}, always},
      {"train.keep", words(&TrainSettings::keep, {"last-batch", "evaluation", "all", "training-state"}),
       "which restart is kept: that of the lowest loss on one fresh batch of 16,384 samples; \"last-batch\": on its last "
       "training batch, the paper's choice, by which the luckiest wins, often with fewer features; \"all\": as "
       "\"evaluation\", and results have the parameters of every restart; \"training-state\": and the optimizer's moments, so "
       "that more steps can follow"},
      {"train.schedule", words(&TrainSettings::schedule, {"constant", "linear", "cosine", "quarter-cosine"}),
       "factor of the learning rate at step t: 1, 1 - t / steps, (1 + cos(pi t / steps)) / 2, cos(pi t / (2 steps))", {}, no, 1},
      {"train.drop_below", number(&TrainSettings::drop_below),
       "the learning rate is multiplied by drop_factor, once, when a batch's loss is below this; 0: never", {}, no, 1},
      {"train.drop_factor", number(&TrainSettings::drop_factor, {.lowest = 0, .highest = 1}), "factor of that drop", {},
       no, 1},
      {"train.stop_below", number(&TrainSettings::stop_below),
       "a training ends when a batch's loss is below this; 0: never", {}, no, 1},
      {"train.snapshots", snapshots_kind(), "steps after which losses and parameters are kept, ascending", {}, no, 1},
      {"train.warmup", whole(&TrainSettings::warmup, 0, 1e9),
       "the first so many steps have factor (t + 1) / warmup in place of the schedule's", warmup, no, 2},
      {"train.floor", number(&TrainSettings::floor, kShareRule),
       "the schedule ends at this share of the rate: floor + (1 - floor) factor", AxisName::floor, no, 2},
      {"train.optimizer", words(&TrainSettings::optimizer, {"adamw", "adam", "sgd"}),
       "adam: weight decay is part of the gradient; sgd: v = momentum v + g, w -= rate v; all as PyTorch's", {},
       unless_default, 2},
      {"train.beta1", number(&TrainSettings::beta1, kBetaRule), "of adamw and adam", beta1, unless_default, 2},
      {"train.beta2", number(&TrainSettings::beta2, kBetaRule), "of adamw and adam", beta2, unless_default, 2},
      {"train.epsilon", number(&TrainSettings::epsilon, {.lowest = 0, .highest = 1, .above_lowest = true}),
       "of adamw and adam", epsilon, unless_default, 2},
      {"train.momentum", number(&TrainSettings::momentum, kBelowOne), "of sgd", momentum, unless_default, 2},
      {"train.weight_decay_on", words(&TrainSettings::weight_decay_on, {"all", "weights"}),
       "parameters that decay: all, or encoders and decoders alone", {}, unless_default, 2},
      {"train.loss_power", loss_power_kind(), "of the error: the loss is I |x' - target|^loss_power", loss_power,
       unless_default, 2},
      {"train.load_balance_over", words(&TrainSettings::load_balance_over, {"all", "nonzero"}),
       "samples over which the load balance takes its means: all, or those whose input is not all zero", {},
       unless_default, 2},
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
