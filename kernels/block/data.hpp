// A tile of inputs, the same numbers as in the tiny mapping (data.hpp): the words of a lane's samples follow each other
// without gaps, word i of a lane being word i % 4 of Philox block i / 4.
#pragma once

#include "batch.hpp"
#include "block/storage.hpp"
#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Sample r * 32 + l of the tile is lane l's sample of row first_row + r.
PG_STAGE void draw_tile(const BlockStorage& s, const Batch& batch, int first_row, int rows, BlockTeam team) {
  const int n = s.l.n;
  const int words = rows * n;
  const uint32_t first_call = static_cast<uint32_t>(first_row) * static_cast<uint32_t>(n) / 4u;
#if PHASEGRID_LANES_AHEAD == 0
  // A thread makes one block of four words, and neighbouring threads neighbouring features.
  const int calls = (words + 3) / 4;
  PG_NO_UNROLL
  for (int i = team.thread(); i < kLanes * calls; i += team.threads()) {
    const int lane = i / calls, call = i % calls;
    const auto block = philox<kRounds>(first_call + static_cast<uint32_t>(call), static_cast<uint32_t>(lane),
                                       batch.step, batch.stream, batch.key);
    PG_UNROLL
    for (int word = 0; word < 4; ++word) {
      const int position = 4 * call + word;
      const int row = position / n, f = position % n;
      if (row >= rows) break;
      const Mask present = at_most(block.w[word], s.present_limit()[f]);
      s.x(row * kLanes + lane)[f] = keep(present, fma(to_float(block.w[word]), s.scale()[f], s.offset()[f]));
    }
  }
#else
  // A register holds a word of so many calls of one lane. They are put in order first, then cut into rows.
  PG_NO_UNROLL
  for (int lane = 0; lane < kLanes; ++lane) {
    PG_NO_UNROLL
    for (int call = 0; call * 4 < words; call += kWidth) {
      const Block<Words> block = philox<kRounds>(call_numbers(first_call + static_cast<uint32_t>(call)),
                                                 static_cast<uint32_t>(lane), batch.step, batch.stream, batch.key);
      store_calls(s.stream() + 4 * call, block.w);
    }
    PG_NO_UNROLL
    for (int row = 0; row < rows; ++row) {
      float* x = s.x(row * kLanes + lane);
      const uint32_t* word = s.stream() + row * n;
      PG_NO_UNROLL
      for (int f = 0; f < n; f += kWidth) {
        const Words w = load_words(word + f);
        const Mask present = at_most(w, load_words(s.present_limit() + f));
        store(x + f, keep(present, fma(to_float(w), load(s.scale() + f), load(s.offset() + f))));
      }
    }
  }
#endif
  team.barrier();
}

}  // namespace phasegrid::PHASEGRID_MACHINE
