// Memory in which a CPU thread trains one model, as CpuProblem wants it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace phasegrid {

struct AlignedFree {
  void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
};
using Workspace = std::unique_ptr<float[], AlignedFree>;

// Room for so many floats, aligned to 64 bytes; what they hold is not set.
inline Workspace make_workspace(std::size_t floats) {
  return Workspace(
      static_cast<float*>(::operator new (std::max<std::size_t>(floats, 1) * sizeof(float), std::align_val_t{64})));
}

}  // namespace phasegrid
