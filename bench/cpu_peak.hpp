// The peak rate of FP32 fused multiply-adds of this machine's cores, measured: on a shared machine it moves.
#pragma once

#include "phasegrid/train.hpp"

namespace phasegrid::bench {

// Fused multiply-adds a second of so many threads at once. `set` is avx512 or avx2.
double measure_peak(InstructionSet set, int threads);

}  // namespace phasegrid::bench
