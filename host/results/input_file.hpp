// A file that is read at any place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace phasegrid {

// Whether there were so many bytes from `at` on.
bool read_at(int descriptor, std::uint64_t at, std::span<std::byte> to);

// Changes when a file is replaced or written to; all zeros where there is none.
using FileStamp = std::array<std::int64_t, 5>;
FileStamp stamp_of(const std::string& path);

class InputFile {
 public:
  explicit InputFile(const std::string& path);  // one that cannot be opened is empty
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::uint64_t size() const { return size_; }
  const FileStamp& stamp() const { return stamp_; }
  bool read(std::uint64_t at, std::span<std::byte> to) const { return read_at(descriptor_, at, to); }

 private:
  int descriptor_;
  std::uint64_t size_ = 0;
  FileStamp stamp_{};
};

}  // namespace phasegrid
