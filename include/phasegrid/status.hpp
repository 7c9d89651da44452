// How a model's training ended.
#pragma once

#include <cstdint>

namespace phasegrid {

// status of a model: trained to the end, or not trained yet (also where a stop came first); a positive value is the
// step (from 1) at which its loss stopped being finite.
constexpr std::int32_t kTrained = 0;
constexpr std::int32_t kNotTrained = -1;
// There is no such model: of a cell whose axes make top_k larger than n_experts.
constexpr std::int32_t kNoModel = -2;

}  // namespace phasegrid
