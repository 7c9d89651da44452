// The training functions of a shape for an instruction set.
#pragma once

#include "block/block.hpp"
#include "phasegrid/train.hpp"
#include "tiny/tiny.hpp"

namespace phasegrid {

// `set` is not InstructionSet::automatic and is supported by this machine; serves_tiny(shape).
TinyCpuKernels cpu_kernels(const Shape& shape, InstructionSet set);

// Those of the block mapping, for any shape.
BlockCpuKernels block_cpu_kernels(InstructionSet set);

}  // namespace phasegrid
