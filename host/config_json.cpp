#include "config_json.hpp"

#include <fmt/format.h>

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

// Which of two words stands there.
bool is_first(const Json& object, const char* key, std::string_view first, std::string_view second) {
  const auto word = object.at(key).get<std::string>();
  if (word != first && word != second) {
    throw std::runtime_error(fmt::format("{} must be {} or {}", key, first, second));
  }
  return word == first;
}

}

std::string config_of(const Results& results) {
  const Sweep& sweep = results.sweep;
  Json config;
  config["phasegrid"] = version();
  config["device"] = results.device;
  config["complete"] = results.complete();
  config["name"] = sweep.name;
  config["restarts"] = sweep.restarts;
  config["seed"] = sweep.seed;
  config["model"] = {{"n_features", sweep.shape.n_features},
                     {"n_hidden", sweep.shape.n_hidden},
                     {"n_experts", sweep.shape.n_experts},
                     {"top_k", sweep.shape.top_k}};
  Json& data = config["data"];
  data["importance"] = sweep.data.importance.empty() ? Json("uniform") : Json(sweep.data.importance);
  if (sweep.data.sparsity) data["sparsity"] = *sweep.data.sparsity;
  if (sweep.data.last_importance) data["last_importance"] = *sweep.data.last_importance;
  config["train"] = {{"steps", sweep.train.steps},
                     {"batch", sweep.train.batch},
                     {"learning_rate", sweep.train.learning_rate},
                     {"weight_decay", sweep.train.weight_decay},
                     {"load_balance", sweep.train.load_balance},
                     {"loss", sweep.train.loss == Loss::mean ? "mean" : "sum"},
                     {"keep", sweep.train.keep == Keep::last_batch ? "last-batch" : "evaluation"}};
  config["axes"] = Json::object();
  for (const Axis& axis : sweep.axes) config["axes"][std::string(to_string(axis.name))] = axis.values;
  // ASCII; a device whose name is not UTF-8 is no reason to lose a training.
  return config.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Config parse_config(const std::string& text) {
  const Json config = Json::parse(text);  // its errors are std::exceptions
  Config result;
  Sweep& sweep = result.sweep;
  result.device = config.at("device").get<std::string>();
  sweep.name = config.at("name").get<std::string>();
  sweep.restarts = whole(config, "restarts");
  if (!config.at("seed").is_number_unsigned()) throw std::runtime_error("seed must be a whole number");
  sweep.seed = config.at("seed").get<std::uint64_t>();
  const Json& model = config.at("model");
  sweep.shape = {whole(model, "n_features"), whole(model, "n_hidden"), whole(model, "n_experts"),
                 whole(model, "top_k")};
  const Json& data = config.at("data");
  if (data.at("importance").is_array()) sweep.data.importance = data.at("importance").get<std::vector<double>>();
  if (data.contains("sparsity")) sweep.data.sparsity = data.at("sparsity").get<double>();
  if (data.contains("last_importance")) sweep.data.last_importance = data.at("last_importance").get<double>();
  const Json& train = config.at("train");
  sweep.train.steps = whole(train, "steps");
  sweep.train.batch = whole(train, "batch");
  sweep.train.learning_rate = train.at("learning_rate").get<double>();
  sweep.train.weight_decay = train.at("weight_decay").get<double>();
  sweep.train.load_balance = train.at("load_balance").get<double>();
  sweep.train.loss = is_first(train, "loss", "mean", "sum") ? Loss::mean : Loss::sum;
  sweep.train.keep = is_first(train, "keep", "last-batch", "evaluation") ? Keep::last_batch : Keep::evaluation;
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    const Json& axes = config.at("axes");
    if (axes.contains(std::string(to_string(name)))) {
      sweep.axes.push_back({name, axes.at(std::string(to_string(name))).get<std::vector<double>>()});
    }
  }
  sweep.check();
  return result;
}

}  // namespace phasegrid
