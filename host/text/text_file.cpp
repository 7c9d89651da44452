#include "text_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

// A million values of an axis, to 15 digits each, take as much.
constexpr std::size_t kMostBytes = std::size_t{16} << 20;
constexpr int kPipeSeconds = 10;

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : value_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

}  // namespace

std::string sweep_file_text(const std::string& path) {
  auto refuse = [&](std::string_view why) { return InputError(fmt::format("{}: {}", path, why)); };
  auto unreadable = [&](int error) { return refuse(fmt::format("cannot be read: {}", std::strerror(error))); };
  const Descriptor file(path);  // without O_NONBLOCK, opening a pipe would wait for whoever writes to it
  struct stat about = {};
  if (file.get() < 0 || fstat(file.get(), &about) != 0) throw unreadable(errno);
  if (S_ISDIR(about.st_mode)) throw refuse("is a folder; a sweep file (TOML) is needed");
  if (!S_ISREG(about.st_mode) && !S_ISFIFO(about.st_mode)) {
    throw refuse("is neither a file nor a pipe; a sweep file (TOML) is needed");
  }
  std::string text;
  char piece[65536];
  while (true) {
    pollfd waiting = {file.get(), POLLIN, 0};
    const int ready = poll(&waiting, 1, kPipeSeconds * 1000);
    if (ready == 0) throw refuse(fmt::format("nothing came out of this pipe for {} seconds", kPipeSeconds));
    const ssize_t got = ready < 0 ? -1 : read(file.get(), piece, sizeof piece);
    if (got < 0 && errno != EINTR && errno != EAGAIN) throw unreadable(errno);
    if (got == 0) return text;
    if (got > 0) text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > kMostBytes) {
      throw refuse(fmt::format("is longer than {} MiB, the most that a sweep file may take", kMostBytes >> 20));
    }
  }
}

}  // namespace phasegrid
