// Ctrl-C, SIGTERM and SIGHUP (a terminal that goes away) as a request to stop.
#pragma once

#include <array>
#include <csignal>

namespace phasegrid {

// While one lives, the first of these signals asks for a stop. Repeats within a second are the same request (`timeout`
// and a closing terminal send two); one that comes later ends the process at once, with status 130. A signal that was
// ignored stays so (nohup, a job in the background). It needs no thread, so it works where none can be had.
class InterruptWatch {
 public:
  InterruptWatch();
  // After a request the process is about to end, so what still comes is a repeat: it stays without effect.
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  // Whether a stop was asked for.
  bool requested() const;

 private:
  static constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace phasegrid
