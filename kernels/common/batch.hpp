// Which batch, by the counter words that its samples share, and when a batch is left off.
#pragma once

#include "job.hpp"
#include "machine/machine.hpp"
#include "philox.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

struct Batch {
  Key key;
  uint32_t step;
  uint32_t stream;
  int samples;
  const int32_t* stop = nullptr;  // Job::stop; none for a batch that is never left off
  const CellSettings* cell = nullptr;  // whose law the inputs follow; none for the default one
};

// Work, in samples times parameters, between two looks at the stop flag, which a GPU reads over the bus: some
// milliseconds of training.
constexpr int kWorkBetweenLooks = 1 << 22;

// A batch of more samples than these is interrupted now and then, while it is summed, for a look at the flag. Where a
// stop was asked for the rest is left off, and what was summed is of no use.
PG_INLINE constexpr int samples_between_looks(int parameter_count) {
  const int samples = kWorkBetweenLooks / parameter_count;
  return samples > 0 ? samples : 1;
}

PG_INLINE bool stop_asked(const Batch& batch) { return batch.stop != nullptr && read_flag(batch.stop) != 0; }

}  // namespace phasegrid::PHASEGRID_MACHINE
