// The settings of inputs and initial parameters that are neither a number nor a word: a word, or a rule with numbers.
#include <fmt/format.h>

#include "phasegrid/error.hpp"
#include "setting_kinds.hpp"

namespace phasegrid {
namespace {

// The value of a rule { key = value }, or null.
const toml::node* rule_of(const toml::node& node, std::string_view key) {
  const toml::table* table = node.as_table();
  return table != nullptr && table->size() == 1 ? table->get(key) : nullptr;
}
std::string word_of(const toml::node* node) {
  return node != nullptr && node->is_string() ? node->as_string()->get() : "";
}

// "uniform", "one", "normal", { uniform = [a, b] }, or that list itself.
class ValuesKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    InputSettings& inputs = sweep.data.inputs;
    inputs.values = ValueLaw::uniform, inputs.value_low = 0, inputs.value_high = 1;
    const std::string word = word_of(&node);
    const toml::node* rule = rule_of(node, "uniform");
    const toml::array* range = rule != nullptr ? rule->as_array() : node.as_array();
    if (word == "normal") {
      inputs.values = ValueLaw::normal;
    } else if (word == "one") {
      inputs.value_low = 1;
    } else if (range != nullptr && range->size() == 2) {
      const std::vector<double> ends = read_list(*range, kNumber, key);
      inputs.value_low = ends[0], inputs.value_high = ends[1];
    } else if (word != "uniform") {
      refuse(node, fmt::format("{} must be {}, not {}", key, allowed(), found(node)));
    }
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    const double low = sweep.data.inputs.value_low, high = sweep.data.inputs.value_high;
    check_number(key, kNumber, low);
    check_number(key, kNumber, high);
    if (low > high || (low == 0 && high == 0)) {
      throw InputError(fmt::format("{}: {{ uniform = [a, b] }} needs a at most b and not both 0, not {} and {}", key, low,
                                   high));
    }
  }
  Json json(const Sweep& sweep) const override {
    const double low = sweep.data.inputs.value_low, high = sweep.data.inputs.value_high;
    if (sweep.data.inputs.values == ValueLaw::normal) return "normal";
    if (low == 1 && high == 1) return "one";
    if (low == 0 && high == 1) return "uniform";
    return {{"uniform", {low, high}}};
  }
  Forms forms() const override {
    return {.words = {"uniform", "one", "normal"}, .rules = {"uniform"}, .mappings = {R"({"uniform": [a, b]})"}};
  }
  std::string allowed() const override { return "\"uniform\", \"one\", \"normal\" or { uniform = [a, b] }"; }
  std::vector<double> beyond_default(const Cell& cell) const override {
    const InputSettings& inputs = cell.inputs;
    if (inputs.values == ValueLaw::normal) return {1};
    if (inputs.value_low == 0 && inputs.value_high == 1) return {};
    return {0, inputs.value_low, inputs.value_high};
  }

 private:
  static constexpr NumberRule kNumber = {.lowest = -1e6, .highest = 1e6};
};

// { kind = "correlated", size = g }
class GroupsKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    const toml::table* table = node.as_table();
    if (table == nullptr) refuse(node, fmt::format("{} must be {}, not {}", key, allowed(), found(node)));
    const std::string kind = word_of(table->get("kind"));
    const toml::node* size = table->get("size");
    if (size == nullptr || table->size() != 2 || (kind != "correlated" && kind != "anticorrelated")) {
      refuse(node, fmt::format("{} must be {}", key, allowed()));
    }
    InputSettings& inputs = sweep.data.inputs;
    inputs.presence = kind == "correlated" ? PresenceLaw::correlated : PresenceLaw::anticorrelated;
    inputs.group_size = static_cast<int>(number_from(*size, kSize, key + ".size"));
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    const InputSettings& inputs = sweep.data.inputs;
    if (!grouped(inputs)) return;
    check_number(key + ".size", kSize, inputs.group_size);
    const int n = sweep.shape.n_features;
    if (n % inputs.group_size != 0) {
      throw InputError(fmt::format("{}.size must divide model.n_features = {}, not {}", key, n, inputs.group_size));
    }
    if (!sweep.data.feature_sparsity.empty() || sweep.data.sparsity_power) {
      throw InputError(fmt::format("{} needs one data.sparsity for all features, not one per feature", key));
    }
  }
  Json json(const Sweep& sweep) const override {
    const InputSettings& inputs = sweep.data.inputs;
    if (!grouped(inputs)) return {};
    const bool together = inputs.presence == PresenceLaw::correlated;
    return {{"kind", together ? "correlated" : "anticorrelated"}, {"size", inputs.group_size}};
  }
  Forms forms() const override {
    return {.rules = {"kind", "size"}, .mappings = {R"({"kind": "correlated" or "anticorrelated", "size": g})"}};
  }
  std::string allowed() const override {
    return "{ kind = \"correlated\", size = g } or { kind = \"anticorrelated\", size = g }";
  }
  std::vector<double> beyond_default(const Cell& cell) const override {
    if (!grouped(cell.inputs)) return {};
    return {cell.inputs.presence == PresenceLaw::correlated ? 0.0 : 1.0, static_cast<double>(cell.inputs.group_size)};
  }

 private:
  static constexpr NumberRule kSize = {.lowest = 1, .highest = 1024, .whole = true};
  static bool grouped(const InputSettings& inputs) {
    return inputs.presence == PresenceLaw::correlated || inputs.presence == PresenceLaw::anticorrelated;
  }
};

class ActiveKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    InputSettings& inputs = sweep.data.inputs;
    if (inputs.presence != PresenceLaw::independent) {
      refuse(node, fmt::format("{} and data.groups exclude each other; one must be taken out", key));
    }
    inputs.presence = PresenceLaw::active;
    inputs.active = static_cast<int>(number_from(node, kRule, key));
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    const InputSettings& inputs = sweep.data.inputs;
    if (inputs.presence != PresenceLaw::active) return;
    check_number(key, kRule, inputs.active);
    if (inputs.active > sweep.shape.n_features) {
      throw InputError(
          fmt::format("{} must be at most model.n_features = {}, not {}", key, sweep.shape.n_features, inputs.active));
    }
  }
  Json json(const Sweep& sweep) const override {
    const InputSettings& inputs = sweep.data.inputs;
    return inputs.presence == PresenceLaw::active ? Json(inputs.active) : Json();
  }
  Forms forms() const override { return {.number = true, .whole = true}; }
  std::string allowed() const override { return phasegrid::allowed(kRule) + ", at most n_features"; }
  NumberRule axis_rule() const override { return kRule; }
  void put(double value, Cell& cell) const override {
    cell.inputs.presence = PresenceLaw::active;
    cell.inputs.active = static_cast<int>(value);
  }
  std::vector<double> beyond_default(const Cell& cell) const override {
    if (cell.inputs.presence != PresenceLaw::active) return {};
    return {static_cast<double>(cell.inputs.active)};
  }

 private:
  static constexpr NumberRule kRule = {.lowest = 1, .highest = 1024, .whole = true};
};

// A word of an enumeration, whose last value is `normal`, or { normal = SPREAD }.
template <class Choice>
class SpreadKind : public SettingKind {
 public:
  SpreadKind(Choice InitSettings::* choice, double InitSettings::* spread, std::vector<std::string_view> words)
      : choice_(choice), spread_(spread), words_(std::move(words)) {}

  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    sweep.init.*spread_ = 0;
    if (const toml::node* rule = rule_of(node, "normal")) {
      sweep.init.*choice_ = Choice::normal;
      sweep.init.*spread_ = number_from(*rule, kRule, key + ".normal");
      return;
    }
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (word_of(&node) != words_[i]) continue;
      sweep.init.*choice_ = static_cast<Choice>(i);
      return;
    }
    refuse_word(node, key, allowed());
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    check_number(key + ".normal", kRule, sweep.init.*spread_);
  }
  Json json(const Sweep& sweep) const override {
    if (sweep.init.*choice_ == Choice::normal) return {{"normal", sweep.init.*spread_}};
    return words_[static_cast<std::size_t>(sweep.init.*choice_)];
  }
  Forms forms() const override { return {.words = words_, .rules = {"normal"}, .mappings = {R"({"normal": spread})"}}; }
  std::string allowed() const override { return quoted_words(words_) + " or { normal = SPREAD }"; }

 private:
  static constexpr NumberRule kRule = {.lowest = 0, .highest = 1e6};
  Choice InitSettings::* choice_;
  double InitSettings::* spread_;
  std::vector<std::string_view> words_;
};

class FromKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    if (word_of(&node).empty()) refuse(node, fmt::format("{} must be {}, not {}", key, allowed(), found(node)));
    sweep.init.from = word_of(&node);
  }
  void check(const std::string&, const Sweep&) const override {}
  Json json(const Sweep& sweep) const override { return sweep.init.from.empty() ? Json() : Json(sweep.init.from); }
  Forms forms() const override { return {.text = true}; }
  std::string allowed() const override { return "the path of a results file"; }
};

class LossPowerKind : public NumberKind<TrainSettings, int> {
 public:
  LossPowerKind() : NumberKind(&TrainSettings::loss_power, {.lowest = 2, .highest = 8, .whole = true}) {}

  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    const double power = node.is_integer() ? static_cast<double>(node.as_integer()->get()) : 0;
    if (!is_power(power)) {
      refuse(node, fmt::format("{} must be {}, not {}{}", key, allowed(), found(node), list_hint(node, key)));
    }
    sweep.train.loss_power = static_cast<int>(power);
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    check_axis_value(key, sweep.train.loss_power);
  }
  std::string allowed() const override { return "2, 4, 6 or 8"; }
  void check_axis_value(const std::string& key, double value) const override {
    if (!is_power(value)) throw InputError(fmt::format("{} must be {}, not {}", key, allowed(), value));
  }

 private:
  static bool is_power(double value) { return value == 2 || value == 4 || value == 6 || value == 8; }
};

}  // namespace

std::shared_ptr<const SettingKind> values_kind() { return std::make_shared<ValuesKind>(); }
std::shared_ptr<const SettingKind> groups_kind() { return std::make_shared<GroupsKind>(); }
std::shared_ptr<const SettingKind> active_kind() { return std::make_shared<ActiveKind>(); }
std::shared_ptr<const SettingKind> bias_init_kind() {
  return std::make_shared<SpreadKind<BiasInit>>(&InitSettings::bias, &InitSettings::bias_spread,
                                                std::vector<std::string_view>{"xavier", "zero"});
}
std::shared_ptr<const SettingKind> weight_init_kind() {
  return std::make_shared<SpreadKind<WeightInit>>(&InitSettings::weights, &InitSettings::weight_spread,
                                                  std::vector<std::string_view>{"xavier"});
}
std::shared_ptr<const SettingKind> from_kind() { return std::make_shared<FromKind>(); }
std::shared_ptr<const SettingKind> loss_power_kind() { return std::make_shared<LossPowerKind>(); }

}  // namespace phasegrid
