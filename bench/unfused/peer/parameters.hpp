// Parameters of many models between phasegrid's order (Shape) and the peer's, and random ones to start from.
#pragma once

#include <cstdint>
#include <vector>

#include "arrays.hpp"

namespace phasegrid::unfused {

// [models][parameter_count] as Shape orders them, to [experts][m + 1][n] and [experts][n], and back.
std::vector<float> to_peer(const Shape& shape, int models, const std::vector<float>& parameters);
std::vector<float> from_peer(const Shape& shape, int models, const std::vector<float>& parameters);

// Xavier normal as the paper's authors take it (kernels/common/init.hpp says it in full), in Shape's order.
std::vector<float> xavier(const Shape& shape, int models, std::uint64_t seed);

}  // namespace phasegrid::unfused
