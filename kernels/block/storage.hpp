// The arena of one model, by name.
#pragma once

#include "layout.hpp"
#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Stages take it by value, and what they call by value too: a reference might be to what they store to, for all that a
// compiler knows, and everything would be read anew after every store.
struct BlockStorage {
  BlockLayout l;
  float* arena;
  float* states;  // [kOptimiserStates][parameter_floats]

  // Rows of expert e; BlockLayout says which row holds what.
  PG_INLINE float* parameter_row(int e, int row) const {
    return arena + l.parameters + (e * l.expert_rows + row) * l.n_padded;
  }
  PG_INLINE float* gradient_row(int e, int row) const {
    return arena + l.gradient + (e * l.expert_rows + row) * l.n_padded;
  }
  PG_INLINE float* x(int sample) const { return arena + l.x + sample * l.n_padded; }
  PG_INLINE float* row(int entry) const { return arena + l.rows + entry * l.n_padded; }
  PG_INLINE float* hidden(int entry) const { return arena + l.hidden + entry * l.m_padded; }
  PG_INLINE float* hidden_slope(int entry) const { return arena + l.hidden_slope + entry * l.m_padded; }
  // A dense model's tile, samples side by side: of feature f x and g = dL/dz (for the loss, the error), of hidden unit
  // j h and dL/dh.
  PG_INLINE float* feature(int f) const { return arena + l.x + f * l.stride; }
  PG_INLINE float* slope(int f) const { return arena + l.rows + f * l.stride; }
  PG_INLINE float* unit(int j) const { return arena + l.hidden + j * l.stride; }
  PG_INLINE float* unit_slope(int j) const { return arena + l.hidden_slope + j * l.stride; }

  PG_INLINE float* error(int sample) const { return arena + l.error + sample * l.n_padded; }
  PG_INLINE float* score(int e) const { return arena + l.score + e * l.tile; }
  PG_INLINE float* gate(int e) const { return arena + l.gate + e * l.tile; }
  PG_INLINE float* probability(int e) const { return arena + l.probability + e * l.tile; }
  PG_INLINE float* ordinal(int e) const { return arena + l.ordinal + e * l.tile; }
  PG_INLINE float* nonzero() const { return arena + l.nonzero; }
  PG_INLINE float* balance() const { return arena + l.balance; }
  PG_INLINE float* entry_gate() const { return arena + l.entry_gate; }
  PG_INLINE float* entry_slope() const { return arena + l.entry_slope; }
  PG_INLINE float* sample_loss() const { return arena + l.sample_loss; }
  PG_INLINE float* total(int i) const { return arena + l.totals + i * kLanes; }
  PG_INLINE int32_t* counts() const { return integers(l.counts); }
  PG_INLINE int32_t* first() const { return integers(l.first); }
  PG_INLINE int32_t* sample() const { return integers(l.sample); }
  PG_INLINE int32_t* slots(int sample) const { return integers(l.slots) + sample * l.k; }
  PG_INLINE uint32_t* stream() const { return reinterpret_cast<uint32_t*>(arena + l.stream); }

  // One number a feature, [n_padded] each.
  PG_INLINE int32_t* present_limit() const { return integers(l.features); }
  PG_INLINE float* scale() const { return arena + l.features + l.n_padded; }
  PG_INLINE float* offset() const { return arena + l.features + 2 * l.n_padded; }
  PG_INLINE float* importance() const { return arena + l.features + 3 * l.n_padded; }

 private:
  PG_INLINE int32_t* integers(int32_t offset) const { return reinterpret_cast<int32_t*>(arena + offset); }
};

}  // namespace phasegrid::PHASEGRID_MACHINE
