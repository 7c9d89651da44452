// A tile of inputs, the same numbers as in the tiny mapping (common/inputs.hpp). Sample r * 32 + l of a tile is lane l's
// sample of row first_row + r.
#pragma once

#include "common/inputs.hpp"
#include "storage.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// body(first, samples): every tile of the batch, until a stop is asked for (samples_between_looks). Every thread hears of
// it at the same tile.
template <class Body>
PG_INLINE void for_each_tile_of(const BlockStorage& s, const Batch& batch, BlockTeam team, Body&& body) {
  const int between = samples_between_looks(s.l.E * s.l.expert_rows * s.l.n);
  int next_look = between;
  PG_NO_UNROLL
  for (int first = 0; first < batch.samples; first += s.l.tile) {
    if (first >= next_look) {
      if (team.any(stop_asked(batch))) return;
      next_look = first + between;
    }
    const int left = batch.samples - first;
    body(first, left < s.l.tile ? left : s.l.tile);
  }
}

// The Philox block that a tile begins with: it begins with a whole one (samples_per_draw).
PG_INLINE uint32_t first_call_of(const BlockStorage& s, int first_row) {
  return static_cast<uint32_t>(first_row) * static_cast<uint32_t>(words_per_sample(s.l.n)) / 4u;
}

// Row and feature of a word. A worker's next words are always as far: one division, before the loop, says how far.
struct WordPlace {
  int row, feature;
  PG_INLINE static WordPlace of(int word, int n) { return {word / n, word % n}; }
  PG_INLINE void advance(WordPlace by, int n) {
    row += by.row;
    feature += by.feature;
    if (feature >= n) feature -= n, ++row;
  }
};

// The same of a general law: a worker makes whole samples, a row of 32 at a time. to(f, row) is where lane 0's goes, and
// lanes lie `stride` numbers apart.
template <class To>
PG_STAGE void draw_general_tile(BlockStorage s, Batch batch, int first_row, int rows, BlockTeam team, int stride, To to) {
  PG_NO_UNROLL
  for (int row = team.worker(); row < rows; row += team.workers()) {
    team.for_each_group([&](int lane) PG_INLINE_LAMBDA {
      draw_general(
          batch, s.l.n, first_row + row, lane, [&](int f) PG_INLINE_LAMBDA { return s.present_limit()[f]; },
          [&](int f) PG_INLINE_LAMBDA { return Floats(s.scale()[f]); },
          [&](int f) PG_INLINE_LAMBDA { return Floats(s.offset()[f]); },
          [&](int f, Floats x) PG_INLINE_LAMBDA {
            float* place = to(f, row) + lane * stride;
            if (stride == 1) {
              store(place, x);
            } else {
              float lanes[kWidth];
              store(lanes, x);
              PG_UNROLL
              for (int l = 0; l < kWidth; ++l) place[l * stride] = lanes[l];
            }
          });
    });
  }
  team.barrier();
}

// For a dense model, feature by feature. A worker makes a block of four words for all lanes. Rows of a batch's last tile
// may end within a block: what is left of its words goes to the row after them, which the tile has and nothing reads.
PG_STAGE void draw_columns(BlockStorage s, Batch batch, int first_row, int rows, BlockTeam team) {
  if (is_general(batch)) {
    draw_general_tile(s, batch, first_row, rows, team, 1,
                      [=](int f, int row) PG_INLINE_LAMBDA { return s.feature(f) + row * kLanes; });
    return;
  }
  const int n = s.l.n, calls = (rows * n + 3) / 4;
  const uint32_t first_call = first_call_of(s, first_row);
  WordPlace first = WordPlace::of(4 * team.worker(), n);
  const WordPlace one{1 / n, 1 % n}, step = WordPlace::of(4 * team.workers(), n);
  PG_NO_UNROLL
  for (int call = team.worker(); call < calls; call += team.workers()) {
    float* to[4];
    int f[4];
    WordPlace place = first;
    PG_UNROLL
    for (int i = 0; i < 4; ++i) {
      f[i] = place.feature;
      to[i] = s.feature(place.feature) + place.row * kLanes;
      place.advance(one, n);
    }
    team.for_each_group([&](int lane) PG_INLINE_LAMBDA {
      const Block<Words> block =
          draw_words(batch, first_call + static_cast<uint32_t>(call), lane_numbers(lane));
      PG_UNROLL
      for (int i = 0; i < 4; ++i) {
        store(to[i] + lane, feature_from(block.w[i], s.present_limit()[f[i]], s.scale()[f[i]], s.offset()[f[i]]));
      }
    });
    first.advance(step, n);
  }
  team.barrier();
}

// For a mixture, sample by sample.
PG_STAGE void draw_rows(BlockStorage s, Batch batch, int first_row, int rows, BlockTeam team) {
  if (is_general(batch)) {
    draw_general_tile(s, batch, first_row, rows, team, s.l.n_padded,
                      [=](int f, int row) PG_INLINE_LAMBDA { return s.x(row * kLanes) + f; });
    return;
  }
  const int n = s.l.n;
  const int words = rows * n;
  const uint32_t first_call = first_call_of(s, first_row);
#if PHASEGRID_LANES_AHEAD == 0
  // A warp makes the words of a lane's samples, a thread one block of four and neighbouring threads neighbouring
  // features.
  const WordPlace one{1 / n, 1 % n}, step = WordPlace::of(4 * kLanes, n);
  PG_NO_UNROLL
  for (int lane = team.worker(); lane < kLanes; lane += team.workers()) {
    WordPlace first = WordPlace::of(4 * Team::rank(), n);
    PG_NO_UNROLL
    for (int call = Team::rank(); 4 * call < words; call += kLanes) {
      const auto block = draw_words(batch, first_call + static_cast<uint32_t>(call), static_cast<uint32_t>(lane));
      if (n % 4 == 0) {  // all four are of one sample, and stored at once
        const int f = first.feature;
        const Numbers<4> limit(reinterpret_cast<const float*>(s.present_limit() + f)), scale(s.scale() + f),
            offset(s.offset() + f);
        float x[4];
        PG_UNROLL
        for (int i = 0; i < 4; ++i) {
          x[i] = feature_from(block.w[i], static_cast<int32_t>(float_bits(limit[i])), scale[i], offset[i]);
        }
        store_four(s.x(first.row * kLanes + lane) + f, x);
      } else {
        WordPlace place = first;
        PG_UNROLL
        for (int i = 0; i < 4; ++i) {
          if (place.row < rows) {
            const int f = place.feature;
            s.x(place.row * kLanes + lane)[f] =
                feature_from(block.w[i], s.present_limit()[f], s.scale()[f], s.offset()[f]);
          }
          place.advance(one, n);
        }
      }
      first.advance(step, n);
    }
  }
#else
  // A register holds a word of so many calls of one lane. They are put in order first, then cut into rows.
  PG_NO_UNROLL
  for (int lane = 0; lane < kLanes; ++lane) {
    PG_NO_UNROLL
    for (int call = 0; call * 4 < words; call += kWidth) {
      const Block<Words> block = draw_words(batch, call_numbers(first_call + static_cast<uint32_t>(call)),
                                            static_cast<uint32_t>(lane));
      store_calls(s.stream() + 4 * call, block.w);
    }
    PG_NO_UNROLL
    for (int row = 0; row < rows; ++row) {
      float* x = s.x(row * kLanes + lane);
      const uint32_t* word = s.stream() + row * n;
      PG_NO_UNROLL
      for (int f = 0; f < n; f += kWidth) {
        store(x + f, feature_from(load_words(word + f), load_words(s.present_limit() + f), load(s.scale() + f),
                                  load(s.offset() + f)));
      }
    }
  }
#endif
  team.barrier();
}

}  // namespace phasegrid::PHASEGRID_MACHINE
