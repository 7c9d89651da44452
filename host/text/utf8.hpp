// UTF-8, one character at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace phasegrid {

inline bool continues_utf8(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Bytes of the character that begins a text which is not empty; 0 where it is not UTF-8.
inline std::size_t utf8_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  std::uint32_t code = first & (0xffu >> (size + 1));
  for (const char c : text.substr(1, size - 1)) {
    if (!continues_utf8(c)) return 0;
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3f);
  }
  const bool shortest = code >= (size == 4 ? 0x10000u : size == 3 ? 0x800u : 0x80u);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return shortest && !surrogate && code <= 0x10ffff ? size : 0;
}

}  // namespace phasegrid
