// How many random words the inputs take, for kernels and those who plan for them.
#pragma once

namespace phasegrid {

constexpr int words_per_sample(int n_features) { return n_features; }

// Consecutive samples of a lane that take whole calls of Philox, of four words each.
constexpr int samples_per_draw(int n_features) {
  const int words = words_per_sample(n_features);
  return words % 4 == 0 ? 1 : words % 2 == 0 ? 2 : 4;
}

}  // namespace phasegrid
