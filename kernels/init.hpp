// Initial parameters: Xavier normal taken over the 3-D tensor, std W = sqrt(2 / (m (n + E))), and
// std G = std b = sqrt(2 / (n + E)), as in the authors' model/model.py.
#pragma once

#include "job.hpp"
#include "math.hpp"
#include "philox.hpp"
#include "static_shape.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

template <class S>
PG_INLINE float initial_parameter(Key key, int p) {
  const auto block = philox<kRounds>(static_cast<uint32_t>(p), 0u, 0u, static_cast<uint32_t>(kStreamInit), key);
  const float per_sample = 2.0f / static_cast<float>(S::n + S::E);
  const float spread = square_root(p < S::kBias ? per_sample / static_cast<float>(S::m) : per_sample);
  return spread * normal_from(block.w[0]);
}

// A model's key: of its cell and its restart.
PG_INLINE Key model_key(const CellSettings& cell, int restart) {
  const auto block = philox<10>(static_cast<uint32_t>(restart), 0u, 0u, static_cast<uint32_t>(kStreamModelKey),
                                Key{cell.key[0], cell.key[1]});
  return {block.w[0], block.w[1]};
}

}  // namespace phasegrid::PHASEGRID_MACHINE
