// The training functions of a shape for an instruction set.
#pragma once

#include "phasegrid/train.hpp"
#include "tiny.hpp"

namespace phasegrid {

// `set` is not InstructionSet::automatic and is supported by this machine; is_tiny(shape).
TinyCpuKernels cpu_kernels(const Shape& shape, InstructionSet set);

}  // namespace phasegrid
