// From the calls that the counting machine counts (step_calls.hpp) to a machine's instructions, and by hand what it
// does not see: Philox, sums over lanes, a CPU's scalar work, and how a GPU's threads draw a mixture's inputs.
#include <algorithm>

#include "block/layout.hpp"
#include "operations.hpp"
#include "step_calls.hpp"
#include "train/plan.hpp"

namespace phasegrid::bench {
namespace {

// Of the tiny mapping and the optimiser: what all lanes share stays in registers.
Calls without_broadcasts(Calls calls) {
  calls.broadcast = 0;
  return calls;
}

// Sums of V numbers a lane over 32 lanes, on the whole step's account (kernels/machine/).
Operations reduce(int V, Machine machine) {
  Operations count;
  if (machine == Machine::cuda) {
    for (int first = 0; first < V; first += 32) {
      int numbers = 1;
      while (numbers < std::min(32, V - first)) numbers *= 2;
      for (int distance = 16; distance > 0; distance /= 2) {
        numbers = std::max(1, numbers / 2);
        count += numbers * Operations{.arithmetic = 1, .shuffle = 1};
        if (first + 1 < V) count.logic += 2 * numbers;
      }
      count += Operations{.arithmetic = 1, .memory = 1};
    }
    return count;
  }
  const int width = lanes_of(machine), groups = 32 / width;
  count.memory += 2 * V * groups;  // deposited and read again
  count.arithmetic += V * (groups - 1);
  const int registers = (V + width - 1) / width;
  return count + registers * width * lane_sum(machine);
}

// Parameters' gradients from a tiny model's sums: scalar on a CPU, where the units of an expert share
// I_f M_ff' + I_f' M_f'f, and one a thread on a GPU.
Operations gradients_from_sums(const Shape& shape, Machine machine) {
  const double n = shape.n_features, m = shape.n_hidden, E = shape.n_experts, weights = E * n * m;
  Operations count = (shape.parameter_count() - weights) * Operations{.arithmetic = 2, .memory = 2};
  if (machine == Machine::cuda) {
    count += weights * Operations{.fma = 2 * n, .arithmetic = n + 1, .memory = 3 * n};
    return 1.0 / lanes_of(machine) * count;
  }
  count += E * n * n * Operations{.fma = 1, .arithmetic = 1, .memory = 1};
  return count + weights * Operations{.fma = n, .arithmetic = 1, .memory = 2};
}

// A mixture's inputs on a GPU, where a thread draws a call's words and puts each into its row; n / 4 calls a sample.
Operations rows_drawn_by_threads(double n, const Operations& block) {
  return 1.0 / 32 * (n / 4 * block + n * Operations{.fma = 1, .logic = 2, .convert = 1, .memory = 4});
}

}  // namespace

Operations price(const Calls& calls, Machine machine, const CounterWord (&counter)[4]) {
  const auto number = [](long calls_of_a_kind) { return static_cast<double>(calls_of_a_kind); };
  // AVX-512 hides lanes in the operation that made the number; a GPU predicates sums; AVX2 needs an `and` for both.
  const long hidden = machine == Machine::avx512 ? 0 : machine == Machine::cuda ? calls.keep : calls.keep + calls.mask;
  Operations count{.fma = number(calls.fma),
                   .arithmetic = number(calls.arithmetic),
                   .logic = number(calls.compare + calls.logic + hidden),
                   .convert = number(calls.convert),
                   .special = number(calls.special),
                   .memory = number(calls.load + calls.store + calls.broadcast)};
  count += number(calls.blocks) * philox_operations(counter, machine);
  count += 16 * number(calls.sixteens) * lane_sum(machine);
  if (machine == Machine::cuda) {  // sixteen lanes add, read and write at once
    count += number(calls.added_fours) / 4 * Operations{.arithmetic = 1, .memory = 1};
  } else {
    count += number(calls.added_fours) * Operations{.arithmetic = 1, .memory = 2};
    count += number(calls.store_calls) * Operations{.shuffle = 8, .memory = 4};
  }
  return count;
}

Count count_tiny(const Shape& shape, const Setting& setting, Machine machine) {
  const int width = lanes_of(machine);
  const StepCalls step = tiny_step_calls(shape, setting.load_balance, width);
  // Counter words: call, lane, step, stream (kernels/common/inputs.hpp).
  const auto of = [&](const Calls& calls) {
    return price(without_broadcasts(calls), machine, {{.by_call = true}, {.by_lane = true}, {}, {}});
  };
  const double share = 1.0 / (static_cast<double>(step.counted) * width);
  const int registers = (shape.parameter_count() + width - 1) / width;
  const Operations once =
      reduce(step.values, machine) + registers * of(step.optimiser) + gradients_from_sums(shape, machine);
  return {.random = share * of(step.random),
          .router = share * of(step.router),
          .expert = share * of(step.expert),
          .backward = share * of(step.backward),
          .step = 1.0 / setting.batch * once};
}

Count count_block(const Shape& shape, const Setting& setting, Machine machine) {
  const bool dense = shape.n_experts == 1, cuda = machine == Machine::cuda;
  const int width = lanes_of(machine), k = shape.top_k;
  const int tile = cpu_tile(shape, setting.batch);
  const StepCalls step = block_step_calls(shape, setting.load_balance, tile, width);
  // A dense model's lanes are samples, a mixture's are calls of one lane.
  const CounterWord call{.by_call = true, .by_lane = !dense}, lane{.by_call = false, .by_lane = dense};
  const auto of = [&](const Calls& calls) { return price(calls, machine, {call, lane, {}, {}}); };
  const double share = 1.0 / static_cast<double>(step.counted);
  Count count{.random = share * of(step.random),
              .router = share * of(step.router),
              .expert = share * of(step.expert),
              .backward = share * of(step.backward),
              .step = {}};
  if (!dense) {
    const double threads = cuda ? width : 1;
    if (cuda) {
      const Operations drawn =
          rows_drawn_by_threads(shape.n_features, philox_operations({call, lane, {}, {}}, machine));
      count.random = (setting.load_balance ? 2 : 1) * drawn;
    }
    count.router.memory += k / threads * (k == 1 ? 1 : 5);  // the lists of entries
    if (k > 1) count.backward += k / threads * Operations{.fma = 1, .arithmetic = 2, .memory = 5};  // score_slopes
  }
  const int padded = round_up(shape.n_features, cuda ? 32 : 16);
  const double registers = static_cast<double>(shape.n_experts * (shape.n_hidden + 2) * padded) / width;
  // Cleared, then taken by the optimiser.
  count.step = registers / setting.batch * (Operations{.memory = 1} + of(without_broadcasts(step.optimiser)));
  return count;
}

}  // namespace phasegrid::bench
