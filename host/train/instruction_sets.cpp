#include "instruction_sets.hpp"

#include <stdexcept>

namespace phasegrid {

// Each compiled from kernels/tiny/tiny_cpu.cpp, the others from kernels/block/block_cpu.cpp.
#define PHASEGRID_DECLARE(machine)                                                                                  \
  namespace machine {                                                                                               \
  template <int n>                                                                                                  \
  CpuKernels find(const Shape& shape);                                                                              \
  CpuKernels block_kernels();                                                                                       \
  void draw_inputs(const CellSettings& cell, const FeatureSettings* features, int n, int batch, int samples,       \
                   float* inputs);                                                                                  \
  }
PHASEGRID_DECLARE(baseline)
PHASEGRID_DECLARE(avx2)
PHASEGRID_DECLARE(avx512)
#undef PHASEGRID_DECLARE

std::string_view to_string(InstructionSet set) {
  switch (set) {
    case InstructionSet::automatic:
      return "auto";
    case InstructionSet::baseline:
      return "baseline";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
  }
  return "?";
}

// In the build (CMake's PHASEGRID_MACHINES; the baseline always is) and in this CPU.
bool is_supported(InstructionSet set) {
  switch (set) {
    case InstructionSet::automatic:
    case InstructionSet::baseline:
      return true;
    case InstructionSet::avx2:
      return PHASEGRID_WITH_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::avx512:
      return PHASEGRID_WITH_AVX512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  }
  return false;
}

InstructionSet best_instruction_set() {
  if (is_supported(InstructionSet::avx512)) return InstructionSet::avx512;
  if (is_supported(InstructionSet::avx2)) return InstructionSet::avx2;
  return InstructionSet::baseline;
}

namespace {
template <int n>
CpuKernels find_for_features(const Shape& shape, InstructionSet set) {
  if constexpr (PHASEGRID_WITH_AVX512) {
    if (set == InstructionSet::avx512) return avx512::find<n>(shape);
  }
  if constexpr (PHASEGRID_WITH_AVX2) {
    if (set == InstructionSet::avx2) return avx2::find<n>(shape);
  }
  return baseline::find<n>(shape);
}
}  // namespace

CpuKernels tiny_kernels(const Shape& shape, InstructionSet set) {
  CpuKernels found;
  visit_number<kMaxTinyFeatures>(shape.n_features,
                                 [&](auto n) { found = find_for_features<decltype(n)::value>(shape, set); });
  if (found.train == nullptr) throw std::logic_error("no tiny kernel for this shape; mapping_of() comes first");
  return found;
}

CpuKernels block_kernels(InstructionSet set) {
  if constexpr (PHASEGRID_WITH_AVX512) {
    if (set == InstructionSet::avx512) return avx512::block_kernels();
  }
  if constexpr (PHASEGRID_WITH_AVX2) {
    if (set == InstructionSet::avx2) return avx2::block_kernels();
  }
  return baseline::block_kernels();
}

void draw_general_inputs(const CellSettings& cell, const FeatureSettings* features, int n, int batch, int samples,
                         float* inputs) {
  baseline::draw_inputs(cell, features, n, batch, samples, inputs);
}

}  // namespace phasegrid
