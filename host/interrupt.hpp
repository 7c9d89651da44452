// Ctrl-C and SIGTERM as a stop token.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace phasegrid {

// Construct before any other thread starts: it blocks both signals in this thread and so in those it starts, and
// waits for them in one of its own. The first asks for a stop, the second ends the process with status 130.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;
  std::stop_token token() const { return source_.get_token(); }

 private:
  sigset_t before_;
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace phasegrid
