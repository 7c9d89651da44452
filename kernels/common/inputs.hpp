// The inputs, as both mappings draw them. Nothing is stored: sample row * 32 + l of a step is made by lane l from the
// Philox counter (call, lane, step, stream) under the batch's key, when it is needed. A lane's samples take
// words_per_sample() words each, which follow each other without gaps: word i of a lane is word i % 4 of call i / 4.
// Samples of a general law begin with a call of their own (draw_general).
#pragma once

#include "batch.hpp"
#include "draws.hpp"
#include "machine/machine.hpp"
#include "normal.hpp"
#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Four words of each of some lanes: of one call (a number) or a call a lane. `keys`: of the batch.
template <class Call, class Lane, class Keys>
PG_INLINE auto draw_words(const Batch& batch, const Keys& keys, Call call, Lane lane) {
  return philox<kRounds>(call, lane, batch.step, batch.stream, keys);
}
template <class Call, class Lane>
PG_INLINE auto draw_words(const Batch& batch, Call call, Lane lane) {
  return draw_words(batch, batch.key, call, lane);
}

// A feature's value from its word: 0, or uniform in its range; see FeatureLaw.
template <class Limit>
PG_INLINE Floats feature_from(Words word, Limit present_limit, Floats scale, Floats offset) {
  return keep(at_most(word, present_limit), fma(to_float(word), scale, offset));
}

// ---------------------------------------------------------------- general laws

// Whether a batch's inputs are of a general law, and whether they are samples of a fixed data set.
PG_INLINE bool is_general(const Batch& batch) { return batch.cell != nullptr && batch.cell->inputs.general != 0; }
PG_INLINE bool from_data_set(const Batch& batch) {
  return batch.cell->inputs.samples > 0 && batch.stream == kStreamTrain;
}

// The words of one sample of each of some lanes, one after the other.
class SampleWords {
 public:
  PG_INLINE SampleWords(const Batch& batch, uint32_t first_call, Wide lane)
      : batch_(batch), lane_(lane), call_(first_call) {}
  PG_INLINE Words next() {
    if (left_ == 0) {
      const Block<Words> block = draw_words(batch_, call_++, lane_);
      a_ = block.w[0], b_ = block.w[1], c_ = block.w[2], d_ = block.w[3];
      left_ = 4;
    }
    const Words word = a_;
    a_ = b_, b_ = c_, c_ = d_;
    --left_;
    return word;
  }

 private:
  Batch batch_;
  Wide lane_;
  uint32_t call_;
  int left_ = 0;
  Words a_{}, b_{}, c_{}, d_{};
};

// put(f, x) for every feature f of one sample of each lane. limit(f), scale(f) and offset(f) are the feature's.
template <class Limit, class Scale, class Offset, class Put>
PG_INLINE void draw_features(const InputLaw& law, int n, SampleWords& words, Limit&& limit, Scale&& scale,
                             Offset&& offset, Put&& put) {
  const bool alone = law.presence == PresenceLaw::independent;
  const bool one_word = alone && law.values == ValueLaw::uniform;
  Words choice{};
  Floats place = 0.0f;                               // of a block's active feature
  Floats wanted = static_cast<float>(law.size);      // active features that are still to be chosen
  int of_block = 0;                                  // features of the block so far
  PG_NO_UNROLL
  for (int f = 0; f < n; ++f) {
    const Words word = words.next();
    if (one_word) {
      put(f, feature_from(word, limit(f), scale(f), offset(f)));
      continue;
    }
    bool value_next = true;  // `word` was for the presence
    Mask present = at_most(word, limit(f));
    if (law.presence == PresenceLaw::active) {
      // Chosen with probability (wanted / left): every subset is equally likely.
      const Floats u = fma(to_float(word), Floats(law.choice.scale), Floats(law.choice.offset));
      present = greater(wanted, u * Floats(static_cast<float>(n - f)));
      wanted = wanted - keep(present, Floats(1.0f));
    } else if (!alone) {
      value_next = of_block == 0;
      if (value_next) {
        choice = word;
        place = fma(to_float(word), Floats(law.choice.scale), Floats(law.choice.offset)) *
                Floats(static_cast<float>(law.size));
      }
      present = at_most(choice, law.choice.present_limit);
      if (law.presence == PresenceLaw::anticorrelated) {
        const Floats number = static_cast<float>(of_block);
        present = both(present, both(not_less(place, number), greater(number + Floats(1.0f), place)));
      }
      of_block = of_block + 1 == law.size ? 0 : of_block + 1;
    }
    const Words value = value_next ? words.next() : word;
    const Floats x = law.values == ValueLaw::normal ? normal_of(value) : fma(to_float(value), scale(f), offset(f));
    put(f, keep(present, x));
  }
}

// put(f, x) for every feature f of sample row * 32 + lane of the batch, for the lanes from first_lane on. A sample of a
// fixed data set has a counter of its own; which one is taken follows from a word of the batch, or is the sample's
// number where the batch is the whole set.
template <class Limit, class Scale, class Offset, class Put>
PG_INLINE void draw_general(const Batch& batch, int n, int row, int first_lane, Limit&& limit, Scale&& scale,
                            Offset&& offset, Put&& put) {
  const InputLaw& law = batch.cell->inputs;
  if (!from_data_set(batch)) {
    const uint32_t calls = static_cast<uint32_t>(calls_per_sample(law, n));
    SampleWords words(batch, static_cast<uint32_t>(row) * calls, lane_numbers(first_lane));
    draw_features(law, n, words, limit, scale, offset, put);
    return;
  }
  Wide sample = lane_numbers(row * kLanes + first_lane);
  if (law.samples != batch.samples) {
    Batch choices = batch;
    choices.stream = kStreamChoose;
    const Block<Words> block = draw_words(choices, static_cast<uint32_t>(row), lane_numbers(first_lane));
    sample = high(multiply(static_cast<uint32_t>(law.samples), widen(block.w[0])));
  }
  const Key key{batch.cell->key[0], batch.cell->key[1]};  // the set is the cell's
  const Batch data{key, 0u, static_cast<uint32_t>(kStreamData), law.samples};
  SampleWords words(data, 0u, sample);
  draw_features(law, n, words, limit, scale, offset, put);
}

}  // namespace phasegrid::PHASEGRID_MACHINE
