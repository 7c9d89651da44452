// How many lanes there are, on every machine.
#pragma once

namespace phasegrid {
// Sums over a batch run in 32 lanes, then over one tree, whatever the hardware's width (design P4).
constexpr int kLanes = 32;
}  // namespace phasegrid
