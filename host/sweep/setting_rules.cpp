#include "setting_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

constexpr SettingRule kRules[] = {
    {"restarts", 1, 1e6, false, true},
    {"seed", 0, 9223372036854775807.0, false, true},
    {"model.n_features", 1, 256, false, true},
    {"model.n_hidden", 1, 64, false, true},
    {"model.n_experts", 1, 64, false, true},
    {"model.top_k", 1, 64, false, true},
    {"data.sparsity", 0, 1, true, false},
    {"data.importance", 0, 1e9, false, false},
    {"data.last_importance", 0, 1e9, false, false},
    {"data.importance_ratio", 0, 1, false, false, true},
    {"train.steps", 1, 1e9, false, true},
    {"train.batch", 1, 16777216, false, true},
    {"train.learning_rate", 0, 1e9, false, false},
    {"train.weight_decay", 0, 1e9, false, false},
    {"train.load_balance", 0, 1e9, false, false},
    {"train.drop_below", 0, 1e9, false, false},
    {"train.drop_factor", 0, 1, false, false},
    {"train.stop_below", 0, 1e9, false, false},
    {"train.snapshots", 0, 1e9, false, true},
    {"axes.seed", 0, 1e9, false, true},
};

constexpr std::string_view kKeys[] = {
    "name",
    "restarts",
    "seed",
    "model.n_features",
    "model.n_hidden",
    "model.n_experts",
    "model.top_k",
    "data.importance",
    "data.sparsity",
    "data.last_importance",
    "init.router",
    "init.bias",
    "train.steps",
    "train.batch",
    "train.learning_rate",
    "train.weight_decay",
    "train.load_balance",
    "train.loss",
    "train.keep",
    "train.schedule",
    "train.drop_below",
    "train.drop_factor",
    "train.stop_below",
    "train.snapshots",
    "axes.sparsity",
    "axes.last_importance",
    "axes.steps",
    "axes.batch",
    "axes.learning_rate",
    "axes.weight_decay",
    "axes.load_balance",
    "axes.seed",
};

}  // namespace

std::span<const std::string_view> setting_keys() { return kKeys; }

std::vector<std::string_view> keys_of_table(std::string_view table) {
  std::vector<std::string_view> keys;
  for (const std::string_view key : kKeys) {
    if (const std::size_t dot = key.find('.'); key.substr(0, dot) == table) keys.push_back(key.substr(dot + 1));
  }
  return keys;
}

bool can_be_axis(std::string_view key) {
  for (int i = 0; i < kAxisNames; ++i) {
    if (key_of(static_cast<AxisName>(i)) == key) return true;
  }
  return key == "seed";
}

const SettingRule& rule_of(std::string_view key) {
  const auto* rule = std::ranges::find(kRules, key, &SettingRule::key);
  if (rule == std::end(kRules)) throw std::logic_error("no rule for " + std::string(key));
  return *rule;
}

std::string allowed(const SettingRule& rule) {
  // Whole limits print as such; the seed's highest is 2^63 - 1, which a double cannot hold.
  const std::string highest = rule.key == "seed" ? "9223372036854775807" : fmt::format("{:.0f}", rule.highest);
  return fmt::format("{} from {}{:.0f} to {}{}", rule.whole ? "a whole number" : "a number",
                     rule.above_lowest ? "above " : "", rule.lowest, rule.below_highest ? "below " : "", highest);
}

void check_setting(std::string_view key, double value) {
  const SettingRule& rule = rule_of(key);
  const bool inside = (rule.above_lowest ? value > rule.lowest : value >= rule.lowest) &&
                      (rule.below_highest ? value < rule.highest : value <= rule.highest);
  if (!inside || (rule.whole && value != std::floor(value))) {
    throw InputError(fmt::format("{} must be {}, not {}", key, allowed(rule), value));
  }
}

std::string_view key_of(AxisName name) {
  switch (name) {
    case AxisName::sparsity:
      return "data.sparsity";
    case AxisName::last_importance:
      return "data.last_importance";
    case AxisName::steps:
      return "train.steps";
    case AxisName::batch:
      return "train.batch";
    case AxisName::learning_rate:
      return "train.learning_rate";
    case AxisName::weight_decay:
      return "train.weight_decay";
    case AxisName::load_balance:
      return "train.load_balance";
    case AxisName::seed:
      return "axes.seed";
  }
  throw std::logic_error("no such axis");
}

bool is_usable_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

}  // namespace phasegrid
