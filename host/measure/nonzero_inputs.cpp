#include <algorithm>

#include "phasegrid/error.hpp"
#include "phasegrid/metrics.hpp"
#include "random_words.hpp"

namespace phasegrid {

// Feature i is the first one present with a probability in proportion to S_1 .. S_(i-1) (1 - S_i); those after it are
// present independently of it. So the features behind the first stay as they were drawn.
std::vector<float> draw_nonzero_inputs(std::span<const double> sparsity, int samples, std::uint64_t seed) {
  std::vector<float> inputs = draw_inputs(sparsity, samples, seed);
  const std::size_t n = sparsity.size();
  if (n == 0) throw InputError("an input that is not all zero needs at least one feature");
  std::vector<double> up_to(n);  // in proportion to the probability that the first one present is not behind i
  double absent = 1, sum = 0;
  for (std::size_t f = 0; f < n; ++f) {
    up_to[f] = sum += absent * (1 - sparsity[f]);
    absent *= sparsity[f];
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(samples); ++i) {
    const auto words = random_words(seed, MeasureStream::first_present, static_cast<std::uint32_t>(i));
    // Two words, so that also a rare feature in front has its probability.
    const double at = (words[0] + open_uniform(words[1])) * 0x1p-32 * sum;
    const auto first = std::min(static_cast<std::size_t>(std::ranges::upper_bound(up_to, at) - up_to.begin()), n - 1);
    float* x = inputs.data() + i * n;
    std::fill(x, x + first, 0.0f);
    x[first] = std::min(static_cast<float>(open_uniform(words[2])), 0x1.fffffep-1f);  // never 0
  }
  return inputs;
}

}  // namespace phasegrid
