#include "conventions.hpp"

#include <algorithm>
#include <vector>

#include "setting_kinds.hpp"

namespace phasegrid {
namespace {

// Settings that a convention does not name are this library's own defaults. Source: the notebooks and repositories that
// each line names.
constexpr Convention kConventions[] = {
    {"anthropic", "Elhage et al. 2022, Toy Models of Superposition, and its notebook",
     R"(
init.bias = "zero"
train = { steps = 10000, batch = 1024, learning_rate = 1e-3, weight_decay = 0.01, optimizer = "adamw", loss = "mean" }
)"},
    {"arena", "ARENA's exercises on superposition: as Anthropic's, with Adam without decay",
     R"(
init.bias = "zero"
train = { steps = 10000, batch = 1024, learning_rate = 1e-3, weight_decay = 0, optimizer = "adam", loss = "mean" }
)"},
    {"spd", "train_tms of stochastic and attribution-based parameter decomposition",
     R"(
init.bias = "zero"
train = { steps = 10000, batch = 1024, learning_rate = 5e-3, weight_decay = 0.01, optimizer = "adamw", loss = "mean" }
)"},
    {"devinterp", "devinterp's example of toy models: SGD with momentum on features of value 1",
     R"(
data.values = "one"
init.bias = "zero"
train = { steps = 5000, batch = 100, learning_rate = 0.01, weight_decay = 0, optimizer = "sgd", momentum = 0.9, loss = "mean" }
)"},
    {"liu2025", "Liu et al. 2025, superposition and neural scaling; W ~ N(0, 1 / m)",
     R"(
data.values = { uniform = [0, 2] }
init = { bias = { normal = 1 }, weights = { normal = 1 } }
train = { steps = 20000, batch = 2048, learning_rate = 0.01, weight_decay = 0, weight_decay_on = "weights", warmup = 2000, schedule = "cosine", floor = 0.05, optimizer = "adamw", loss = "mean" }
)"},
};

}  // namespace

std::span<const Convention> conventions() { return kConventions; }

const Convention* find_convention(std::string_view name) {
  const auto found = std::ranges::find(kConventions, name, &Convention::name);
  return found == std::end(kConventions) ? nullptr : &*found;
}

std::string convention_names() {
  std::vector<std::string_view> names;
  for (const Convention& one : kConventions) names.push_back(one.name);
  return quoted_words(names);
}

}  // namespace phasegrid
