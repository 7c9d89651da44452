// The settings table: its rows are sound, and what a row says is done by every loop over it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "support/sweep_text.hpp"
#include "sweep/config_json.hpp"
#include "sweep/setting_kinds.hpp"
#include "sweep/settings.hpp"

namespace phasegrid {
namespace {

using testing::file_with;
using testing::parse;

TEST(SettingsTable, EveryRowIsWhole) {
  std::set<std::string> keys, keywords;
  int axes = 0;
  for (const Setting& row : settings()) {
    EXPECT_TRUE(keys.insert(std::string(row.key)).second) << row.key;
    EXPECT_TRUE(keywords.insert(row.keyword()).second) << row.key;
    EXPECT_FALSE(row.about.empty()) << row.key;
    EXPECT_FALSE(row.kind->allowed().empty()) << row.key;
    EXPECT_EQ(&setting(row.key), &row);
    EXPECT_LE(row.since, kFormat);
    axes += row.axis && &setting(*row.axis) == &row ? 1 : 0;
  }
  EXPECT_EQ(axes, kAxisNames);
  EXPECT_THROW((void)setting("train.colour"), std::logic_error);
}

TEST(SettingsTable, DefaultsAreAllowedAndReadBack) {
  Sweep sweep;
  sweep.data.sparsity = 0.5;
  for (const Setting& row : settings()) {
    EXPECT_NO_THROW(row.kind->check(std::string(row.key), sweep)) << row.key;
    const Json value = row.kind->json(Sweep{});
    if (value.is_null() || row.key == "model.n_features") continue;
    EXPECT_EQ(row.kind->json(parse(file_with(std::string(row.key), value.dump()))), value) << row.key;
  }
}

TEST(SettingsTable, EveryWordIsOneOfItsEnumeration) {
  for (const Setting& row : settings()) {
    for (const std::string_view word : row.kind->forms().words) {
      const std::string text = '"' + std::string(word) + '"';
      if (row.key == "init.decoder") continue;  // of untied models
      EXPECT_EQ(row.kind->json(parse(file_with(std::string(row.key), text))).dump(), text) << row.key;
    }
  }
}

TEST(SettingsTable, AnAxisIsPutIntoItsSetting) {
  for (int i = 0; i < kAxisNames; ++i) {
    const Setting& row = setting(static_cast<AxisName>(i));
    // In place of a sparsity, or with another setting (test_family.py).
    if (row.axis == AxisName::active || row.axis == AxisName::momentum || row.axis == AxisName::floor) continue;
    if (row.axis == AxisName::top_k) continue;  // of as many experts (shape_axes_test.cpp)
    std::string value = "3";
    for (const std::string_view share : {"sparsity", "beta1", "beta2", "epsilon"}) {
      if (row.name() == share) value = "0.25";
    }
    if (row.axis == AxisName::loss_power) value = "4";
    const Sweep axis = parse(file_with("axes." + std::string(row.name()), "[" + value + "]"));
    const Sweep plain = parse(file_with(std::string(row.key), value));
    const Cell a = Grid(axis).cell(0), b = Grid(plain).cell(0);
    EXPECT_EQ(a.seed, b.seed) << row.key;
    EXPECT_EQ(a.sparsity, b.sparsity) << row.key;
    EXPECT_EQ(a.importance, b.importance) << row.key;
    EXPECT_EQ(a.train, b.train) << row.key;
    EXPECT_EQ(a.inputs, b.inputs) << row.key;
    EXPECT_EQ(a.shape, b.shape) << row.key;
  }
}

// A setting that stands at its default adds nothing to the key of the random numbers.
TEST(SettingsTable, OnlyWhatIsNotTheDefaultEntersTheKey) {
  std::vector<Setting> rows = {setting("train.drop_factor"), setting("train.schedule"), setting("train.steps")};
  rows[0].in_key = rows[1].in_key = InKey::unless_default;
  Sweep sweep;
  sweep.data.sparsity = 0.5;
  EXPECT_TRUE(beyond_defaults(Grid(sweep).cell(0), rows).empty());
  sweep.train.steps = 7;
  sweep.train.drop_factor = 0.25;
  sweep.train.schedule = Schedule::cosine;
  const std::vector<KeyPart> parts = beyond_defaults(Grid(sweep).cell(0), rows);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].key, "train.drop_factor");
  EXPECT_EQ(parts[0].values, std::vector<double>{0.25});
  EXPECT_EQ(parts[1].key, "train.schedule");
  EXPECT_EQ(parts[1].values, std::vector<double>{2});
}

TEST(SameSweep, IsAMatterOfEverySettingButTheName) {
  const Sweep sweep = parse(testing::kFile);
  for (const Setting& row : settings()) {
    // These go with another setting (command_line_family_test.py).
    if (row.key == "data.active" || row.key == "init.decoder" || row.key == "train.momentum" || row.key == "train.floor") {
      continue;
    }
    const Forms forms = row.kind->forms();
    std::string value = forms.number ? "1" : "\"other\"";
    if (forms.yes_no) value = "false";
    if (row.key == "data.values") value = "\"one\"";
    if (row.key == "data.groups") value = "{ kind = \"correlated\", size = 1 }";
    if (row.key == "init.bias" || row.key == "init.weights") value = "{ normal = 0.5 }";
    if (row.key == "train.beta1" || row.key == "train.beta2" || row.key == "train.epsilon") value = "0.5";
    if (row.key == "train.loss_power") value = "4";
    if (row.key == "data.sparsity") value = "0.25";
    if (row.key == "train.drop_factor") value = "0.5";
    if (row.key == "model.n_hidden" || row.key == "model.top_k") value = row.key == "model.top_k" ? "2" : "3";
    if (row.key == "data.importance") value = "{ geometric = 0.5 }";
    if (row.key == "train.snapshots") value = "[0]";
    const std::string now = row.kind->json(sweep).dump();
    for (const std::string_view word : forms.words) {
      if (forms.rules.empty() && value == "\"other\"" && '"' + std::string(word) + '"' != now) {
        value = '"' + std::string(word) + '"';
      }
    }
    const Sweep other = parse(testing::kFile, {{std::string(row.key) + "=" + value}, "paper"});
    EXPECT_NE(first_difference(sweep, other).find(std::string(row.key)), std::string::npos) << row.key;
    EXPECT_EQ(training_difference(sweep, other).empty(), row.key == "name") << row.key;
  }
  Sweep one = parse(file_with("axes.steps", "[3, 4]")), two = one;
  one.axes.push_back({AxisName::batch, {8}});
  two.axes.insert(two.axes.begin(), {AxisName::batch, {8}});
  EXPECT_EQ(training_difference(one, two), "");  // in whatever order axes stand
  two.axes[0].values = {9};
  EXPECT_EQ(training_difference(one, two), "axes.batch.0 is 9.0, not 8.0");
}

}  // namespace
}  // namespace phasegrid
