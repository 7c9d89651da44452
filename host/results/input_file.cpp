#include "input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace phasegrid {
namespace {

FileStamp stamp_in(const struct stat& s) {
  return {static_cast<std::int64_t>(s.st_dev), static_cast<std::int64_t>(s.st_ino), s.st_size, s.st_mtim.tv_sec,
          s.st_mtim.tv_nsec};
}

}  // namespace

FileStamp stamp_of(const std::string& path) {
  struct stat s = {};
  return stat(path.c_str(), &s) == 0 ? stamp_in(s) : FileStamp{};
}

bool read_at(int descriptor, std::uint64_t at, std::span<std::byte> to) {
  while (!to.empty()) {
    const ssize_t got = pread(descriptor, to.data(), to.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += static_cast<std::uint64_t>(got);
    to = to.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

InputFile::InputFile(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat s = {};
  if (descriptor_ < 0 || fstat(descriptor_, &s) != 0 || !S_ISREG(s.st_mode)) return;
  size_ = static_cast<std::uint64_t>(s.st_size);
  stamp_ = stamp_in(s);
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace phasegrid
