// The samples of a batch, one after the other or some at a time, as the tiny mapping takes them.
#pragma once

#include "common/inputs.hpp"
#include "common/job.hpp"
#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Words of consecutive samples of a lane fill Philox's blocks of four without gaps, so samples come in rounds: one
// sample for n = 4, two for n = 2 (one block), four for n = 1 (one block) and n = 3 (three blocks).
template <int n>
struct Round {
  static constexpr int kSamples = samples_per_draw(n);
  static constexpr int kBlocks = kSamples * words_per_sample(n) / 4;
};

// A round's samples for the lanes from first_lane on: x[sample][feature].
template <int n, class Keys>
PG_INLINE void draw_round(const CellSettings& cell, const Batch& batch, const Keys& keys, int first_lane, int round,
                          Floats (&x)[Round<n>::kSamples][n]) {
  const FeatureLaw& law = cell.law;
  PG_UNROLL
  for (int b = 0; b < Round<n>::kBlocks; ++b) {
    const uint32_t call = static_cast<uint32_t>(round * Round<n>::kBlocks + b);
    const Block<Words> block = draw_words(batch, keys, call, lane_numbers(first_lane));
    PG_UNROLL
    for (int i = 0; i < 4; ++i) {
      x[(b * 4 + i) / n][(b * 4 + i) % n] = feature_from(block.w[i], law.present_limit, law.scale, law.offset);
    }
  }
}

// body(x, count, valid) for all samples of the batch that fall to these lanes, a stretch x[count][n] at a time, count
// at most kStretch; valid is AllLanes, or for the last, partly filled row the Mask of lanes that have a sample.
//
// A thread of a GPU makes a round when it needs it, and a stretch is one sample. A CPU core makes rounds ahead and
// keeps them in its first-level cache: two short loops overlap far better in it than one long one.
#if PHASEGRID_LANES_AHEAD == 0
constexpr int kStretch = 1;
// The keys of a pass's rounds. Held where that saves most for the registers it takes: 13 of the 100 instructions of the
// dense model of two features, but 12 of the 500 of a mixture of three, which has no register to spare.
template <class S>
PG_INLINE auto keys_of(const Batch& batch) {
  if constexpr (S::E == 1 && Round<S::n>::kBlocks == 1) {
    return HeldKeys(batch.key);
  } else {
    return batch.key;
  }
}

template <class S, class Body>
PG_INLINE void for_each_stretch(const CellSettings& cell, const Batch& batch, int first_lane, Body&& body) {
  constexpr int n = S::n, kSamples = Round<n>::kSamples;
  const auto keys = keys_of<S>(batch);
  PG_NO_UNROLL
  for (int round = 0; round * kSamples * kLanes < batch.samples; ++round) {
    Floats x[kSamples][n];
    draw_round<n>(cell, batch, keys, first_lane, round, x);
    const int left = batch.samples - round * kSamples * kLanes;
    if (left >= kSamples * kLanes) {
      PG_UNROLL
      for (int s = 0; s < kSamples; ++s) body(&x[s], 1, AllLanes{});
    } else {
      // Rarely run, so a loop: one copy of the body, and x[s] by selects, as a register cannot be indexed.
      PG_NO_UNROLL
      for (int s = 0; s < kSamples; ++s) {
        Floats one[n];
        PG_UNROLL
        for (int f = 0; f < n; ++f) {
          one[f] = x[0][f];
          PG_UNROLL
          for (int other = 1; other < kSamples; ++other) one[f] = s == other ? x[other][f] : one[f];
        }
        body(&one, 1, lanes_below(first_lane + s * kLanes, left));
      }
    }
  }
}
#else
constexpr int kStretch = PHASEGRID_LANES_AHEAD;
template <class S, class Body>
PG_INLINE void for_each_stretch(const CellSettings& cell, const Batch& batch, int first_lane, Body&& body) {
  constexpr int n = S::n, kSamples = Round<n>::kSamples;
  constexpr int kAhead = kStretch / kSamples;              // rounds of a stretch
  const int rows = (batch.samples + kLanes - 1) / kLanes;  // samples of the first lane
  const int full_rows = batch.samples / kLanes;
  PG_NO_UNROLL
  for (int row = 0; row < rows; row += kAhead * kSamples) {
    Floats x[kAhead][kSamples][n];
    const int here = rows - row < kAhead * kSamples ? rows - row : kAhead * kSamples;
    PG_NO_UNROLL
    for (int r = 0; r * kSamples < here; ++r) draw_round<n>(cell, batch, batch.key, first_lane, row / kSamples + r, x[r]);
    const Floats(*samples)[n] = x[0];
    const int full_here = full_rows - row < here ? full_rows - row : here;
    if (full_here > 0) body(samples, full_here, AllLanes{});
    if (full_here < here) body(samples + full_here, 1, lanes_below(first_lane, batch.samples - full_rows * kLanes));
  }
}
#endif

// Whether these lanes' samples of a batch are left off for a stop. The loops above stay without a look of their own: a
// pass over the largest batch takes a warp under a second, and a CPU core looks before each of its groups of lanes.
template <class S>
PG_INLINE bool leaves_off(const Batch& batch) {
  return batch.samples > samples_between_looks(S::kParameters) && Team::any(stop_asked(batch));
}

// body(x, valid) for every sample, Floats x[n].
template <class S, class Body>
PG_INLINE void for_each_sample(const CellSettings& cell, const Batch& batch, int first_lane, Body&& body) {
  for_each_stretch<S>(cell, batch, first_lane, [&](const Floats(*x)[S::n], int count, auto valid) PG_INLINE_LAMBDA {
    PG_NO_UNROLL
    for (int s = 0; s < count; ++s) body(x[s], valid);
  });
}

}  // namespace phasegrid::PHASEGRID_MACHINE
