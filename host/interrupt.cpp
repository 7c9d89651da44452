#include "interrupt.hpp"

#include <unistd.h>

#include <ctime>
#include <string_view>

namespace phasegrid {
namespace {
sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}
}  // namespace

InterruptWatch::InterruptWatch() {
  const sigset_t set = watched();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
  waiter_ = std::jthread([this, set](std::stop_token end) {
    while (!end.stop_requested()) {
      const timespec wait{0, 100'000'000};
      if (sigtimedwait(&set, nullptr, &wait) < 0) continue;
      if (source_.stop_requested()) _exit(130);
      source_.request_stop();
      constexpr std::string_view kMessage = "\nstopping; once more to end at once without saving\n";
      if (write(STDERR_FILENO, kMessage.data(), kMessage.size()) < 0) continue;  // nobody left to tell
    }
  });
}

InterruptWatch::~InterruptWatch() {
  waiter_.request_stop();
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace phasegrid
