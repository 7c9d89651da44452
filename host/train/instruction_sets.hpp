// The training functions of a shape for an instruction set.
#pragma once

#include "common/cpu_kernels.hpp"
#include "phasegrid/train.hpp"
#include "tiny/tiny.hpp"

namespace phasegrid {

// Those of the tiny mapping. `set` is not InstructionSet::automatic and is supported by this machine; serves_tiny(shape).
CpuKernels tiny_kernels(const Shape& shape, InstructionSet set);

// Those of the block mapping, for any shape.
CpuKernels block_kernels(InstructionSet set);

// Batch `batch` of so many fresh inputs [samples][n] of a cell of any data law, features [n], under the cell's key.
void draw_general_inputs(const CellSettings& cell, const FeatureSettings* features, int n, int batch, int samples,
                         float* inputs);

}  // namespace phasegrid
