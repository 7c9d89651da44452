// What a setting's value may be, with every way into a Sweep and out of it. Most are numbers or words; what is neither is
// a kind of its own with the same operations.
#pragma once

#include <toml++/toml.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "number_rule.hpp"
#include "phasegrid/sweep.hpp"
#include "toml_values.hpp"

namespace phasegrid {

using Json = nlohmann::ordered_json;

// The forms that a value may have, for who writes one down: the documentation and Python's keywords.
struct Forms {
  bool text = false, number = false, whole = false, list = false, yes_no = false;
  std::vector<std::string_view> words = {};  // "mean", "sum"
  std::vector<std::string_view> rules = {};  // the keys of a table: { geometric = NUMBER }
  std::vector<std::string_view> mappings = {};  // such tables as Python writes them
  std::string_view list_keyword = "";   // Python's keyword of a list, where it is another than that of a number
};

class SettingKind {
 public:
  virtual ~SettingKind() = default;

  // Takes what a document says. Throws InputError, naming line and key, where it is of no form or range that is allowed.
  virtual void read(const toml::node& node, const std::string& key, Sweep& sweep) const = 0;
  // Throws InputError, naming the key, unless the value may be used.
  virtual void check(const std::string& key, const Sweep& sweep) const = 0;
  // The value as a config has it; null where none is given.
  virtual Json json(const Sweep& sweep) const = 0;
  virtual Forms forms() const = 0;
  // "a number from 0 to 1".
  virtual std::string allowed() const = 0;

  // Of a setting that may be an axis: what its values are held to, and one of them put into a cell.
  virtual NumberRule axis_rule() const { return {}; }
  virtual void check_axis_value(const std::string& key, double value) const;
  virtual void put(double, Cell&) const {}
  // -0 becomes 0: they are equal settings, but a cell's random numbers follow from the bits of its settings.
  virtual void tidy(Cell&) const {}
  // The value as numbers; none where it is the default. (For InKey::unless_default.)
  virtual std::vector<double> beyond_default(const Cell&) const { return {}; }
};

// The part of a sweep or cell that a member belongs to, itself or as a member of a base.
template <class Part, class Whole>
auto& part_of(Whole& whole) {
  if constexpr (std::is_base_of_v<Part, Whole>) {
    return whole;
  } else if constexpr (std::is_base_of_v<Part, Shape>) {
    return whole.shape;
  } else if constexpr (std::is_base_of_v<Part, InitSettings>) {
    return whole.init;
  } else if constexpr (std::is_base_of_v<Part, InputSettings>) {
    if constexpr (requires { whole.inputs; }) {
      return whole.inputs;
    } else {
      return whole.data.inputs;
    }
  } else {
    static_assert(std::is_base_of_v<Part, TrainSettings>);
    return whole.train;
  }
}
// (A cell has no name, and no number of restarts.)
template <class Part>
constexpr bool kInCell = !std::is_same_v<Part, Sweep>;

// Throws InputError, naming the key, unless the value obeys the rule.
void check_number(const std::string& key, const NumberRule& rule, double value);
[[noreturn]] void refuse_word(const toml::node& node, const std::string& key, const std::string& allowed);
std::string quoted_words(const std::vector<std::string_view>& words);

// Names of sweeps, and of variants, which end one.
bool is_usable_name(std::string_view name);
std::string usable_names();  // "1 to 200 letters, digits .."

template <class Part, class Value>
class NumberKind : public SettingKind {
 public:
  NumberKind(Value Part::* member, NumberRule rule) : member_(member), rule_(rule) {}

  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    part_of<Part>(sweep).*member_ = static_cast<Value>(number_from(node, rule_, key));
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    check_number(key, rule_, static_cast<double>(part_of<Part>(sweep).*member_));
  }
  Json json(const Sweep& sweep) const override { return part_of<Part>(sweep).*member_; }
  Forms forms() const override { return {.number = true, .whole = rule_.whole}; }
  std::string allowed() const override { return phasegrid::allowed(rule_); }
  NumberRule axis_rule() const override { return rule_; }
  void put(double value, Cell& cell) const override {
    if constexpr (kInCell<Part>) part_of<Part>(cell).*member_ = static_cast<Value>(value);
  }
  void tidy(Cell& cell) const override {
    if constexpr (kInCell<Part>) part_of<Part>(cell).*member_ += Value{0};
  }
  std::vector<double> beyond_default(const Cell& cell) const override {
    if constexpr (kInCell<Part>) {
      const Value value = part_of<Part>(cell).*member_;
      if (value != Part{}.*member_) return {static_cast<double>(value)};
    }
    return {};
  }

 protected:
  Value Part::* member_;
  NumberRule rule_;
};

// A whole number from 1 that need not be given; it is 0 then.
template <class Part>
class OptionalWholeKind : public NumberKind<Part, int> {
 public:
  using Base = NumberKind<Part, int>;
  OptionalWholeKind(int Part::* member, double highest)
      : Base(member, {.lowest = 1, .highest = highest, .whole = true}) {}

  void check(const std::string& key, const Sweep& sweep) const override {
    if (part_of<Part>(sweep).*Base::member_ != 0) Base::check(key, sweep);
  }
  Json json(const Sweep& sweep) const override {
    const int value = part_of<Part>(sweep).*Base::member_;
    return value == 0 ? Json() : Json(value);
  }
};

// An enumeration, whose words stand in the order of its values.
template <class Part, class Choice>
class WordKind : public SettingKind {
 public:
  WordKind(Choice Part::* member, std::vector<std::string_view> words) : member_(member), words_(std::move(words)) {}

  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    const auto* text = node.as_string();
    for (std::size_t i = 0; text != nullptr && i < words_.size(); ++i) {
      if (text->get() != words_[i]) continue;
      part_of<Part>(sweep).*member_ = static_cast<Choice>(i);
      return;
    }
    refuse_word(node, key, allowed());
  }
  void check(const std::string&, const Sweep&) const override {}
  Json json(const Sweep& sweep) const override {
    return words_[static_cast<std::size_t>(part_of<Part>(sweep).*member_)];
  }
  Forms forms() const override { return {.words = words_}; }
  std::string allowed() const override { return quoted_words(words_); }
  std::vector<double> beyond_default(const Cell& cell) const override {
    if constexpr (kInCell<Part>) {
      const Choice value = part_of<Part>(cell).*member_;
      if (value != Part{}.*member_) return {static_cast<double>(value)};
    }
    return {};
  }

 private:
  Choice Part::* member_;
  std::vector<std::string_view> words_;
};

// true or false.
template <class Part>
class YesNoKind : public SettingKind {
 public:
  explicit YesNoKind(bool Part::* member) : member_(member) {}

  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    if (!node.is_boolean()) refuse(node, key + " must be true or false, not " + found(node));
    part_of<Part>(sweep).*member_ = node.as_boolean()->get();
  }
  void check(const std::string&, const Sweep&) const override {}
  Json json(const Sweep& sweep) const override { return part_of<Part>(sweep).*member_; }
  Forms forms() const override { return {.yes_no = true}; }
  std::string allowed() const override { return "true or false"; }

 private:
  bool Part::* member_;
};

// The settings that are none of these (other_settings.cpp, input_settings.cpp).
std::shared_ptr<const SettingKind> name_kind();
std::shared_ptr<const SettingKind> seed_kind();
std::shared_ptr<const SettingKind> importance_kind();
std::shared_ptr<const SettingKind> sparsity_kind();
std::shared_ptr<const SettingKind> last_importance_kind();
std::shared_ptr<const SettingKind> snapshots_kind();
std::shared_ptr<const SettingKind> values_kind();
std::shared_ptr<const SettingKind> groups_kind();
std::shared_ptr<const SettingKind> active_kind();
std::shared_ptr<const SettingKind> bias_init_kind();
std::shared_ptr<const SettingKind> weight_init_kind();
std::shared_ptr<const SettingKind> from_kind();
std::shared_ptr<const SettingKind> loss_power_kind();

}  // namespace phasegrid
