// A file that is whole or absent: written under a temporary name beside its own, flushed, then moved there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace phasegrid {

// Where a file of this name is: absolute, so that a later change of the current folder moves nothing, and behind the
// symbolic links of its last part.
std::string real_path(const std::string& path);

// Removes what killed writers of a file (by its real path) left beside it, and says whether one is at work on it now. A
// writer holds a lock on its temporary file as long as it lives, so process ids say nothing and need not differ between
// containers that share a folder. Where the file system has no locks, nothing is removed and nobody seems to be at
// work.
bool remove_leftovers(const std::string& target);

// The temporary file, which goes away unless it is moved into place.
class OutputFile {
 public:
  // Writers of one path may leave each other alone, and the last one wins; or there may be only one at a time, and
  // others are refused as long as it lives.
  enum class Claim { shared, sole };

  // Throws InputError, naming the path, where it could not be written.
  OutputFile(const std::string& path, Claim claim);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Takes the disk space of so many bytes.
  void reserve(std::size_t size);
  // Has `fill` write() all bytes, of which it returns the number, and moves the file into place: once. A temporary file
  // that somebody removed is made anew. What was at the path before hands on its mode, and stays as it was where this
  // throws InputError.
  void finish(const std::function<std::uint64_t()>& fill);
  void finish(std::span<const std::byte> bytes);
  void write(std::uint64_t at, std::span<const std::byte> bytes);
  bool is_in_place() const { return in_place_; }

 private:
  void create();
  bool vanished() const;
  void let_go();

  std::string path_, target_, temporary_;
  int descriptor_ = -1;
  bool in_place_ = false;
};

// A file without a name in the folder of another, for what is not to be in memory until that one is written. It goes away
// with the process, however it ends.
class ScratchFile {
 public:
  // Throws InputError, naming the path of the other file, where it cannot be made, written or read.
  explicit ScratchFile(const std::string& path);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  void write(std::uint64_t at, std::span<const std::byte> bytes);
  void read(std::uint64_t at, std::span<std::byte> to) const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace phasegrid
