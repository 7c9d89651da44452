// Where everything of one model of the block mapping lies: one arena of floats, a thread's heap on the CPU or a block's
// shared memory on a GPU. Planned on the host, read by the kernel.
#pragma once

#include <stdint.h>

#include "common/draws.hpp"
#include "machine/lanes.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid {

// An entry is one sample at one of its k active experts; a tile of T samples has up to T k of them, ordered by expert.
// Rows of features are padded to whole registers (n_padded columns), and the padding is 0.
struct BlockLayout {
  int32_t n, m, E, k;
  int32_t n_padded;
  int32_t m_padded;     // hidden units of an entry, a multiple of 4
  int32_t expert_rows;  // rows of one expert's parameters: m columns of W, those of D, the bias, the router
  int32_t decoder;      // the first row of D; 0 where weights are tied, and D is W
  int32_t tile;         // T, a multiple of 32
  int32_t stride;       // of a dense model (E = 1): from a feature's or hidden unit's T samples to the next one's

  // Offsets into the arena, in floats (4 bytes each, some of them integers).
  int32_t parameters;    // [E][expert_rows][n_padded]
  int32_t gradient;      // the same
  int32_t features;      // [4][n_padded]: present_limit, scale, offset, importance
  int32_t x;             // [T][n_padded] inputs; dense [n to a multiple of 4][stride], as the next
  int32_t rows;          // [T k][n_padded] of an entry: its output z before the activation, then g = dL/dz
  int32_t hidden;        // [T k][m_padded] h = W^T x; dense [m_padded][stride], as the next
  int32_t hidden_slope;  // [T k][m_padded] dL/dh = W^T g
  int32_t error;         // [T][n_padded] x' - x, k > 1
  int32_t nonzero;       // [T] 1 where a sample's input is not all zero, with a load balance; else anything
  int32_t score;         // [E][T], E > 1, as all up to `sample` but for balance
  int32_t gate;          // [E][T], 0 where not active
  int32_t ordinal;       // [E][T] how many experts before e are active, k > 1
  int32_t probability;   // [E][T] softmax of all experts, with a load balance; then its part of dL/dscore
  int32_t balance;       // [E] what the load balance adds to dL/dP of each sample
  int32_t counts;        // [E] integers: entries of each expert in the tile
  int32_t first;         // [E + 1] integers: first entry of each expert
  int32_t sample;        // [T k] integers: sample of an entry
  int32_t entry_gate;    // [T k], k > 1, as the next two
  int32_t entry_slope;   // [T k] dL/dgate, then dL/dscore
  int32_t slots;         // [T][k] integers: entries of a sample by rising expert
  int32_t sample_loss;   // [T]
  int32_t totals;        // [1 + 2 E][32]: lanes of the batch's loss, probabilities and counts
  int32_t stream;        // [tile / 32 * n_padded + 64] random words of one lane, CPU only
  int32_t size;          // of the arena

  // Rows of one expert's parameters. A model without biases has their row too: it stays 0.
  constexpr bool tied() const { return decoder == 0; }
  constexpr int32_t encoder_row(int32_t unit) const { return unit; }
  constexpr int32_t decoder_row(int32_t unit) const { return decoder + unit; }
  constexpr int32_t bias_row() const { return decoder + m; }
  constexpr int32_t router_row() const { return bias_row() + 1; }

  int32_t parameter_floats;  // E expert_rows n_padded; the optimiser's states, as many floats each, lie elsewhere
};

constexpr int32_t round_up(int32_t a, int32_t to) { return (a + to - 1) / to * to; }

// A dense model's gradient is summed over a tile's samples before it is added up, so the tile is part of the order of
// sums: fixed by the model's shape (dense_tile), the same on every machine.
constexpr int kDenseTile = 128;

// The smallest tile that holds a batch, or, where that is more than `most` (a draw or more), the largest that is not.
constexpr int32_t tile_of_batch(int n, int batch, int most) {
  const int32_t unit = kLanes * samples_per_draw(n);
  return batch < most / unit * unit ? round_up(batch, unit) : most / unit * unit;
}

// `pad`: columns of the widest register, 16 on a CPU and 32 (a warp's) on a GPU. `streams`: the CPU's (tile_inputs.hpp).
inline BlockLayout block_layout(const Shape& shape, int tile, bool load_balance, int pad, bool streams) {
  BlockLayout l{};
  l.n = shape.n_features;
  l.m = shape.n_hidden;
  l.E = shape.n_experts;
  l.k = shape.top_k;
  l.n_padded = round_up(l.n, pad);
  l.m_padded = round_up(l.m, 4);
  l.decoder = shape.tied ? 0 : l.m;
  l.expert_rows = l.router_row() + 1;
  l.tile = tile;
  l.parameter_floats = l.E * l.expert_rows * l.n_padded;
  int32_t at = 0;
  auto take = [&at](int32_t& offset, int32_t floats) {
    offset = at;
    at += round_up(floats, 16);  // aligned to a cache line
  };
  const bool routed = l.E > 1, several = l.k > 1;
  take(l.parameters, l.parameter_floats);
  take(l.gradient, l.parameter_floats);
  take(l.features, 4 * l.n_padded);
  if (l.E == 1) {
    // On a CPU rows that lie a power of two apart would share few sets of its caches.
    l.stride = streams ? tile + pad : tile;
    take(l.x, round_up(l.n, 4) * l.stride);
    take(l.rows, round_up(l.n, 4) * l.stride);
    take(l.hidden, l.m_padded * l.stride);
    take(l.hidden_slope, l.m_padded * l.stride);
  } else {
    take(l.x, tile * l.n_padded);
    take(l.rows, tile * l.k * l.n_padded);
    take(l.hidden, tile * l.k * l.m_padded);
    take(l.hidden_slope, tile * l.k * l.m_padded);
  }
  take(l.error, several ? tile * l.n_padded : 0);
  take(l.nonzero, routed && load_balance ? tile : 0);
  take(l.score, routed ? l.E * tile : 0);
  take(l.gate, routed ? l.E * tile : 0);
  take(l.ordinal, several ? l.E * tile : 0);
  take(l.probability, routed && load_balance ? l.E * tile : 0);
  take(l.balance, l.E);
  take(l.counts, routed ? l.E : 0);
  take(l.first, routed ? l.E + 1 : 0);
  take(l.sample, routed ? tile * l.k : 0);
  take(l.entry_gate, several ? tile * l.k : 0);
  take(l.entry_slope, several ? tile * l.k : 0);
  take(l.slots, several ? tile * l.k : 0);
  take(l.sample_loss, tile);
  take(l.totals, (1 + 2 * l.E) * kLanes);
  take(l.stream, streams && routed ? tile / kLanes * l.n_padded + 64 : 0);
  l.size = at;
  return l;
}

// Shared memory of a block that the tile of a dense model is made for: an A100's (163 KiB), less what a kernel has of
// its own. A GPU with less has no room for the largest models.
constexpr int32_t kDenseArenaBytes = 162 * 1024;

// The tile of a dense model of a batch: of kDenseTile samples, or, where so many do not fit kDenseArenaBytes, of the most
// that do. Where none does, a GPU has the model in device memory, and the tile is a full one.
inline int32_t dense_tile(const Shape& shape, int batch) {
  const int32_t unit = kLanes * samples_per_draw(shape.n_features);
  int32_t most = kDenseTile;
  const auto fits = [&](int32_t tile) {
    return block_layout(shape, tile, false, kLanes, false).size <= kDenseArenaBytes / 4;
  };
  while (most > unit && !fits(most)) most -= unit;
  return tile_of_batch(shape.n_features, batch, fits(most) ? most : kDenseTile);
}

}  // namespace phasegrid
