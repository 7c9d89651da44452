// The tiny mapping: a register's lanes are samples of one model (kernels/tiny/backward.hpp and what it calls).
#include <algorithm>

#include "operations.hpp"

namespace phasegrid::bench {
namespace {

// All counts below are of one instruction for as many samples as there are lanes; `mask` is what a masked operation
// costs beside itself. AVX-512 masks for nothing and a GPU predicates; AVX2 needs an `and`.
struct Counter {
  double n, m, E, k, pairs, mask;
  Machine machine;

  Operations random() const {
    // Counter words: call, lane, step, stream (kernels/common/inputs.hpp).
    const Operations block = philox_operations({{.by_call = true}, {.by_lane = true}, {}, {}}, machine);
    // A feature: compare, convert, multiply-add, keep. AVX-512 keeps in the multiply-add.
    const double keep = machine == Machine::avx512 ? 0 : 1;
    return n / 4 * block + n * Operations{.fma = 1, .logic = 1 + keep, .convert = 1};
  }

  Operations scores() const { return {.fma = (E - 1) * (n - 1), .arithmetic = (E - 1)}; }
  // The best of several scores: a comparison and a selection each.
  Operations best() const { return {.logic = 2 * (E - 1)}; }

  // Probabilities of all experts, or for two of them of the likelier and the other.
  Operations softmax() const {
    if (E == 2) return Operations{.arithmetic = 2, .logic = 1} + exponential() + reciprocal();
    return E * (Operations{.arithmetic = 1} + exponential()) + reciprocal() + Operations{.arithmetic = E - 1 + E};
  }

  // The same for k = 1, from the terms of the experts not chosen (kernels/tiny/router.hpp, exponents_of_others).
  Operations softmax_top1() const {
    if (E == 2) return softmax();
    double selections = E;  // of 1 for the expert chosen
    for (double i = 0; i < E - 1; ++i) selections += std::min(i + 1, E - 1 - i);
    for (double e = 1; e < E - 1; ++e) selections += std::min(e + 1, E - 1 - e);
    return (E - 1) * (Operations{.arithmetic = 1} + exponential()) + reciprocal() +
           Operations{.arithmetic = E - 1 + E, .logic = selections};
  }

  // h and z of one expert.
  Operations expert() const { return {.fma = 2 * n * m - m, .arithmetic = m}; }

  Operations router_top1(bool balance) const {
    if (E == 1) return {};
    Operations count = scores() + best();
    count.logic += E > 2 ? E : 1;  // chosen[e], from the wins
    if (balance) {
      count += softmax_top1();
      count.arithmetic += pairs;                                      // P_i P_j
      count.fma += pairs * n;                                         // its sums with x
      count += (E - 1) * Operations{.arithmetic = 1, .logic = mask};  // samples of each expert
    }
    return count;
  }
  Operations look_up() const { return {.logic = (E - 1) * (n * m + n)}; }
  Operations backward_top1() const {
    // is_open, z - x (kept where open), then the sums of g and of g x'.
    Operations count = n * Operations{.arithmetic = 1, .logic = 1 + (machine == Machine::avx512 ? 0.0 : 1.0)};
    count += E * n * Operations{.fma = n, .arithmetic = 1, .logic = E > 1 ? mask : 0};
    return count;
  }

  // kernels/tiny/router.hpp, choose_top_k.
  Operations choose_top_k() const {
    Operations count = best() + softmax();
    if (E == 2) count.logic += 3;                                         // which of the two is the likelier
    count += pairs * Operations{.arithmetic = 2, .logic = 1 + 2 * mask};  // experts above
    count += E * Operations{.arithmetic = 2, .logic = 1 + 2 * mask};      // active, sum, gate
    count.special += 1;
    return count;
  }
  Operations outputs_top_k() const { return E * (expert() + n * Operations{.fma = 1, .logic = 2}); }
  Operations backward_top_k() const {
    Operations count{.arithmetic = n};                                          // importance times error
    count += E * n * Operations{.fma = 1, .arithmetic = 2, .logic = 1 + mask};  // gate_slope, g, sum of g
    count.fma += E * n * n;                                                     // sums of g x'
    count += E * Operations{.fma = 3, .arithmetic = 3};                         // mean slopes, slope
    count.fma += E * n;                                                         // dL/ds x
    return count;
  }
  // sum_losses, which the load balance of k > 1 needs for the share of each expert.
  Operations loss_top_k() const {
    return scores() + choose_top_k() + outputs_top_k() + n * Operations{.fma = 1, .arithmetic = 2} +
           E * Operations{.arithmetic = 2, .logic = mask};
  }
};

// Sums of V numbers a lane over 32 lanes, on the whole step's account (kernels/machine/).
Operations reduce(double V, Machine machine) {
  Operations count;
  if (machine == Machine::cuda) {
    for (double first = 0; first < V; first += 32) {
      double numbers = 1;
      while (numbers < std::min(32.0, V - first)) numbers *= 2;
      for (int distance = 16; distance > 0; distance /= 2) {
        numbers = std::max(1.0, numbers / 2);
        count += numbers * Operations{.arithmetic = 1, .shuffle = 1};
        if (numbers >= 1 && first + 1 < V) count.logic += 2 * numbers;
      }
      count += Operations{.arithmetic = 1, .memory = 1};
    }
    return count;
  }
  const double width = lanes_of(machine), groups = 32 / width;
  count.memory += 2 * V * groups;  // deposited and read again
  count.arithmetic += V * (groups - 1);
  const double registers = static_cast<double>((static_cast<int>(V) + lanes_of(machine) - 1) / lanes_of(machine));
  const bool blends = machine == Machine::avx512;  // of the two operands of a level one is a blend
  count += registers * Operations{.arithmetic = width,
                                  .logic = blends ? width - 1 : 0,
                                  .shuffle = blends ? width - 1 : 2 * (width - 1),
                                  .memory = 1};
  return count;
}

}  // namespace

Count count_tiny(const Shape& shape, const Setting& setting, Machine machine) {
  const double n = shape.n_features, m = shape.n_hidden, E = shape.n_experts, pairs = E * (E - 1) / 2;
  const bool top1 = shape.top_k == 1;
  const Counter c{n, m, E, 1.0 * shape.top_k, pairs, machine == Machine::avx2 ? 1.0 : 0.0, machine};
  Count count;
  count.random = c.random();
  if (top1) {
    count.router = c.router_top1(setting.load_balance);
    count.expert = c.expert() + c.look_up();
    count.backward = c.backward_top1();
  } else {
    count.router = c.scores() + c.choose_top_k();
    count.expert = c.outputs_top_k();
    count.backward = c.backward_top_k();
    if (setting.load_balance) {
      count.router += c.loss_top_k();
      count.random += c.random();
    }
  }
  const double width = lanes_of(machine);
  for (Operations* stage : {&count.random, &count.router, &count.expert, &count.backward})
    *stage = (1 / width) * *stage;

  // Once a step. Parameters' gradients from the sums are scalar on a CPU, where the units of an expert share
  // I_f M_ff' + I_f' M_f'f, and one a thread on a GPU.
  const double V = top1 ? E * n * n + E * n + pairs * n + E - 1 : E * n * n + 2 * E * n;
  const double parameters = shape.parameter_count(), weights = E * n * m;
  const double registers = static_cast<double>((shape.parameter_count() + lanes_of(machine) - 1) / lanes_of(machine));
  count.step = reduce(V, machine) + adamw(registers);
  Operations gradients = (parameters - weights) * Operations{.arithmetic = 2, .memory = 2};
  if (machine == Machine::cuda) {
    gradients += weights * Operations{.fma = 2 * n, .arithmetic = n + 1, .memory = 3 * n};
    count.step += (1 / width) * gradients;
  } else {
    gradients += E * n * n * Operations{.fma = 1, .arithmetic = 1, .memory = 1};
    count.step += gradients + weights * Operations{.fma = n, .arithmetic = 1, .memory = 2};
  }
  count.step = (1.0 / setting.batch) * count.step;
  return count;
}

}  // namespace phasegrid::bench
