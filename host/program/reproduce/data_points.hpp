// Fixed data sets as their models see them: every sample in the hidden plane.
#pragma once

#include <string>

#include "phasegrid/phasegrid.hpp"

namespace phasegrid::reproduce {

// Writes, for the kept dense model of every cell of `results`, points (cells.., samples, m): W^T x of each sample of
// the cell's data set, and training_losses (cells..): the reconstruction loss on that set. Throws InputError where a
// cell has no fixed data set, or the path cannot be written.
void save_data_points(const Results& results, const std::string& path);

}  // namespace phasegrid::reproduce
