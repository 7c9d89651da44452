#include "config_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "phasegrid/error.hpp"
#include "phasegrid/identity.hpp"
#include "phasegrid/train.hpp"
#include "read_document.hpp"
#include "setting_kinds.hpp"
#include "settings.hpp"
#include "shapes.hpp"

namespace phasegrid {
namespace {

// What a config says beside settings.
constexpr std::string_view kAbout[] = {"phasegrid", "format", "bits", "device", "complete"};

Json& place_of(Json& config, const Setting& row) {
  return row.table().empty() ? config[std::string(row.key)]
                             : config[std::string(row.table())][std::string(row.name())];
}

// Adds every setting that is given; axes in the order of AxisName, so that equal sweeps have equal texts.
void add_settings(const Sweep& given, Json& config) {
  const Sweep sweep = with_largest_shape(given);
  for (const Setting& row : settings()) {
    if (Json value = row.kind->json(sweep); !value.is_null()) place_of(config, row) = std::move(value);
  }
  config["axes"] = Json::object();
  for (int i = 0; i < kAxisNames; ++i) {
    for (const Axis& axis : sweep.axes) {
      if (axis.name == static_cast<AxisName>(i)) config["axes"][std::string(to_string(axis.name))] = axis.values;
    }
  }
}

// ASCII; a device whose name is not UTF-8 is no reason to lose a training.
std::string text_of(const Json& config) { return config.dump(-1, ' ', true, Json::error_handler_t::replace); }

// ---------------------------------------------------------------- reading

// A value of JSON as one of TOML, so that one reader takes sweep files and configs. `shown` is its place.
void insert(toml::table& into, const std::string& key, const Json& value, const std::string& shown) {
  constexpr auto kDeepest = 8;
  constexpr double kExact = 0x1p53;
  if (std::ranges::count(shown, '.') > kDeepest) throw InputError("settings lie too deep within each other");
  if (value.is_boolean()) {
    into.insert_or_assign(key, value.get<bool>());
  } else if (value.is_string()) {
    into.insert_or_assign(key, value.get<std::string>());
  } else if (value.is_number()) {
    // Axes are written as floating-point numbers, those of whole numbers too.
    const double number = value.get<double>();
    const bool whole = number == std::floor(number) && std::abs(number) < kExact && !(number == 0 && std::signbit(number));
    constexpr auto kHighest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (value.is_number_unsigned() ? value.get<std::uint64_t>() <= kHighest : value.is_number_integer()) {
      into.insert_or_assign(key, value.get<std::int64_t>());
    } else if (whole) {
      into.insert_or_assign(key, static_cast<std::int64_t>(number));
    } else {
      into.insert_or_assign(key, number);
    }
  } else if (value.is_array()) {
    toml::array list;
    for (const Json& element : value) {
      toml::table one;
      insert(one, "element", element, shown + ".");
      list.push_back(std::move(*one.get("element")));
    }
    into.insert_or_assign(key, std::move(list));
  } else if (value.is_object()) {
    toml::table table;
    for (const auto& [name, element] : value.items()) insert(table, name, element, shown + "." + name);
    into.insert_or_assign(key, std::move(table));
  } else {
    throw InputError(fmt::format("{} must not be null", shown));
  }
}

const Json* find_setting(const Json& config, const Setting& row) {
  const Json* at = &config;
  if (!row.table().empty()) {
    const auto table = config.find(std::string(row.table()));
    if (table == config.end() || !table->is_object()) return nullptr;
    at = &*table;
  }
  const auto found = at->find(std::string(row.name()));
  return found == at->end() ? nullptr : &*found;
}

// Of settings that may be absent, json() of no sweep gives null.
void expect_settings(const Json& config, int format) {
  for (const Setting& row : settings()) {
    if (row.since > format || find_setting(config, row) != nullptr || row.kind->json(Sweep{}).is_null()) continue;
    throw InputError(fmt::format("{} is missing", row.key));
  }
  if (!config.contains("axes")) throw InputError("axes is missing");
}

// A number above 0 that versions before 0.2 did not write.
int number_of(const Json& config, const char* key, int otherwise) {
  const auto found = config.find(key);
  if (found == config.end()) return otherwise;
  if (!found->is_number_integer() || found->get<double>() < 1 || found->get<double>() > 1e9) {
    throw InputError(fmt::format("{} must be a whole number from 1", key));
  }
  return found->get<int>();
}

// The format of a config without a number: 0 where it has none of the settings that came after 0.1.
int format_of(const Json& config) {
  const bool newer = config.contains("init") || std::ranges::any_of(settings(), [&](const Setting& row) {
                       return row.since == 1 && find_setting(config, row) != nullptr;
                     });
  return number_of(config, "format", newer ? 1 : 0);
}

Json parsed(const std::string& text) {
  Json config = Json::parse(text);  // its errors are std::exceptions
  if (!config.is_object()) throw InputError("it must be an object");
  return config;
}

Sweep settings_in(const Json& config) {
  expect_settings(config, format_of(config));
  toml::table document;
  for (const auto& [key, value] : config.items()) {
    if (std::ranges::find(kAbout, key) == std::end(kAbout)) insert(document, key, value, key);
  }
  Sweep sweep;
  read_document(document, sweep);
  sweep.check();
  return sweep;
}

}  // namespace

std::string config_of(const Config& about, bool complete) {
  Json config;
  config["phasegrid"] = about.made_by.empty() ? std::string(version()) : about.made_by;
  config["format"] = kFormat;
  config["bits"] = about.bits;
  config["device"] = about.device;
  config["complete"] = complete;
  add_settings(about.sweep, config);
  return text_of(config);
}

std::string config_of(const Results& results) {
  return config_of({results.sweep, results.device, results.made_by, results.bits}, results.complete());
}

std::string config_of(const Sweep& sweep) {
  Json config;
  config["phasegrid"] = version();
  add_settings(sweep, config);
  return text_of(config);
}

Config parse_config(const std::string& text) {
  const Json config = parsed(text);
  Config read;
  const auto made_by = config.find("phasegrid");
  if (made_by != config.end() && made_by->is_string()) read.made_by = made_by->get<std::string>();
  if (const int format = format_of(config); format > kFormat) {
    throw NewerFormat(fmt::format("is of phasegrid {} and its format {}; this is phasegrid {}, which reads formats up to {}",
                                  read.made_by, format, version(), kFormat));
  }
  read.bits = number_of(config, "bits", 1);
  read.device = config.at("device").get<std::string>();
  read.sweep = settings_in(config);
  return read;
}

Sweep parse_settings(const std::string& text) { return settings_in(parsed(text)); }

// ---------------------------------------------------------------- the same sweep

std::string first_difference(const Sweep& a, const Sweep& b) {
  Json first, second;
  add_settings(a, first);
  add_settings(b, second);
  if (first == second) return "";  // at once, however many values axes have
  first = first.flatten(), second = second.flatten();  // "/train/steps", "/axes/sparsity/0" ..
  auto shown = [](const Json& settings, const std::string& key) {
    return settings.contains(key) ? settings.at(key).dump(-1, ' ', true, Json::error_handler_t::replace) : "not given";
  };
  for (const Json* settings : {&first, &second}) {
    for (const auto& [key, value] : settings->items()) {
      if (first.contains(key) && second.contains(key) && first.at(key) == second.at(key)) continue;
      std::string path = key.substr(1);
      std::ranges::replace(path, '/', '.');
      return fmt::format("{} is {}, not {}", path, shown(second, key), shown(first, key));
    }
  }
  return "";
}

std::string training_difference(const Sweep& a, Sweep b) {
  b.name = a.name;
  return first_difference(a, b);
}

}  // namespace phasegrid
