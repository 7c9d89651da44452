// The inputs: every feature is 0 with probability S, else uniform in [0,1). Nothing is stored: sample i * 32 + l of a
// step is made by lane l from the Philox counter (call, lane, step, stream) under the model's key, when it is needed.
#pragma once

#include "job.hpp"
#include "machine/machine.hpp"
#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Which batch: the counter words that its samples share.
struct Batch {
  Key key;
  uint32_t step;
  uint32_t stream;
  int samples;
};

// One feature from one word: see CellSettings::present_limit.
PG_INLINE Floats feature_from(Words word, const CellSettings& cell) {
  return keep(at_most(word, cell.present_limit), fma(to_float(word), Floats(cell.scale), Floats(cell.offset)));
}

// Words of consecutive samples of a lane fill Philox's blocks of four without gaps, so samples come in rounds: one
// sample for n = 4, two for n = 2 (one block), four for n = 1 (one block) and n = 3 (three blocks).
template <int n>
struct Round {
  static constexpr int kSamples = n % 4 == 0 ? 1 : n % 2 == 0 ? 2 : 4;
  static constexpr int kBlocks = kSamples * n / 4;
};

// A round written out, for the hot loop: body(x, AllLanes) once for each sample, Floats x[n].
template <int n, int kSample = 0, class LaneNumbers, class Body>
PG_INLINE void unrolled_round(const CellSettings& cell, const Batch& batch, LaneNumbers lanes, int round,
                              Block<Words> block, Body& body) {
  if constexpr (kSample < Round<n>::kSamples) {
    Floats x[n];
    PG_UNROLL
    for (int f = 0; f < n; ++f) {
      constexpr int kFirstWord = kSample * n;
      const int word = kFirstWord + f;
      if (word % 4 == 0) {
        const uint32_t call = static_cast<uint32_t>(round * Round<n>::kBlocks + word / 4);
        block = philox<kRounds>(call, lanes, batch.step, batch.stream, batch.key);
      }
      x[f] = feature_from(block.w[word % 4], cell);
    }
    body(x, AllLanes{});
    unrolled_round<n, kSample + 1>(cell, batch, lanes, round, block, body);
  }
}

// The same as a loop, short to compile; samples_left counts those of the batch from this round's first on, and
// body(x, valid) gets the Mask of lanes that have one.
template <int n, class LaneNumbers, class Body>
PG_INLINE void looped_round(const CellSettings& cell, const Batch& batch, LaneNumbers lanes, int round, int first_lane,
                            int samples_left, Body& body) {
  Floats all[Round<n>::kSamples][n];
  PG_UNROLL
  for (int b = 0; b < Round<n>::kBlocks; ++b) {
    const uint32_t call = static_cast<uint32_t>(round * Round<n>::kBlocks + b);
    const Block<Words> block = philox<kRounds>(call, lanes, batch.step, batch.stream, batch.key);
    PG_UNROLL
    for (int i = 0; i < 4; ++i) all[(b * 4 + i) / n][(b * 4 + i) % n] = feature_from(block.w[i], cell);
  }
  PG_NO_UNROLL
  for (int sample = 0; sample < Round<n>::kSamples; ++sample) {
    Floats x[n];
    PG_UNROLL
    for (int f = 0; f < n; ++f) {
      x[f] = all[0][f];
      PG_UNROLL
      for (int s = 1; s < Round<n>::kSamples; ++s) x[f] = s == sample ? all[s][f] : x[f];
    }
    body(x, lanes_below(first_lane + sample * kLanes, samples_left));
  }
}

// body(x, valid) for every sample of the batch that falls to these lanes; valid is AllLanes or a Mask.
template <int n, class Body>
PG_INLINE void for_each_sample_looped(const CellSettings& cell, const Batch& batch, int first_lane, int first_round,
                                      Body& body) {
  constexpr int kSamples = kLanes * Round<n>::kSamples;
  PG_NO_UNROLL
  for (int round = first_round; round * kSamples < batch.samples; ++round) {
    looped_round<n>(cell, batch, lane_numbers(first_lane), round, first_lane, batch.samples - round * kSamples, body);
  }
}
template <int n, class Body>
PG_INLINE void for_each_sample_unrolled(const CellSettings& cell, const Batch& batch, int first_lane, Body& body) {
  const int full_rounds = batch.samples / (kLanes * Round<n>::kSamples);
  PG_NO_UNROLL
  for (int round = 0; round < full_rounds; ++round) {
    unrolled_round<n>(cell, batch, lane_numbers(first_lane), round, Block<Words>{}, body);
  }
  for_each_sample_looped<n>(cell, batch, first_lane, full_rounds, body);
}

}  // namespace phasegrid::PHASEGRID_MACHINE
