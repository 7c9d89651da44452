// Inputs of a cell's own law, for measures that need some.
#pragma once

#include <cstdint>
#include <vector>

#include "phasegrid/metrics.hpp"
#include "phasegrid/sweep.hpp"

namespace phasegrid {

// [samples][n], as draw_inputs() and draw_nonzero_inputs() give them; of another law than independent features in [0, 1)
// they are drawn as in training, always fresh ones. Throws InputError where there are no other inputs than zero.
std::vector<float> draw_cell_inputs(const Shape& shape, const Cell& cell, int samples, std::uint64_t seed, Inputs which);

// The fixed data set of a cell [data.samples][n], the very numbers that its models were trained on. Throws InputError
// where the cell has none, or features are not independent and uniform.
std::vector<float> draw_data_set(const Shape& shape, const Cell& cell);

}  // namespace phasegrid
