// The settings table: everything that can be said of a sweep, one row a setting. Sweep files, --set, checks, the config
// of a results file, the grid, the key of the random numbers, Python's keywords and what `phasegrid settings` prints are
// loops over it. A new number is a row of settings.cpp and a member of Sweep (for an axis, with a name in AxisName); a new
// word of an enumeration is a word in its row.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phasegrid/sweep.hpp"

namespace phasegrid {

class SettingKind;  // setting_kinds.hpp

// Whether models of different settings draw different random numbers (design.md's P2).
enum class InKey {
  no,      // the same ones: a sub-grid, a longer training or another router meets equal data
  always,  // others; hashed in an order of its own, that of version 0.1 (plan.cpp)
  unless_default
};

struct Setting {
  std::string_view key;  // as in a sweep file: "train.batch"
  std::shared_ptr<const SettingKind> kind;
  std::string_view about;    // one line, with the unit
  std::optional<AxisName> axis = std::nullopt;
  InKey in_key = InKey::no;
  // The format (identity.hpp) whose results files say it. Those of an earlier format mean the default.
  int since = 0;

  std::string_view table() const;  // "train"; "" for a key at the top
  std::string_view name() const;   // "batch"
  // Python's keyword: the name, but router_init for init.router.
  std::string keyword() const;
};

std::span<const Setting> settings();
// The row of a key or an axis. It exists.
const Setting& setting(std::string_view key);
const Setting& setting(AxisName axis);

// Every key of a sweep file that is a setting, from "name" to "axes.seed".
std::span<const std::string_view> setting_keys();
// What the table [table] may hold.
std::vector<std::string_view> keys_of_table(std::string_view table);
// "model", "data" .., in the order of the rows.
std::span<const std::string_view> setting_tables();
// Whether values of a key such as "train.steps" may stand under [axes].
bool can_be_axis(std::string_view key);

// Where two sweeps that are written as JSON differ first, e.g. "train.steps is 400, not 40", b's value first; "" where all
// settings are equal. Models of sweeps that differ in their name alone are each other's: this is what "the same sweep"
// means, wherever models of one training are taken into another.
std::string first_difference(const Sweep& a, const Sweep& b);  // the name counts
std::string training_difference(const Sweep& a, Sweep b);      // it does not

// What the key of a cell's random numbers takes in beside the settings that are always in it: those of
// InKey::unless_default that are another than the default, as numbers.
struct KeyPart {
  std::string_view key;
  std::vector<double> values;
};
std::vector<KeyPart> beyond_defaults(const Cell& cell, std::span<const Setting> rows = settings());

// The table as `phasegrid settings` prints it.
std::string settings_text();
std::string settings_markdown();
std::string settings_json();

constexpr std::size_t kMostAxisValues = 1'000'000;
constexpr double kMostModels = 1e8;
constexpr double kMostSnapshotNumbers = 4e9;

}  // namespace phasegrid
