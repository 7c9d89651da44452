// What `phasegrid selftest` trains, and how it compares.
#pragma once

#include <string>
#include <vector>

#include "phasegrid/phasegrid.hpp"

namespace phasegrid {

// Short trainings of every compiled shape and of the corners of both mappings: ties, every expert active, more experts
// than lanes, load balance, snapshots, an evaluation, schedules, drop and stop, divergence, a sparsity a feature.
std::vector<Sweep> selftest_sweeps();

// Where the bits of two results of one sweep first differ: "" where they do not. NaN is NaN, whatever its bits.
std::string first_difference_in_bits(const Results& a, const Results& b);

}  // namespace phasegrid
