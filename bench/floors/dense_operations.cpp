// The block mapping of a dense model: a register's lanes are samples (kernels/block/dense.hpp).
#include <algorithm>
#include <cmath>

#include "block/layout.hpp"
#include "operations.hpp"

namespace phasegrid::bench {
namespace {

// All counts below but `sums` are of one instruction for as many samples as there are lanes.
struct Counter {
  Machine machine;
  double n, m;
  double groups, sample_registers, dot_columns;  // kGroups, kSampleRegisters, kDotColumns

  Counter(const Shape& shape, Machine which)
      : machine(which),
        n(shape.n_features),
        m(shape.n_hidden),
        groups(32.0 / lanes_of(which)),
        sample_registers(groups <= 2 ? 4 : 2),
        dot_columns(groups <= 2 ? 4 : 2) {}

  double keep() const { return machine == Machine::avx512 ? 0 : 1; }

  Operations random() const {
    const Operations block = philox_operations({{.by_call = true}, {.by_lane = true}, {}, {}}, machine);
    // x, and limit, scale and offset, which all lanes of a call share.
    return n / 4 * block + n * Operations{.fma = 1, .logic = 1 + keep(), .convert = 1, .memory = 1 + 3 / groups};
  }
  // for_each_product without what is done with its sums: values are read once for four rows, weights once for so many
  // registers.
  Operations product(double rows, double depth) const {
    return {.fma = rows * depth, .memory = depth * (std::ceil(rows / 4) + rows / sample_registers)};
  }
  Operations forward() const { return product(m, n) + Operations{.memory = m} + product(n, m); }
  Operations backward() const {
    // 2 scale I (z - x), kept where open.
    Operations count = n * Operations{.arithmetic = 2, .logic = 1 + keep(), .memory = 2};
    count += product(m, n) + Operations{.memory = m};
    const double sums = up(n, 4) * up(m, 4);  // of x dL/dh and of g h
    count += 2 * sums * Operations{.fma = 1, .memory = (4 + dot_columns) / (4 * dot_columns)};
    return count + n * Operations{.arithmetic = 1, .memory = 1};  // dL/db
  }
  // Once a tile: dL/dW and dL/db over the lanes, and added up.
  Operations sums() const {
    const Operations one = Operations{.arithmetic = groups - 1 + 1.0 / 4, .memory = 2.0 / 4} + lane_sum(machine);
    return (up(n, 4) * up(m, 4) + up(n, 16)) * one;
  }
};

}  // namespace

Count count_dense(const Shape& shape, const Setting& setting, Machine machine) {
  const Counter c(shape, machine);
  const double lanes = lanes_of(machine), tile = std::min(kDenseTile, setting.batch);
  Count count;
  count.random = 1 / lanes * c.random();
  count.expert = 1 / lanes * c.forward();
  count.backward = 1 / lanes * c.backward() + 1 / tile * c.sums();
  const double parameters = (c.m + 2) * up(c.n, machine == Machine::cuda ? 32 : 16) / lanes;
  count.step = 1.0 / setting.batch * (adamw(parameters) + parameters * Operations{.memory = 1});
  return count;
}

}  // namespace phasegrid::bench
