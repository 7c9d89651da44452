#include "interrupt.hpp"

#include <unistd.h>

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
    while (true) {
      if (sigwaitinfo(&set, nullptr) < 0) continue;  // a debugger's, perhaps
      if (end.stop_requested()) return;
      if (source_.stop_requested()) _exit(130);
      source_.request_stop();
      constexpr std::string_view kMessage = "\nstopping; once more to end at once without saving\n";
      if (write(STDERR_FILENO, kMessage.data(), kMessage.size()) < 0) continue;  // nobody left to tell
    }
  });
}

InterruptWatch::~InterruptWatch() {
  waiter_.request_stop();
  pthread_kill(waiter_.native_handle(), SIGTERM);  // it waits for a signal, and this one is its own
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace phasegrid
