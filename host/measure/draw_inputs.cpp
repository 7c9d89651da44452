#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "phasegrid/error.hpp"
#include "phasegrid/metrics.hpp"
#include "random_words.hpp"
#include "sweep/number_rule.hpp"

namespace phasegrid {
namespace {

constexpr float kLargestBelowOne = 0x1.fffffep-1f;

// A feature from one word, as in training: present when word < words, and then word / words, uniform in [0, 1).
struct FeatureDraw {
  double words;
  double scale;

  explicit FeatureDraw(double density) : words(std::ceil(density * 0x1p32)), scale(1 / words) {}
  float operator()(std::uint32_t word) const {
    return word < words ? std::min(static_cast<float>(word * scale), kLargestBelowOne) : 0.0f;
  }
};

}  // namespace

std::vector<float> draw_inputs(std::span<const double> sparsity, int samples, std::uint64_t seed,
                               std::span<const int> chosen, Presence presence) {
  if (samples < 0) throw InputError(fmt::format("samples must be 0 or more, not {}", samples));
  const std::size_t n = sparsity.size();
  std::vector<FeatureDraw> draws;
  for (double S : sparsity) {
    if (!obeys(kSparsityRule, S)) {
      throw InputError(fmt::format("data.sparsity must be {}, not {}", allowed(kSparsityRule), S));
    }
    draws.emplace_back(1 - S);
  }
  for (int f : chosen) {
    if (f < 0 || static_cast<std::size_t>(f) >= n) throw InputError("draw_inputs: no such feature");
  }
  const FeatureDraw always(1);
  std::vector<float> inputs(static_cast<std::size_t>(samples) * n, 0.0f);
  for (std::size_t i = 0; i < static_cast<std::size_t>(samples); ++i) {
    float* x = inputs.data() + i * n;
    const auto sample = static_cast<std::uint32_t>(i);
    if (presence != Presence::alone) {
      for (std::size_t first = 0; first < n; first += 4) {
        const auto words = random_words(seed, MeasureStream::features, sample, static_cast<std::uint32_t>(first / 4));
        for (std::size_t j = 0; j < 4 && first + j < n; ++j) x[first + j] = draws[first + j](words[j]);
      }
    }
    if (presence != Presence::as_drawn) {
      const float common = always(random_words(seed, MeasureStream::common_draw, sample)[0]);
      for (int f : chosen) x[f] = common;
    }
  }
  return inputs;
}

}  // namespace phasegrid
