#include "runs_of_bits.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <bit>

namespace phasegrid {
namespace {

constexpr std::int32_t kExponent = 0x7f800000, kNoSign = 0x7fffffff;

// Whether `good` holds of the bits of every number: looked at in pieces without a branch, which compilers vectorise.
template <class Good>
bool all_of_bits(std::span<const float> values, Good good) {
  constexpr std::size_t kPiece = 1024;
  for (std::size_t at = 0; at < values.size(); at += kPiece) {
    std::int32_t right = -1;
    for (const float value : values.subspan(at, std::min(kPiece, values.size() - at))) {
      right &= good(std::bit_cast<std::int32_t>(value)) ? -1 : 0;
    }
    if (right == 0) return false;
  }
  return true;
}

}  // namespace

bool all_finite(std::span<const float> values) {
  return all_of_bits(values, [](std::int32_t bits) { return (bits & kNoSign) < kExponent; });
}

bool all_nan(std::span<const float> values) {
  return all_of_bits(values, [](std::int32_t bits) { return (bits & kNoSign) > kExponent; });
}

std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t before) {
  if (bytes.empty()) return before;  // of no address it would begin anew
  return libdeflate_crc32(before, bytes.data(), bytes.size());
}

}  // namespace phasegrid
