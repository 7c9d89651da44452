// Initial parameters: Xavier normal taken over the 3-D tensor, std W = std D = sqrt(2 / (m (n + E))), and
// std G = std b = sqrt(2 / (n + E)), as in the authors' model/model.py; normal of any spread; and the routers of paper
// section 5. A random number belongs to a parameter's position, so models that differ in their kind of router alone start
// with equal experts.
#pragma once

#include "job.hpp"
#include "math.hpp"
#include "phasegrid/architecture.hpp"
#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

PG_INLINE uint32_t initial_word(Key key, uint32_t kind, int position) {
  return philox<kRounds>(static_cast<uint32_t>(position), kind, 0u, static_cast<uint32_t>(kStreamInit), key).w[0];
}

// What parameter p is. Never a function of its own, as it would be in Architecture: the linker would keep one of those
// for all instruction sets.
PG_INLINE PartKind part_kind(const Shape& shape, int p) {
  const int decoder = shape.weight_count(), biases = decoder + shape.count(PartKind::decoder);
  return p < decoder ? PartKind::weights
         : p < biases ? PartKind::decoder
         : p < biases + shape.bias_count() ? PartKind::biases
                                           : PartKind::router;
}

// The part of a random partition of the features, n / E each, that a feature falls to: features are ranked by a random
// word each, equal words by position.
PG_INLINE int random_part(const Shape& shape, Key key, int feature) {
  const uint32_t mine = initial_word(key, 1u, feature);
  int rank = 0;
  PG_NO_UNROLL
  for (int f = 0; f < shape.n_features; ++f) {
    const uint32_t word = initial_word(key, 1u, f);
    rank += word < mine || (word == mine && f < feature) ? 1 : 0;
  }
  return rank / (shape.n_features / shape.n_experts);
}

PG_INLINE float initial_parameter(const Shape& shape, const CellSettings& cell, Key key, int p) {
  const int router = p - shape.router_offset();
  if (router >= 0 && cell.router_init != RouterInit::xavier) {
    const int e = router / shape.n_features, f = router % shape.n_features;
    if (cell.router_init == RouterInit::zero) return 0.0f;
    if (cell.router_init == RouterInit::diagonal) return e == f ? 1.0f : 0.0f;
    const bool ordered = cell.router_init == RouterInit::ordered_k_hot;
    const int part = ordered ? f / (shape.n_features / shape.n_experts) : random_part(shape, key, f);
    return e == part ? 1.0f : 0.0f;
  }
  const PartKind kind = part_kind(shape, p);
  if (kind == PartKind::biases && cell.bias_init == BiasInit::zero) return 0.0f;
  if (kind == PartKind::decoder && cell.decoder_init == DecoderInit::transpose) p -= shape.weight_count();
  const bool weights = kind == PartKind::weights || kind == PartKind::decoder;
  const float normal = normal_from(initial_word(key, 0u, p));
  if (weights && cell.weight_init == WeightInit::normal) return cell.weight_spread * normal;
  if (kind == PartKind::biases && cell.bias_init == BiasInit::normal) return cell.bias_spread * normal;
  const Part part = shape.part(kind);
  const float variance = 2.0f / static_cast<float>(part.fan_in + part.fan_out) / static_cast<float>(part.field);
  return square_root(variance) * normal;
}

// A model's key: of its cell and its restart.
PG_INLINE Key model_key(const CellSettings& cell, int restart) {
  const auto block = philox<10>(static_cast<uint32_t>(restart), 0u, 0u, static_cast<uint32_t>(kStreamModelKey),
                                Key{cell.key[0], cell.key[1]});
  return {block.w[0], block.w[1]};
}

}  // namespace phasegrid::PHASEGRID_MACHINE
