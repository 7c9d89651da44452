#include "operations.hpp"

namespace phasegrid::bench {

// Philox4x32-7 with the call, step and stream words shared by all lanes (kernels/philox.hpp), in the layout of 64-bit
// slots (kernels/machine/), for one block of four words in every lane of two registers of slots. Per round at most two
// products, two shifts and two exclusive ors a register; what depends on shared words alone is scalar:
//   round 1: xor                        round 3: product, shift, two xors
//   round 2: product, shift, xor        rounds 4-6: two products, two shifts, two xors
//   round 7: two products, then packing (four halves) and two xors on packed words
// AVX-512 has a three-way xor; without it each exclusive or of two lane words and a key takes two.
namespace {
double philox_per_block(bool three_way_xor) {
  const double lane_xors = three_way_xor ? 1 : 2;
  const double wide = (1) + (1 + 1 + 1) + (1 + 1 + lane_xors + 1) + 3 * (2 + 2 + 2 * lane_xors) + 2;
  const double pack = three_way_xor ? 1 : 2;       // a masked shuffle, or shift and blend
  return 2 * wide + (4 + 2) * pack + 2 * lane_xors;  // the xors' other operands are packed too
}
}  // namespace

Operations count_operations(const Shape& shape, InstructionSet set) {
  const bool avx512 = set == InstructionSet::avx512;
  const double n = shape.n_features, m = shape.n_hidden, E = shape.n_experts, pairs = E * (E - 1) / 2;
  const double mask = avx512 ? 0 : 1;  // AVX-512 masks an operation for nothing; AVX2 needs an and
  Operations count;
  // Compare, convert, fused multiply-add (masked) for each feature.
  count.random = n / 4 * philox_per_block(avx512) + n * (3 + 2 * mask);
  if (shape.n_experts > 1) {
    const double scores = (E - 1) * n;
    const double choice = (E - 1) * 2 + (E > 2 ? E : 1);
    const double exponential = 12;
    const double softmax = E == 2 ? 1 + exponential + 1 + 7 + 2 : E * (1 + exponential) + (E - 1) + 7 + E + pairs;
    const double sums = pairs * n + (E - 1) * (1 + mask);
    count.router = scores + choice + softmax + sums;
    count.expert = (E - 1) * (n * m + n);
  }
  count.expert += 2 * n * m;
  count.backward = n * (2 + mask) + E * n * (1 + n) + (E > 1 ? E * n * mask : 0);
  return count;
}

int samples_per_register(InstructionSet set) {
  return set == InstructionSet::avx512 ? 16 : set == InstructionSet::avx2 ? 8 : 4;
}
// Intel cores since Skylake: two ports take 512-bit arithmetic, three take 256-bit (but two of them products and fma).
int vector_ports(InstructionSet set) { return set == InstructionSet::avx512 ? 2 : 3; }

}  // namespace phasegrid::bench
