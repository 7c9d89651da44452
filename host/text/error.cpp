#include "phasegrid/error.hpp"

#include <algorithm>
#include <cstddef>

#include "utf8.hpp"

namespace phasegrid {
namespace {

constexpr std::size_t kLongest = 280, kTail = 100;
constexpr std::string_view kGap = " ... ";

// Control characters, of which line breaks are some, and Unicode's own two line breaks.
bool breaks_line(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  return first < ' ' || first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0) ||
         character == "\u2028" || character == "\u2029";
}

std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(size, 1));
    line += size == 0 ? "?" : breaks_line(character) ? " " : character;
    text.remove_prefix(character.size());
  }
  return line;
}

}  // namespace

std::string error_sentence(std::string_view text) {
  const std::string line = one_line(text);
  if (line.size() <= kLongest) return line;
  std::size_t head = kLongest - kTail - kGap.size(), tail = line.size() - kTail;
  while (continues_utf8(line[head])) --head;
  while (continues_utf8(line[tail])) ++tail;
  return line.substr(0, head) + std::string(kGap) + line.substr(tail);
}

}  // namespace phasegrid
