// The floor of the tiny mapping on a CPU: vector operations that a sample cannot do without.
#pragma once

#include "phasegrid/shape.hpp"
#include "phasegrid/train.hpp"

namespace phasegrid::bench {

// Vector instructions of one register full of samples, counted from kernels/ for k = 1 with load balance. Loads,
// stores, moves and the work once a step (reduction, AdamW) are left out: a floor leaves out what might be hidden.
struct Operations {
  double random = 0;   // Philox and the conversion of words to features
  double router = 0;   // scores, choice, softmax products, load-balance sums
  double expert = 0;   // looking weights up, h, z
  double backward = 0; // errors and the sums of their products
  double total() const { return random + router + expert + backward; }
};
Operations count_operations(const Shape& shape, InstructionSet set);

// Registers of samples a core can finish a second at best: operations over ports that take vector arithmetic.
int samples_per_register(InstructionSet set);
int vector_ports(InstructionSet set);

}  // namespace phasegrid::bench
