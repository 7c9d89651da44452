#include "runs_of_bits.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

// ---------------------------------------------------------------- check sums

constexpr std::uint32_t kPolynomial = 0xedb88320;

// kTables[k][b]: the check sum of byte b with k zeros behind it.
constexpr auto kTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = sum;
  }
  for (std::size_t zeros = 1; zeros < 8; ++zeros) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[zeros - 1][byte];
      tables[zeros][byte] = before >> 8 ^ tables[0][before & 0xff];
    }
  }
  return tables;
}();

std::uint32_t by_tables(const unsigned char* bytes, std::size_t count, std::uint32_t sum) {
  for (; count >= 8; bytes += 8, count -= 8) {
    std::uint32_t low, high;
    std::memcpy(&low, bytes, 4);
    std::memcpy(&high, bytes + 4, 4);
    low ^= sum;
    sum = 0;
    for (std::size_t i = 0; i < 4; ++i)
      sum ^= kTables[7 - i][low >> 8 * i & 0xff] ^ kTables[3 - i][high >> 8 * i & 0xff];
  }
  for (; count > 0; ++bytes, --count) sum = sum >> 8 ^ kTables[0][(sum ^ *bytes) & 0xff];
  return sum;
}

#if defined(__x86_64__)
// Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), with its
// constants for this polynomial: 64 bytes are folded into the next 64, then all into 16, 8 and the 4 of the sum.
// `count` is a multiple of 16, from 64.
__attribute__((target("pclmul,sse4.1"))) std::uint32_t by_products(const unsigned char* bytes, std::size_t count,
                                                                   std::uint32_t sum) {
  auto load = [](const unsigned char* from) __attribute__((target("pclmul,sse4.1"))) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  auto folded = [](__m128i x, __m128i by, __m128i next) __attribute__((target("pclmul,sse4.1"))) {
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11)), next);
  };
  const __m128i by64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), by16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  const __m128i by8 = _mm_set_epi64x(0, 0x163cd6124), barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641);
  const __m128i low_halves = _mm_setr_epi32(-1, 0, -1, 0);
  __m128i a = _mm_xor_si128(load(bytes), _mm_cvtsi32_si128(static_cast<int>(sum)));
  __m128i b = load(bytes + 16), c = load(bytes + 32), d = load(bytes + 48);
  for (bytes += 64, count -= 64; count >= 64; bytes += 64, count -= 64) {
    a = folded(a, by64, load(bytes));
    b = folded(b, by64, load(bytes + 16));
    c = folded(c, by64, load(bytes + 32));
    d = folded(d, by64, load(bytes + 48));
  }
  a = folded(folded(folded(a, by16, b), by16, c), by16, d);
  for (; count >= 16; bytes += 16, count -= 16) a = folded(a, by16, load(bytes));
  a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by16, 0x10));
  a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low_halves), by8, 0x00), _mm_srli_si128(a, 4));
  __m128i quotient = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low_halves), barrett, 0x10), low_halves);
  a = _mm_xor_si128(a, _mm_clmulepi64_si128(quotient, barrett, 0x00));
  return static_cast<std::uint32_t>(_mm_extract_epi32(a, 1));
}
#endif

}  // namespace

bool all_finite(std::span<const float> values) {
  return all_of_bits(values, [](std::int32_t bits) { return (bits & kNoSign) < kExponent; });
}

bool all_nan(std::span<const float> values) {
  return all_of_bits(values, [](std::int32_t bits) { return (bits & kNoSign) > kExponent; });
}

std::uint32_t crc32_of(std::span<const std::byte> data, std::uint32_t before) {
  auto bytes = reinterpret_cast<const unsigned char*>(data.data());
  std::size_t count = data.size();
  std::uint32_t sum = ~before;
#if defined(__x86_64__)
  static const bool has_products = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  if (has_products && count >= 64) {
    const std::size_t folded = count / 16 * 16;
    sum = by_products(bytes, folded, sum);
    bytes += folded;
    count -= folded;
  }
#endif
  return ~by_tables(bytes, count, sum);
}

}  // namespace phasegrid
