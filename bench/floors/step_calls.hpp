// The calls of the machines' vocabulary that a training step makes (kernels/machine/calls.hpp), stage by stage: counted
// by running the kernels on the counting machine, compiled once for each number of lanes a register.
#pragma once

#include "machine/calls.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid::bench {

struct StepCalls {
  long counted = 1;  // registers of samples that the stages below are of; block mapping: samples
  Calls random;      // drawing the inputs
  Calls router;      // scores, choice, softmax, load balance
  Calls expert;      // hidden units and outputs
  Calls backward;    // all else that a gradient makes of a sample
  Calls optimiser;   // of a register of parameters
  int values = 0;    // tiny mapping: what a batch is summed to (SumLayout)
};

// `lanes`: 8, 16 or 32. What depends on the data is counted for routers that are 0: all samples go to the first k
// experts, so that no four of an expert's entries is partly filled.
StepCalls tiny_step_calls(const Shape& shape, bool load_balance, int lanes);
StepCalls block_step_calls(const Shape& shape, bool load_balance, int tile, int lanes);

}  // namespace phasegrid::bench
