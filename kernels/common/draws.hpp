// How many random words the inputs take, for kernels and those who plan for them.
#pragma once

#include "job.hpp"

namespace phasegrid {

// Of the default law, a word a feature.
constexpr int words_per_sample(int n_features) { return n_features; }

// Consecutive samples of a lane that take whole calls of Philox, of four words each.
constexpr int samples_per_draw(int n_features) {
  const int words = words_per_sample(n_features);
  return words % 4 == 0 ? 1 : words % 2 == 0 ? 2 : 4;
}

// Of a general law: a word for the value of every feature and one for its presence, or that of its block; one for both
// where features are present independently and uniform.
constexpr int words_per_sample(const InputLaw& law, int n_features) {
  switch (law.presence) {
    case PresenceLaw::independent:
      return law.values == ValueLaw::uniform ? n_features : 2 * n_features;
    case PresenceLaw::active:
      return 2 * n_features;
    case PresenceLaw::correlated:
    case PresenceLaw::anticorrelated:
      break;
  }
  return n_features + n_features / law.size;
}
constexpr int calls_per_sample(const InputLaw& law, int n_features) { return (words_per_sample(law, n_features) + 3) / 4; }

}  // namespace phasegrid
