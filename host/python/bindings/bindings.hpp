// phasegrid._core, the compiled part of the Python package: sweeps, results and training as they are in C++. The
// package's Python modules give them their public face.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <vector>

#include "sweep/config_json.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::python {

namespace nb = nanobind;

using FloatArray = nb::ndarray<nb::numpy, const float>;
using DoubleArray = nb::ndarray<nb::numpy, const double>;
using IntArray = nb::ndarray<nb::numpy, const std::int32_t>;
// What callers hand over: float64 or float32, C-contiguous; nanobind converts what it is given.
using Doubles = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;

// An array that owns its numbers.
template <class T>
nb::ndarray<nb::numpy, const T> array_of(std::vector<T> numbers, std::vector<std::size_t> extents) {
  auto* owned = new std::vector<T>(std::move(numbers));
  const nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return {owned->data(), extents.size(), extents.data(), owner};
}

// Name -> (first parameter, extents) of each part of a model's parameters.
nb::dict parts_of(const Sweep& sweep);

void bind_sweep(nb::module_& module);
void bind_results(nb::module_& module);
void bind_metrics(nb::module_& module);
void bind_train(nb::module_& module);

}  // namespace phasegrid::python
