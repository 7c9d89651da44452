// What `phasegrid selftest` trains, and how it compares.
#pragma once

#include <string>
#include <vector>

#include "phasegrid/phasegrid.hpp"

namespace phasegrid {

// Short trainings of every compiled shape and of the corners of both mappings: ties, every expert active, more experts
// than lanes, load balance, snapshots, an evaluation, schedules, drop and stop, divergence, a sparsity a feature,
// trainings in two parts.
std::vector<Sweep> selftest_sweeps();

// A sweep of Keep::training_state, for half of its steps and then for the others.
Results trained_in_two_parts(const Sweep& sweep, const TrainOptions& options);

// Where the bits of two results of one sweep first differ: "" where they do not. NaN is NaN, whatever its bits.
std::string first_difference_in_bits(const Results& a, const Results& b);

}  // namespace phasegrid
