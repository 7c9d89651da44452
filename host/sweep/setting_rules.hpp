// What every setting may be: one table that sweep files, --set and the API are held to.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phasegrid/sweep.hpp"

namespace phasegrid {

struct SettingRule {
  std::string_view key;  // as in a sweep file, e.g. "train.batch"
  double lowest, highest;
  bool below_highest;         // the highest value itself is not allowed
  bool whole;                 // whole numbers only
  bool above_lowest = false;  // the lowest value itself is not allowed
};

// The rule of a key. The key exists.
const SettingRule& rule_of(std::string_view key);

// "a whole number from 1 to 1000000".
std::string allowed(const SettingRule& rule);

// Throws InputError naming the key, the value and what is allowed, unless the value obeys the rule.
void check_setting(std::string_view key, double value);

// "data.sparsity" and the like, where an axis would stand if it were none.
std::string_view key_of(AxisName name);

// Every key of a sweep file that is a setting, from "name" to "axes.seed".
std::span<const std::string_view> setting_keys();
// What the table [table] may hold.
std::vector<std::string_view> keys_of_table(std::string_view table);
// Whether values of a key such as "train.steps" may stand under [axes].
bool can_be_axis(std::string_view key);

constexpr std::size_t kMostAxisValues = 1'000'000;
constexpr double kMostModels = 1e8;
constexpr double kMostSnapshotNumbers = 4e9;
constexpr std::size_t kLongestName = 200;
bool is_usable_name(std::string_view name);

}  // namespace phasegrid
