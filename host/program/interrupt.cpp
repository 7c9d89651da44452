#include "interrupt.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <string_view>

namespace phasegrid {
namespace {

// When the stop was asked for, in nanoseconds of the monotonic clock; 0 for not yet.
std::atomic<std::int64_t> asked_at{0};
static_assert(decltype(asked_at)::is_always_lock_free);  // a signal handler may use no other
constexpr std::int64_t kSameRequest = 1'000'000'000;

extern "C" void take_signal(int) {
  const int error = errno;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t at = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec + 1;
  std::int64_t first = 0;
  if (asked_at.compare_exchange_strong(first, at)) {
    constexpr std::string_view kMessage = "\nstopping; once more after a second to end at once without saving\n";
    if (write(STDERR_FILENO, kMessage.data(), kMessage.size()) < 0) errno = error;  // nobody left to tell
  } else if (at - first > kSameRequest) {
    _exit(130);
  }
  errno = error;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  asked_at = 0;
  struct sigaction watched {};
  watched.sa_handler = take_signal;
  watched.sa_flags = SA_RESTART;
  sigemptyset(&watched.sa_mask);
  for (const int number : kSignals) sigaddset(&watched.sa_mask, number);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (sigaction(kSignals[i], nullptr, &before_[i]) == 0 && before_[i].sa_handler != SIG_IGN) {
      sigaction(kSignals[i], &watched, nullptr);
    }
  }
}

InterruptWatch::~InterruptWatch() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (requested()) before_[i].sa_handler = SIG_IGN;
    sigaction(kSignals[i], &before_[i], nullptr);
  }
}

bool InterruptWatch::requested() const { return asked_at != 0; }

}  // namespace phasegrid
