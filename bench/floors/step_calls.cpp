#include "step_calls.hpp"

// Each compilation of step_calls_machine.cpp.
#define PHASEGRID_STEP_CALLS(machine)                                                 \
  namespace phasegrid::machine {                                                      \
  bench::StepCalls tiny_step_calls(const Shape& shape, bool load_balance);            \
  bench::StepCalls block_step_calls(const Shape& shape, bool load_balance, int tile); \
  }
PHASEGRID_STEP_CALLS(counting8)
PHASEGRID_STEP_CALLS(counting16)
PHASEGRID_STEP_CALLS(counting32)

namespace phasegrid::bench {

StepCalls tiny_step_calls(const Shape& shape, bool load_balance, int lanes) {
  return lanes == 8    ? counting8::tiny_step_calls(shape, load_balance)
         : lanes == 16 ? counting16::tiny_step_calls(shape, load_balance)
                       : counting32::tiny_step_calls(shape, load_balance);
}
StepCalls block_step_calls(const Shape& shape, bool load_balance, int tile, int lanes) {
  return lanes == 8    ? counting8::block_step_calls(shape, load_balance, tile)
         : lanes == 16 ? counting16::block_step_calls(shape, load_balance, tile)
                       : counting32::block_step_calls(shape, load_balance, tile);
}

}  // namespace phasegrid::bench
