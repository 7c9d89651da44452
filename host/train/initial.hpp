// The models that a training starts at, where it does not start at random ones.
#pragma once

#include <span>
#include <vector>

#include "phasegrid/results.hpp"

namespace phasegrid {

// Parameters [cells][P] (results.hpp) that the models of a sweep start at: those that the caller gives, [1 or
// cells][P], or the kept models of its file init.from; empty where it names none. Throws InputError where
// they are of other models, of another grid, or not all there.
std::vector<float> initial_models(const Sweep& sweep, std::span<const float> given);

}  // namespace phasegrid
