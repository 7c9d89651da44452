#include "output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace phasegrid {
namespace {

std::atomic<bool> lost{false};
std::atomic<int> stdout_error{0};

void note_error(std::FILE* stream) {
  lost = true;
  if (int none = 0; stream == stdout) stdout_error.compare_exchange_strong(none, errno != 0 ? errno : EIO);
}

}  // namespace

void prepare_output() {
  std::signal(SIGPIPE, SIG_IGN);
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
    // It gets the lowest number that is free: this one. Open for reading, so that a message is an error and not lost
    // in silence.
    if (open("/dev/null", O_RDONLY) < 0) return;
  }
}

void write_text(std::FILE* stream, std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stream) != text.size()) note_error(stream);
}

void flush_text(std::FILE* stream) {
  errno = 0;
  if (std::fflush(stream) != 0) note_error(stream);
}

void note_lost_output() { lost = true; }

int finish_output(int status) {
  for (std::FILE* stream : {stdout, stderr}) flush_text(stream);
  if (const int error = stdout_error; error != 0) {
    write_text(stderr, fmt::format("phasegrid: standard output cannot be written: {}\n", std::strerror(error)));
  }
  return status == 0 && lost ? kOutputLost : status;
}

}  // namespace phasegrid
