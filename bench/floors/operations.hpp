// The operations a sample needs, for both mappings and every machine: the numbers behind each "share of the floor".
// The calls of the machines' vocabulary are counted by running the kernels (step_calls.hpp); what a call takes on each
// machine, and what is not a call, stands here. bench/floors/machine_code.py holds them against the machine code.
//
// The unit is one machine instruction a sample: a vector instruction on a CPU, an instruction of a warp on a GPU. One
// that serves 16 samples counts 1 / 16. Left out is what might be hidden or done once: addresses, loop counters, moves,
// numbers that all samples of a step share, and of Philox's rounds whatever no counter word changes from call to call
// (philox_operations).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "phasegrid/architecture.hpp"

namespace phasegrid {
struct Calls;  // kernels/machine/calls.hpp
}

namespace phasegrid::bench {

enum class Machine { avx2, avx512, cuda };
const char* to_string(Machine machine);
// Lanes of an instruction: 8, 16, 32.
int lanes_of(Machine machine);

struct Operations {
  double fma = 0;         // fused multiply-adds
  double arithmetic = 0;  // float additions, subtractions, products
  double logic = 0;       // comparisons, selections, masks, shifts, exclusive ors, integer additions
  double wide = 0;        // 32 x 32 -> 64-bit products
  double convert = 0;     // integer to float
  double special = 0;     // IEEE divisions and square roots
  double shuffle = 0;     // words moved between lanes
  double memory = 0;      // loads and stores of shared memory, or of a core's first-level cache

  Operations& operator+=(const Operations& other);
  double total() const { return fma + arithmetic + logic + wide + convert + special + shuffle + memory; }
};
Operations operator+(Operations a, const Operations& b);
Operations operator*(double factor, Operations a);
// Names and numbers, for tables and files.
std::vector<std::pair<std::string, double>> by_class(const Operations& operations);

struct Count {
  Operations random;    // Philox and the conversion of words to features
  Operations router;    // scores, choice, softmax, load balance
  Operations expert;    // hidden units, outputs
  Operations backward;  // errors and the sums of their products
  Operations step;      // once a step, shared out over its batch: reductions, AdamW
  Operations total() const;
  Operations per_sample() const;  // without `step`: what the innermost loops hold
};

// One block of Philox4x32-7 (four words) in every lane of a register. A counter word may differ from call to call, from
// lane to lane, or both; only work on values that do both is counted.
struct CounterWord {
  bool by_call = false, by_lane = false;
};
Operations philox_operations(const CounterWord (&counter)[4], Machine machine);

// The instructions that calls take, where blocks of Philox have this counter.
Operations price(const Calls& calls, Machine machine, const CounterWord (&counter)[4]);

// What besides the shape decides on the count. `load_balance`: whether the load-balance loss is on.
struct Setting {
  int batch = 512;
  bool load_balance = true;
};
Count count_tiny(const Shape& shape, const Setting& setting, Machine machine);
Count count_block(const Shape& shape, const Setting& setting, Machine machine);

// Fused multiply-adds of one sample in a block mapping's step that skips nothing but inactive experts and pads nothing.
// What the share of peak counts: h, W h, dL/dh and two outer products for the experts, the scores, and for k > 1 the
// gates' slopes and the router's gradient.
double dense_multiply_adds(const Shape& shape);

// The sum of a register's lanes, for one of as many as are summed together: a CPU's sum_lanes, a GPU's sixteen.
Operations lane_sum(Machine machine);

}  // namespace phasegrid::bench
