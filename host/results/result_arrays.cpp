#include "result_arrays.hpp"

#include <algorithm>
#include <limits>

#include "sweep/shapes.hpp"

namespace phasegrid {

std::size_t ResultArray::rows(const Sweep& sweep) const {
  return of == Of::model ? static_cast<std::size_t>(sweep.restarts) : 1;
}

std::size_t ResultArray::elements(const Sweep& sweep) const {
  const Keep keep = sweep.train.keep;
  const bool there = given == Given::with_every_restart ? keeps_all(keep) : given != Given::with_moments || keeps_moments(keep);
  return !there ? 0 : given == Given::each_snapshot ? sweep.train.snapshots.size() : 1;
}

std::size_t ResultArray::width(const Sweep& sweep) const {
  return elements(sweep) * (parameters ? static_cast<std::size_t>(sweep.shape.parameter_count()) : 1);
}

std::span<std::byte> ResultArray::bytes(Results& results) const {
  if (floats != nullptr) return std::as_writable_bytes(std::span(results.*floats));
  return std::as_writable_bytes(std::span(results.*integers));
}
std::span<const std::byte> ResultArray::bytes(const Results& results) const {
  if (floats != nullptr) return std::as_bytes(std::span(results.*floats));
  return std::as_bytes(std::span(results.*integers));
}

void clear_cells(Results& results, std::size_t first, std::size_t cells) {
  const Sweep& sweep = results.sweep;
  for (const ResultArray& array : kResultArrays) {
    const std::size_t numbers = cells * array.cell_numbers(sweep);
    if (array.floats != nullptr) {
      (results.*array.floats).assign(numbers, std::numeric_limits<float>::quiet_NaN());
    } else {
      (results.*array.integers).assign(numbers, -1);  // none kept, kNotTrained
    }
  }
  static_assert(kNotTrained == -1);
  if (!has_shape_axes(sweep)) return;
  const auto restarts = static_cast<std::size_t>(sweep.restarts);
  for (std::size_t cell = 0; cell < cells; ++cell) {
    if (has_models(sweep.shape_of(first + cell))) continue;
    std::ranges::fill(std::span(results.status).subspan(cell * restarts, restarts), kNoModel);
  }
}

}  // namespace phasegrid
