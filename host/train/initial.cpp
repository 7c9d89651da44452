#include "initial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "phasegrid/error.hpp"
#include "phasegrid/results_file.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid {
namespace {

std::string name_of(const Architecture& shape) {
  return fmt::format("n_features {}, n_hidden {}, n_experts {}, top_k {}{}{}", shape.n_features, shape.n_hidden,
                     shape.n_experts, shape.top_k, shape.tied ? "" : ", untied", shape.bias ? "" : ", no bias");
}

// Models of equal parts can start each other, whatever their activations and top_k.
bool equal_parts(Architecture a, const Architecture& b) {
  a.top_k = b.top_k;
  a.hidden = b.hidden;
  a.output = b.output;
  return a == b;
}

}  // namespace

std::vector<float> initial_models(const Sweep& sweep, std::span<const float> given) {
  const auto room = static_cast<std::size_t>(sweep.shape.parameter_count());
  const std::size_t cells = Grid(sweep).cells();
  std::vector<float> models(given.begin(), given.end());
  std::string name = "initial";
  if (given.empty()) {
    if (sweep.init.from.empty()) return {};
    name = fmt::format("init.from: {}", sweep.init.from);
    const Results from = load_results(sweep.init.from);
    if (from.cells() != 1 && Grid(from.sweep).extents() != Grid(sweep).extents()) {
      throw InputError(fmt::format("{}: has {} cells; it must have the sweep's grid of {} cells, or one cell for all", name,
                                   from.cells(), cells));
    }
    for (std::size_t cell = 0; cell < cells; ++cell) {
      const Shape theirs = from.shape(from.cells() == 1 ? 0 : cell), ours = sweep.shape_of(cell);
      if (equal_parts(theirs, ours)) continue;
      throw InputError(fmt::format("{}: has models of {}, not of {}", name, name_of(theirs), name_of(ours)));
    }
    models = from.parameters;
  } else if (models.size() != room && models.size() != cells * room) {
    throw InputError(fmt::format("{}: has {} numbers; it must have {} for every one of the {} cells, or for one", name,
                                 models.size(), room, cells));
  } else if (models.size() == room && cells > 1 && has_shape_axes(sweep)) {
    throw InputError("initial: is one model, and the sweep's cells have models of different shapes; give one for every cell");
  }
  models.reserve(cells * room);
  while (models.size() < cells * room) {
    models.insert(models.end(), models.begin(), models.begin() + static_cast<std::ptrdiff_t>(room));
  }
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const Shape shape = sweep.shape_of(cell);
    const auto model = std::span(models).subspan(cell * room, static_cast<std::size_t>(shape.parameter_count()));
    if (!has_models(shape) || std::ranges::all_of(model, [](float a) { return std::isfinite(a); })) continue;
    throw InputError(fmt::format("{}: must have a model in every cell, of finite numbers", name));
  }
  return models;
}

}  // namespace phasegrid
