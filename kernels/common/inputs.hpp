// The inputs, as both mappings draw them. Nothing is stored: sample row * 32 + l of a step is made by lane l from the
// Philox counter (call, lane, step, stream) under the model's key, when it is needed. A lane's samples take
// words_per_sample() words each, which follow each other without gaps: word i of a lane is word i % 4 of call i / 4.
#pragma once

#include "batch.hpp"
#include "draws.hpp"
#include "machine/machine.hpp"
#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Four words of each of some lanes: of one call (a number) or a call a lane.
template <class Call, class Lane>
PG_INLINE auto draw_words(const Batch& batch, Call call, Lane lane) {
  return philox<kRounds>(call, lane, batch.step, batch.stream, batch.key);
}

// A feature's value from its word: 0, or uniform in [0, 1); see FeatureLaw.
template <class Limit>
PG_INLINE Floats feature_from(Words word, Limit present_limit, Floats scale, Floats offset) {
  return keep(at_most(word, present_limit), fma(to_float(word), scale, offset));
}

}  // namespace phasegrid::PHASEGRID_MACHINE
