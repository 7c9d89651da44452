// How a model's training ended.
#pragma once

#include <cstdint>

namespace phasegrid {

// status of a model: trained to the end, or not trained yet (also where a stop came first); a positive value is the
// step (from 1) at which its loss stopped being finite.
constexpr std::int32_t kTrained = 0;
constexpr std::int32_t kNotTrained = -1;

}  // namespace phasegrid
