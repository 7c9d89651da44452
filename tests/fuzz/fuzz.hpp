// What the fuzz harnesses share. Each gives bytes to a reader, which must take them or refuse them by InputError.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "phasegrid/error.hpp"

namespace phasegrid::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// Whether a reader took its input. A refusal is one line of at most 300 characters.
template <class Read>
bool taken(const Read& read) {
  try {
    read();
    return true;
  } catch (const InputError& error) {
    const std::string_view sentence = error.what();
    require(!sentence.empty() && sentence.size() <= 300, "a sentence is empty or too long");
    require(sentence.find('\n') == std::string_view::npos, "a sentence has two lines");
    return false;
  }
}

// A file in memory, with a path.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(descriptor_)) {
    require(descriptor_ >= 0, "no file in memory");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::string& hold(std::span<const std::byte> bytes) {
    require(ftruncate(descriptor_, 0) == 0, "the file in memory cannot be emptied");
    require(pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "the file in memory cannot be written");
    return path_;
  }

 private:
  int descriptor_;
  std::string path_;
};

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace phasegrid::fuzz
