// Sweeps whose axes change the models' shape: the shape of a cell, the largest of all, and the parts of one shape.
//
// Arrays of results have room for the largest shape in every cell. In memory a model lies at the beginning of its room, as
// its own shape lays it out, with NaN behind it. In files, C and Python each kind of parameters is one array of the
// largest shape's extents, with NaN where a cell has no such expert or hidden unit.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phasegrid/sweep.hpp"

namespace phasegrid {

bool has_shape_axes(const Sweep& sweep);

// The sweep with the most of n_hidden, n_experts and top_k that a cell has as its own shape.
Sweep with_largest_shape(Sweep sweep);

// Whether there are such models: of k <= E.
constexpr bool has_models(const Shape& shape) { return shape.top_k <= shape.n_experts; }

// How many shapes a sweep may have: each is trained by a kernel launch of its own.
constexpr std::size_t kMostShapes = 1024;
// How many there are (at most one more than that), and how many cells the axes of a checked sweep make: in all, and with
// models.
std::size_t count_shapes(const Sweep& sweep);
std::size_t count_cells(const Sweep& sweep);
std::size_t count_cells_with_models(const Sweep& sweep);

// Every shape of a sweep's cells, each once; of sweeps without shape axes their own.
std::vector<Shape> shapes_of(const Sweep& sweep);

// A part of a sweep, of one shape, as a sweep of its own; `cells` names its cells among those of the whole, in order.
struct SweepPart {
  Sweep sweep;
  std::vector<std::size_t> cells;  // empty: the part is the whole
};
// Those of which there are models.
std::vector<SweepPart> parts_of_one_shape(const Sweep& sweep);

// Models [cells][each][room] of a checked sweep with its largest shape, `each` of them a cell and the cells from `first`
// on, as files have them; and the reverse.
std::vector<float> spread_out(const Sweep& sweep, std::span<const float> models, std::size_t each, std::size_t first = 0);
void gather(const Sweep& sweep, std::span<float> models, std::size_t each, std::size_t first = 0);

}  // namespace phasegrid
