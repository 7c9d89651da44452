// Check sums as zip files have them, and numbers that are looked at many at a time.
#include "results/runs_of_bits.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

namespace phasegrid {
namespace {

std::uint32_t slowly(std::span<const std::byte> bytes, std::uint32_t before) {
  std::uint32_t sum = ~before;
  for (const std::byte byte : bytes) {
    sum ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~sum;
}

TEST(RunsOfBits, CheckSums) {
  using namespace std::string_view_literals;
  EXPECT_EQ(crc32_of(std::as_bytes(std::span("123456789"sv))), 0xcbf43926u);  // every list of them says so
  EXPECT_EQ(crc32_of({}, 7), 7u);
  std::vector<std::byte> bytes(2000);
  std::uint32_t random = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((random = random * 1664525 + 1013904223) >> 24);
  for (std::size_t count = 0; count + 8 < bytes.size(); count += count < 300 ? 1 : 97) {
    const auto piece = std::span<const std::byte>(bytes).subspan(count % 8, count);
    const std::uint32_t before = static_cast<std::uint32_t>(count) * 2654435761u;
    EXPECT_EQ(crc32_of(piece, before), slowly(piece, before)) << count;
    const auto first = piece.first(count / 3), rest = piece.subspan(count / 3);
    EXPECT_EQ(crc32_of(rest, crc32_of(first, before)), crc32_of(piece, before));
  }
}

TEST(RunsOfBits, NumbersOfEveryKind) {
  using Limits = std::numeric_limits<float>;
  const float finite[] = {0.0f, -0.0f, 1.0f, -1.0f, Limits::max(), Limits::lowest(), Limits::denorm_min()};
  const float nan[] = {Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::signaling_NaN(), std::nanf("123")};
  const float infinite[] = {Limits::infinity(), -Limits::infinity()};
  EXPECT_TRUE(all_finite({}) && all_nan({}));
  for (const std::size_t size : {1u, 7u, 1024u, 1025u, 5000u}) {
    std::vector<float> numbers(size, 1.0f), nans(size, Limits::quiet_NaN());
    EXPECT_TRUE(all_finite(numbers) && all_nan(nans));
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
      auto with = [&](std::vector<float> values, float value) {
        values[at] = value;
        return values;
      };
      for (const float value : finite) EXPECT_TRUE(all_finite(with(numbers, value)) && !all_nan(with(nans, value)));
      for (const float value : nan) EXPECT_TRUE(!all_finite(with(numbers, value)) && all_nan(with(nans, value)));
      for (const float value : infinite) EXPECT_FALSE(all_finite(with(numbers, value)) || all_nan(with(nans, value)));
    }
  }
}

}  // namespace
}  // namespace phasegrid
