// Random numbers of the measures: Philox4x32-10 of Random123, counted by what a number is for and never by how many
// were drawn before it. Apart from those of training, whose keys are hashes of their settings.
#pragma once

#include <Random123/philox.h>

#include <array>
#include <cstdint>

namespace phasegrid {

// What a number is for: the counter's last word.
enum class MeasureStream : std::uint32_t { features = 16, common_draw, direction, bootstrap, scale, first_present };

// Four words, of sample `sample` (or resample), block `block` of it.
inline std::array<std::uint32_t, 4> random_words(std::uint64_t seed, MeasureStream stream, std::uint32_t sample,
                                                 std::uint32_t block = 0) {
  const r123::Philox4x32::ctr_type counter = {{block, sample, 0, static_cast<std::uint32_t>(stream)}};
  const r123::Philox4x32::ukey_type key = {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const auto words = r123::Philox4x32()(counter, key);
  return {words[0], words[1], words[2], words[3]};
}

// Uniform in (0, 1), never either end.
inline double open_uniform(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

}  // namespace phasegrid
