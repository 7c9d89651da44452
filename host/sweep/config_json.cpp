#include "config_json.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "phasegrid/train.hpp"

namespace phasegrid {
namespace {

using Json = nlohmann::ordered_json;

// JSON's own conversions would wrap or cut a number that does not fit.
int whole(const Json& object, const char* key) {
  const Json& value = object.at(key);
  const double number = value.is_number_integer() ? value.get<double>() : -1;
  if (number < 0 || number > std::numeric_limits<int>::max()) {
    throw std::runtime_error(fmt::format("{} must be a whole number of at most 31 bits", key));
  }
  return value.get<int>();
}

// nlohmann would take true for 1.
double number(const Json& value, const char* key) {
  if (!value.is_number()) throw std::runtime_error(fmt::format("{} must be a number", key));
  return value.get<double>();
}
std::vector<double> numbers(const Json& list, const char* key) {
  if (!list.is_array()) throw std::runtime_error(fmt::format("{} must be a list of numbers", key));
  std::vector<double> values;
  for (const Json& value : list) values.push_back(number(value, key));
  return values;
}

// An enumeration as one of its words, in the order of its values.
template <class Choice, std::size_t kWords>
Choice choice(const Json& object, const char* key, const std::string_view (&words)[kWords]) {
  const auto word = object.at(key).get<std::string>();
  const auto* found = std::ranges::find(words, word);
  if (found == std::end(words)) {
    throw std::runtime_error(fmt::format("{} must be one of {}", key, fmt::join(words, ", ")));
  }
  return static_cast<Choice>(found - words);
}
template <std::size_t kWords, class Choice>
std::string_view word_of(Choice choice, const std::string_view (&words)[kWords]) {
  return words[static_cast<std::size_t>(choice)];
}

constexpr std::string_view kLossWords[] = {"mean", "sum"};
constexpr std::string_view kKeepWords[] = {"last-batch", "evaluation", "all"};
constexpr std::string_view kScheduleWords[] = {"constant", "linear", "cosine"};
constexpr std::string_view kRouterWords[] = {"xavier", "zero", "diagonal", "ordered-k-hot", "random-k-hot"};
constexpr std::string_view kBiasWords[] = {"xavier", "zero"};
constexpr std::string_view kRuleWords[] = {"list", "geometric", "shuffled_geometric"};
constexpr const char* kNewTrainKeys[] = {"schedule", "drop_below", "drop_factor", "stop_below", "snapshots"};

Json importance_of(const DataSettings& data) {
  if (data.importance_rule != ImportanceRule::list) {
    return {{std::string(word_of(data.importance_rule, kRuleWords)), data.importance_ratio}};
  }
  return data.importance.empty() ? Json("uniform") : Json(data.importance);
}

void read_importance(const Json& importance, DataSettings& data) {
  if (importance.is_array()) {
    data.importance = numbers(importance, "importance");
  } else if (importance.is_object() && importance.size() == 1) {
    const bool shuffled = importance.contains("shuffled_geometric");
    data.importance_rule = shuffled ? ImportanceRule::shuffled_geometric : ImportanceRule::geometric;
    const char* key = shuffled ? "shuffled_geometric" : "geometric";
    data.importance_ratio = number(importance.at(key), key);
  } else if (importance != "uniform") {
    throw std::runtime_error("importance must be uniform, a list or a rule");
  }
}

void read_snapshots(const Json& steps, std::vector<int>& snapshots) {
  if (!steps.is_array()) throw std::runtime_error("snapshots must be a list");
  for (const Json& step : steps) {
    const double value = step.is_number_integer() ? step.get<double>() : -1;
    if (value < 0 || value > 1e9) throw std::runtime_error("snapshots must be whole numbers from 0 to 1000000000");
    snapshots.push_back(step.get<int>());
  }
}

// Adds every setting.
void add_settings(const Sweep& sweep, Json& config) {
  config["name"] = sweep.name;
  config["restarts"] = sweep.restarts;
  config["seed"] = sweep.seed;
  config["model"] = {{"n_features", sweep.shape.n_features},
                     {"n_hidden", sweep.shape.n_hidden},
                     {"n_experts", sweep.shape.n_experts},
                     {"top_k", sweep.shape.top_k}};
  Json& data = config["data"];
  data["importance"] = importance_of(sweep.data);
  if (!sweep.data.feature_sparsity.empty()) data["sparsity"] = sweep.data.feature_sparsity;
  if (sweep.data.sparsity) data["sparsity"] = *sweep.data.sparsity;
  if (sweep.data.last_importance) data["last_importance"] = *sweep.data.last_importance;
  config["init"] = {{"router", word_of(sweep.init.router, kRouterWords)},
                    {"bias", word_of(sweep.init.bias, kBiasWords)}};
  config["train"] = {{"steps", sweep.train.steps},
                     {"batch", sweep.train.batch},
                     {"learning_rate", sweep.train.learning_rate},
                     {"weight_decay", sweep.train.weight_decay},
                     {"load_balance", sweep.train.load_balance},
                     {"loss", word_of(sweep.train.loss, kLossWords)},
                     {"keep", word_of(sweep.train.keep, kKeepWords)},
                     {"schedule", word_of(sweep.train.schedule, kScheduleWords)},
                     {"drop_below", sweep.train.drop_below},
                     {"drop_factor", sweep.train.drop_factor},
                     {"stop_below", sweep.train.stop_below},
                     {"snapshots", sweep.train.snapshots}};
  config["axes"] = Json::object();
  for (const Axis& axis : sweep.axes) config["axes"][std::string(to_string(axis.name))] = axis.values;
}

// ASCII; a device whose name is not UTF-8 is no reason to lose a training.
std::string text_of(const Json& config) { return config.dump(-1, ' ', true, Json::error_handler_t::replace); }

}  // namespace

std::string config_of(const Results& results) {
  Json config;
  config["phasegrid"] = version();
  config["device"] = results.device;
  config["complete"] = results.complete();
  add_settings(results.sweep, config);
  return text_of(config);
}

std::string config_of(const Sweep& sweep) {
  Json config;
  config["phasegrid"] = version();
  add_settings(sweep, config);
  return text_of(config);
}

std::string first_difference(const Sweep& a, const Sweep& b) {
  Json first, second;
  add_settings(a, first);
  add_settings(b, second);
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

Config parse_config(const std::string& text) {
  const Json config = Json::parse(text);  // its errors are std::exceptions
  std::string device = config.at("device").get<std::string>();
  return {parse_settings(text), std::move(device)};
}

Sweep parse_settings(const std::string& text) {
  const Json config = Json::parse(text);
  Sweep sweep;
  sweep.name = config.at("name").get<std::string>();
  sweep.restarts = whole(config, "restarts");
  if (!config.at("seed").is_number_unsigned()) throw std::runtime_error("seed must be a whole number");
  sweep.seed = config.at("seed").get<std::uint64_t>();
  const Json& model = config.at("model");
  sweep.shape = {whole(model, "n_features"), whole(model, "n_hidden"), whole(model, "n_experts"),
                 whole(model, "top_k")};
  const Json& data = config.at("data");
  read_importance(data.at("importance"), sweep.data);
  if (data.contains("sparsity") && data.at("sparsity").is_array()) {
    sweep.data.feature_sparsity = numbers(data.at("sparsity"), "sparsity");
    if (sweep.data.feature_sparsity.empty()) throw std::runtime_error("sparsity must not be an empty list");
  } else if (data.contains("sparsity")) {
    sweep.data.sparsity = number(data.at("sparsity"), "sparsity");
  }
  if (data.contains("last_importance")) {
    sweep.data.last_importance = number(data.at("last_importance"), "last_importance");
  }
  const Json& train = config.at("train");
  sweep.train.steps = whole(train, "steps");
  sweep.train.batch = whole(train, "batch");
  sweep.train.learning_rate = number(train.at("learning_rate"), "learning_rate");
  sweep.train.weight_decay = number(train.at("weight_decay"), "weight_decay");
  sweep.train.load_balance = number(train.at("load_balance"), "load_balance");
  sweep.train.loss = choice<Loss>(train, "loss", kLossWords);
  sweep.train.keep = choice<Keep>(train, "keep", kKeepWords);
  // Files of version 0.1 have neither `init` nor the settings of `train` below; others have all of them.
  const bool old = std::ranges::none_of(kNewTrainKeys, [&](const char* key) { return train.contains(key); });
  if (config.contains("init") || !old) {
    sweep.init.router = choice<RouterInit>(config.at("init"), "router", kRouterWords);
    sweep.init.bias = choice<BiasInit>(config.at("init"), "bias", kBiasWords);
    sweep.train.schedule = choice<Schedule>(train, "schedule", kScheduleWords);
    sweep.train.drop_below = number(train.at("drop_below"), "drop_below");
    sweep.train.drop_factor = number(train.at("drop_factor"), "drop_factor");
    sweep.train.stop_below = number(train.at("stop_below"), "stop_below");
    read_snapshots(train.at("snapshots"), sweep.train.snapshots);
  }
  const Json& axes = config.at("axes");
  if (!axes.is_object()) throw std::runtime_error("axes must be an object");
  for (const auto& [key, values] : axes.items()) {  // in the file's order, so that the config can be written again
    for (int i = 0; i < kAxisNames; ++i) {
      const auto name = static_cast<AxisName>(i);
      if (key == to_string(name)) sweep.axes.push_back({name, numbers(values, key.c_str())});
    }
  }
  sweep.check();
  return sweep;
}

}  // namespace phasegrid
