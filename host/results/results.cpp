#include "phasegrid/results.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "phasegrid/error.hpp"
#include "result_arrays.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid {

Results::Results(const Sweep& given) : sweep(with_largest_shape(given)) { clear_cells(*this, 0, Grid(sweep).cells()); }

std::int64_t Results::models_done() const {
  return std::ranges::count_if(status, [](std::int32_t of_model) { return of_model >= kTrained; });
}
std::int64_t Results::models_total() const { return std::ssize(status) - std::ranges::count(status, kNoModel); }
bool Results::complete() const { return models_done() == models_total(); }

namespace {
std::span<const float> part_of(const Results& results, std::size_t cell, PartKind kind) {
  const Shape shape = results.shape(cell);
  if (shape.count(kind) == 0) return {};
  const Part part = shape.part(kind);
  const auto stride = static_cast<std::size_t>(results.sweep.shape.parameter_count());
  return std::span(results.parameters)
      .subspan(cell * stride + static_cast<std::size_t>(part.offset), static_cast<std::size_t>(part.size()));
}
}  // namespace

std::span<const float> Results::expert_weights(std::size_t cell) const {
  return part_of(*this, cell, PartKind::weights);
}
std::span<const float> Results::biases(std::size_t cell) const {
  return part_of(*this, cell, PartKind::biases);
}
std::span<const float> Results::router_weights(std::size_t cell) const {
  return part_of(*this, cell, PartKind::router);
}

std::span<const float> Results::snapshot(std::size_t cell, std::size_t t) const {
  const auto room = static_cast<std::size_t>(sweep.shape.parameter_count());
  const auto size = static_cast<std::size_t>(shape(cell).parameter_count());
  return std::span(snapshot_parameters).subspan((cell * sweep.train.snapshots.size() + t) * room, size);
}

void Results::take(std::size_t cell, int restart, Losses losses, std::int32_t model_status,
                   std::span<const float> model, std::span<const Losses> shot_losses,
                   std::span<const float> snapshots, std::span<const float> moments) {
  const auto room = static_cast<std::size_t>(sweep.shape.parameter_count());
  const std::size_t shots = sweep.train.snapshots.size();
  const Shape own = cell < cells() ? shape(cell) : sweep.shape;
  const auto size = static_cast<std::size_t>(own.parameter_count());
  if (cell >= cells() || restart < 0 || restart >= sweep.restarts || !has_models(own) || model.size() != size ||
      shot_losses.size() != shots || snapshots.size() != shots * size ||
      moments.size() != (keeps_moments(sweep.train.keep) ? 2 * size : 0)) {
    throw InputError("Results::take: cell, restart or sizes are not those of a model of this sweep");
  }
  const std::size_t index = cell * static_cast<std::size_t>(sweep.restarts) + static_cast<std::size_t>(restart);
  // Machines' NaNs differ in their bits; here they are one.
  for (float* each : {&losses.training, &losses.reconstruction}) {
    if (std::isnan(*each)) *each = std::numeric_limits<float>::quiet_NaN();
  }
  const float loss = losses.training;
  all_losses[index] = loss;
  all_reconstruction_losses[index] = losses.reconstruction;
  status[index] = model_status;
  for (std::size_t t = 0; t < shots; ++t) {
    snapshot_losses[index * shots + t] = shot_losses[t].training;
    snapshot_reconstruction_losses[index * shots + t] = shot_losses[t].reconstruction;
  }
  if (model_status != kTrained || !std::isfinite(loss)) return;
  const auto place = static_cast<std::ptrdiff_t>(index * room);
  if (keeps_all(sweep.train.keep)) std::ranges::copy(model, all_parameters.begin() + place);
  if (keeps_moments(sweep.train.keep)) {
    std::ranges::copy(moments.first(size), first_moments.begin() + place);
    std::ranges::copy(moments.last(size), second_moments.begin() + place);
  }
  const bool first = kept[cell] < 0;
  const bool better = first || loss < final_losses[cell] || (loss == final_losses[cell] && restart < kept[cell]);
  if (!better) return;
  kept[cell] = restart;
  final_losses[cell] = loss;
  reconstruction_losses[cell] = losses.reconstruction;
  std::ranges::copy(model, parameters.begin() + static_cast<std::ptrdiff_t>(cell * room));
  for (std::size_t t = 0; t < shots; ++t) {
    std::ranges::copy(snapshots.subspan(t * size, size),
                      snapshot_parameters.begin() + static_cast<std::ptrdiff_t>((cell * shots + t) * room));
  }
}

}  // namespace phasegrid
