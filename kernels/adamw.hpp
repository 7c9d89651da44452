// AdamW (Loshchilov and Hutter, 2019), in the order of PyTorch's: decay the parameter, update both moments, step.
#pragma once

#include "job.hpp"
#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

PG_INLINE void adamw(const CellSettings& cell, BiasCorrection correction, Floats gradient, Floats& parameter,
                     Floats& first, Floats& second) {
  // A moment that no gradient feeds any more decays for ever; it is cut off where it can no longer be felt, before it
  // becomes subnormal, which CPUs are slow at. (epsilon is 1e-8, so a first moment of 1e-30 moves nothing.)
  first = fma(Floats(kBeta1), first, Floats(kOneLessBeta1) * gradient);
  first = select(both(greater(Floats(1e-30f), first), greater(first, Floats(-1e-30f))), Floats(0.0f), first);
  second = fma(Floats(kBeta2), second, (Floats(kOneLessBeta2) * gradient) * gradient);
  second = select(greater(Floats(1e-36f), second), Floats(0.0f), second);
  const Floats denominator = fma(square_root(second), Floats(correction.second), Floats(kEpsilon));
  const Floats rate = Floats(0.0f) - Floats(cell.learning_rate * correction.first);
  parameter = fma(rate, first / denominator, parameter * Floats(cell.decay));
}

}  // namespace phasegrid::PHASEGRID_MACHINE
