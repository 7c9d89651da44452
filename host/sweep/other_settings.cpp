// The settings that are neither a number nor a word.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "phasegrid/error.hpp"
#include "setting_kinds.hpp"

namespace phasegrid {
namespace {

constexpr std::size_t kLongestName = 200;

// Text for a message, which is one line.
std::string printable(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return c < ' ' || c > '~'; }, '?');
  return line;
}

class NameKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    const auto* text = node.as_string();
    if (text == nullptr || !is_usable_name(text->get())) {
      refuse(node, fmt::format("{} must be {}, not {}", key, allowed(), found(node)));
    }
    sweep.name = text->get();
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    if (is_usable_name(sweep.name)) return;
    const std::string_view shown = std::string_view(sweep.name).substr(0, kLongestName);
    throw InputError(fmt::format("{} must be {}, not '{}'", key, allowed(), printable(shown)));
  }
  Json json(const Sweep& sweep) const override { return sweep.name; }
  Forms forms() const override { return {.text = true}; }
  std::string allowed() const override { return usable_names(); }
};

// A 64-bit number, of which a double would lose the last digits.
class SeedKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    if (!node.is_integer() || node.as_integer()->get() < 0) {
      refuse(node, fmt::format("{} must be {}, not {}{}", key, allowed(), found(node), list_hint(node, key)));
    }
    sweep.seed = static_cast<std::uint64_t>(node.as_integer()->get());
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    if (sweep.seed <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return;
    throw InputError(fmt::format("{} must be {}, not {}", key, allowed(), sweep.seed));
  }
  Json json(const Sweep& sweep) const override { return sweep.seed; }
  Forms forms() const override { return {.number = true, .whole = true}; }
  std::string allowed() const override { return phasegrid::allowed({.lowest = 0, .highest = 0x1p63, .whole = true}); }
  NumberRule axis_rule() const override { return {.lowest = 0, .highest = 1e9, .whole = true}; }
  void put(double value, Cell& cell) const override { cell.seed += static_cast<std::uint64_t>(value); }
};

// "uniform", a list, { geometric = RATIO } or { shuffled_geometric = RATIO }.
class ImportanceKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    DataSettings& data = sweep.data;
    const auto* text = node.as_string();
    const toml::table* rule = node.as_table();
    const bool shuffled = rule != nullptr && rule->contains("shuffled_geometric");
    if (node.is_array() && !node.as_array()->empty()) {
      data.importance = read_list(*node.as_array(), kNumber, key);
    } else if (rule != nullptr && rule->size() == 1 && (shuffled || rule->contains("geometric"))) {
      const std::string word = shuffled ? "shuffled_geometric" : "geometric";
      data.importance_rule = shuffled ? ImportanceRule::shuffled_geometric : ImportanceRule::geometric;
      data.importance_ratio = number_from(*rule->get(word), kRatio, key + "." + word);
    } else if (text == nullptr || text->get() != "uniform") {
      refuse(node, fmt::format("{} must be \"uniform\" or a list of model.n_features = {} numbers, each {}, or {{ "
                               "geometric = RATIO }} or {{ shuffled_geometric = RATIO }}, not {}",
                               key, sweep.shape.n_features, phasegrid::allowed(kNumber),
                               node.is_array() ? "an empty list" : found(node)));
    }
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    const DataSettings& data = sweep.data;
    const auto n = static_cast<std::size_t>(sweep.shape.n_features);
    if (!data.importance.empty() && data.importance.size() != n) {
      throw InputError(fmt::format("{} must be \"uniform\" or a list of model.n_features = {} numbers, not of {}", key, n,
                                   data.importance.size()));
    }
    for (double importance : data.importance) check_number(key, kNumber, importance);
    check_number(key + "_ratio", kRatio, data.importance_ratio);
    if (data.importance_rule != ImportanceRule::list && !data.importance.empty()) {
      throw InputError(fmt::format("{} must be a list or a rule, not both", key));
    }
  }
  Json json(const Sweep& sweep) const override {
    const DataSettings& data = sweep.data;
    if (data.importance_rule == ImportanceRule::geometric) return {{"geometric", data.importance_ratio}};
    if (data.importance_rule == ImportanceRule::shuffled_geometric) {
      return {{"shuffled_geometric", data.importance_ratio}};
    }
    return data.importance.empty() ? Json("uniform") : Json(data.importance);
  }
  Forms forms() const override {
    return {.list = true, .words = {"uniform"}, .rules = {"geometric", "shuffled_geometric"},
            .mappings = {R"({"geometric": ratio})", R"({"shuffled_geometric": ratio})"}};
  }
  std::string allowed() const override {
    return "\"uniform\", a list of one number per feature, { geometric = RATIO } or { shuffled_geometric = RATIO }";
  }

 private:
  static constexpr NumberRule kNumber = {};
  static constexpr NumberRule kRatio = {.lowest = 0, .highest = 1, .above_lowest = true};
};

// One number, one per feature, or a power law of the probabilities of presence.
class SparsityKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    if (node.is_array() && node.as_array()->empty()) {
      refuse(node, fmt::format("{} must be {}, or a list of one per feature, not an empty list", key,
                               phasegrid::allowed(kSparsityRule)));
    } else if (node.is_array()) {
      sweep.data.feature_sparsity = read_list(*node.as_array(), kSparsityRule, key);
    } else if (const toml::table* law = node.as_table()) {
      const toml::node *power = law->get("power"), *active = law->get("active");
      if (power == nullptr || active == nullptr || law->size() != 2) {
        refuse(node, fmt::format("{} must be {}, not {}", key, allowed(), found(node)));
      }
      sweep.data.sparsity_power = PowerLaw{number_from(*power, kPower, key + ".power"),
                                           number_from(*active, kActive, key + ".active")};
    } else {
      sweep.data.sparsity = number_from(node, kSparsityRule, key);
    }
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    const DataSettings& data = sweep.data;
    if (data.sparsity && !data.feature_sparsity.empty()) {
      throw InputError(fmt::format("{} must be one number or a list of one per feature, not both", key));
    }
    if (data.sparsity) check_one(key, *data.sparsity);
    const auto n = static_cast<std::size_t>(sweep.shape.n_features);
    if (!data.feature_sparsity.empty() && data.feature_sparsity.size() != n) {
      throw InputError(fmt::format("{} must be a list of model.n_features = {} numbers, not of {}", key, n,
                                   data.feature_sparsity.size()));
    }
    for (double sparsity : data.feature_sparsity) check_one(key, sparsity);
    if (!data.sparsity_power) return;
    if (data.sparsity || !data.feature_sparsity.empty()) {
      throw InputError(fmt::format("{} must be one number, a list or a power law, not several", key));
    }
    check_number(key + ".power", kPower, data.sparsity_power->power);
    check_number(key + ".active", kActive, data.sparsity_power->active);
    if (data.sparsity_power->active > static_cast<double>(n)) {
      throw InputError(fmt::format("{}.active must be at most model.n_features = {}, not {}", key, n,
                                   data.sparsity_power->active));
    }
    for (double sparsity : power_law_sparsities(*data.sparsity_power, sweep.shape.n_features)) check_one(key, sparsity);
  }
  Json json(const Sweep& sweep) const override {
    if (const auto& law = sweep.data.sparsity_power) return {{"power", law->power}, {"active", law->active}};
    if (sweep.data.sparsity) return *sweep.data.sparsity;
    return sweep.data.feature_sparsity.empty() ? Json() : Json(sweep.data.feature_sparsity);
  }
  Forms forms() const override {
    return {.number = true, .list = true, .rules = {"power", "active"}, .mappings = {R"({"power": a, "active": t})"}, .list_keyword = "feature_sparsity"};
  }
  std::string allowed() const override {
    return phasegrid::allowed(kSparsityRule) + ", a list of one per feature, or { power = a, active = t }";
  }
  NumberRule axis_rule() const override { return kSparsityRule; }
  void check_axis_value(const std::string& key, double value) const override {
    SettingKind::check_axis_value(key, value);
    check_float(key, value);
  }
  void put(double value, Cell& cell) const override {
    if (!std::isnan(value)) cell.sparsity.assign(cell.sparsity.size(), value);  // NaN: each feature has its own
  }
  void tidy(Cell& cell) const override {
    for (double& value : cell.sparsity) value += 0.0;
  }

 private:
  static constexpr NumberRule kPower = {.lowest = 0, .highest = 10};
  static constexpr NumberRule kActive = {.lowest = 0, .highest = 1024, .above_lowest = true};

  static void check_one(const std::string& key, double value) {
    check_number(key, kSparsityRule, value);
    check_float(key, value);
  }
  // The training step works with float32: a sparsity that rounds to 1 there would leave no feature present, ever.
  static void check_float(const std::string& key, double value) {
    if (static_cast<float>(value) < 1.0f) return;
    throw InputError(fmt::format("{} must be {} (in float32, so at most 0.9999999), not {}", key,
                                 phasegrid::allowed(kSparsityRule), value));
  }
};

class LastImportanceKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    sweep.data.last_importance = number_from(node, {}, key);
  }
  void check(const std::string& key, const Sweep& sweep) const override {
    if (sweep.data.last_importance) check_number(key, {}, *sweep.data.last_importance);
  }
  Json json(const Sweep& sweep) const override {
    return sweep.data.last_importance ? Json(*sweep.data.last_importance) : Json();
  }
  Forms forms() const override { return {.number = true}; }
  std::string allowed() const override { return phasegrid::allowed(NumberRule{}); }
  void put(double value, Cell& cell) const override { cell.importance.back() = value; }
  void tidy(Cell& cell) const override {
    for (double& value : cell.importance) value += 0.0;
  }
};

// Steps; that every cell reaches them is a matter of the whole sweep (sweep.cpp).
class SnapshotsKind : public SettingKind {
 public:
  void read(const toml::node& node, const std::string& key, Sweep& sweep) const override {
    std::vector<int> steps;
    if (const toml::array* list = node.as_array(); list == nullptr || !list->empty()) {
      for (double step : read_list_or_range(node, kSteps, key)) {
        if (!obeys(kSteps, step)) {  // a range may leave what an int can hold
          refuse(node, fmt::format("{} must be {}, not {}", key, phasegrid::allowed(kSteps), step));
        }
        steps.push_back(static_cast<int>(step));
      }
    }
    sweep.train.snapshots = std::move(steps);
  }
  void check(const std::string&, const Sweep&) const override {}
  Json json(const Sweep& sweep) const override { return sweep.train.snapshots; }
  Forms forms() const override { return {.whole = true, .list = true}; }
  std::string allowed() const override {
    return "a list of numbers or { start, stop, step }, each " + phasegrid::allowed(kSteps);
  }

 private:
  static constexpr NumberRule kSteps = {.lowest = 0, .highest = 1e9, .whole = true};
};

}  // namespace

bool is_usable_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

std::string usable_names() {
  return fmt::format("1 to {} letters, digits, '.', '_' or '-', the first a letter, digit or '_'", kLongestName);
}

std::shared_ptr<const SettingKind> name_kind() { return std::make_shared<NameKind>(); }
std::shared_ptr<const SettingKind> seed_kind() { return std::make_shared<SeedKind>(); }
std::shared_ptr<const SettingKind> importance_kind() { return std::make_shared<ImportanceKind>(); }
std::shared_ptr<const SettingKind> sparsity_kind() { return std::make_shared<SparsityKind>(); }
std::shared_ptr<const SettingKind> last_importance_kind() { return std::make_shared<LastImportanceKind>(); }
std::shared_ptr<const SettingKind> snapshots_kind() { return std::make_shared<SnapshotsKind>(); }

}  // namespace phasegrid
