// What the rounding residue of automatic differentiation does to a router.
#pragma once

#include <cstdint>

#include "phasegrid/phasegrid.hpp"

namespace phasegrid::reproduce {

// With k = 1 the gate is P / P. Its derivative is zero, and our kernels have it so. Automatic differentiation in
// float32 computes it as g / P - g (P / P) / P (PyTorch's formula for a quotient), of which rounding leaves about 1e-7
// g, and AdamW turns gradients of that size into steps. What ties an all-zero router breaks in which way is decided by
// it.
struct ResidueRun {
  ConstructedModel model;
  double loss = 0;  // of the last batch
};

// Trains the single model of a checked sweep's first cell with `seed`, plainly and in float32: k = 1, uniform
// importance, loss sum, zero biases, no load balance, and a zero, diagonal or Xavier router. With `residue` its router
// gets that gradient; without, none. Our own random numbers: not the bits of train(), but models of the same
// distribution. Throws std::invalid_argument for other settings.
ResidueRun train_with_residue(const Sweep& sweep, std::uint64_t seed, bool residue);

}  // namespace phasegrid::reproduce
