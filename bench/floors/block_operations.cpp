// The block mapping of a mixture: a register's lanes are features of one sample, padded to whole registers
// (kernels/block/).
#include <cmath>

#include "operations.hpp"

namespace phasegrid::bench {
namespace {

struct Counter {
  Machine machine;
  double n, m, E, k;
  double width, groups, R;     // lanes, registers of 32 lanes, registers of a row
  double dot_columns, passes;  // rows.hpp: kDotColumns; passes over a row of R registers
  double mask;

  Counter(const Shape& shape, Machine which)
      : machine(which),
        n(shape.n_features),
        m(shape.n_hidden),
        E(shape.n_experts),
        k(shape.top_k),
        width(lanes_of(which)),
        groups(32 / width),
        R(std::ceil(n / width)),
        dot_columns(groups <= 2 ? 4 : 2),
        passes(std::ceil(R / (groups <= 2 ? 4 : 2))),
        mask(which == Machine::avx2 ? 1 : 0) {}

  // One dot product of a row, its lanes' sum included, of sixteen that are made together.
  Operations dot_product() const {
    const double loads = (4 + dot_columns) / (4 * dot_columns);
    return Operations{.fma = R, .arithmetic = groups - 1, .memory = loads * R} + lane_sum(machine);
  }

  Operations random() const {
    // The calls of one lane fill a register, or the threads of a warp.
    const bool cpu = machine != Machine::cuda;
    Operations blocks = philox_operations({{.by_call = true, .by_lane = true}, {}, {}, {}}, machine);
    if (cpu) blocks += Operations{.shuffle = 8, .memory = 4};  // store_calls
    const double keep = machine == Machine::avx512 ? 0 : 1;
    const double memory = cpu ? 5 : 4;  // the word, limit, scale, offset; x
    return n / 4 / width * blocks +
           (cpu ? R : n / width) * Operations{.fma = 1, .logic = 1 + keep, .convert = 1, .memory = memory};
  }

  Operations router(bool balance) const {
    Operations count = up(E, 4) * dot_product();
    // choose_experts, a register of samples at a time: k passes for the highest, then the gates.
    Operations choice = E * Operations{.memory = 2};
    choice += k * E * Operations{.logic = 3, .memory = 1};
    choice += k * E * Operations{.logic = 4, .memory = 2};
    if (k == 1) {
      choice += E * Operations{.logic = 2, .memory = 2};
    } else {
      choice += E * (exponential() + Operations{.arithmetic = 3, .logic = 3 + 2 * mask, .special = 1, .memory = 6});
    }
    if (balance) {
      choice += E * (exponential() + Operations{.arithmetic = 2, .logic = 1, .special = 1, .memory = 4});
      choice += E * Operations{.fma = 1, .arithmetic = 2, .memory = 3};  // balance_tile
    }
    choice += E * Operations{.logic = 2, .memory = 2};  // gather_entries, twice over the gates
    count += 1 / width * choice;
    count.memory += k / (machine == Machine::cuda ? width : 1) * (k == 1 ? 1 : 5);  // the lists
    return count;
  }

  // combine_outputs, without what is done with the error.
  Operations outputs() const { return k * Operations{.fma = R * m, .memory = R * m / 4 + m * passes + R / 4}; }
  Operations expert() const {
    const double columns = up(m, 2);
    Operations count = k * columns * dot_product() + outputs();
    if (k > 1) {
      count += k * R * Operations{.logic = 2, .memory = 1};                          // y = ReLU(z)
      count += k * R * Operations{.fma = 1, .memory = 1} + Operations{.memory = R};  // gate y, less x
    }
    return count;
  }

  Operations backward(bool balance) const {
    const double keep = machine == Machine::avx512 ? 0 : 1;
    Operations count;
    if (k == 1) {
      count += R * Operations{.arithmetic = 3, .logic = 1 + keep, .memory = 3};  // 2 scale I (z - x), kept where open
    } else {
      count += R * Operations{.arithmetic = 2, .memory = 2};
      count += k * (R * Operations{.fma = 1, .arithmetic = 1, .logic = 1 + keep, .memory = 3} +
                    Operations{.arithmetic = groups - 1} + lane_sum(machine));
      count += (machine == Machine::cuda ? k / width : k) * Operations{.fma = 1, .arithmetic = 2, .memory = 5};
    }
    count += k * up(m, 2) * dot_product();  // dL/dh
    count += k * Operations{.fma = 2 * R * m, .memory = 2 * R * std::ceil(m / 4) + 2 * m * passes};
    count += k * R * Operations{.arithmetic = 1, .memory = 1};  // dL/db
    if (balance) {
      count += E * Operations{.fma = R, .memory = R + passes};  // dL/dG, every sample and expert
    } else if (k > 1) {
      count += k * Operations{.fma = R, .memory = R + 1};
    }
    return count;
  }
};

}  // namespace

Count count_block(const Shape& shape, const Setting& setting, Machine machine) {
  if (shape.n_experts == 1) return count_dense(shape, setting, machine);
  const bool balance = setting.load_balance;
  const Counter c(shape, machine);
  Count count;
  count.random = c.random();
  count.router = c.router(balance);
  if (balance) {  // shares of the experts are needed first: the batch is drawn and routed twice
    count.random += c.random();
    count.router += c.router(false);
  }
  count.expert = c.expert();
  count.backward = c.backward(balance);
  const double rows = c.E * (c.m + 2);
  const double padded = machine == Machine::cuda ? up(c.n, 32) : up(c.n, 16);
  count.step =
      1.0 / setting.batch * (adamw(rows * padded / c.width) + rows * padded / c.width * Operations{.memory = 1});
  return count;
}

}  // namespace phasegrid::bench
