#include "floor.hpp"

#include <algorithm>

namespace phasegrid::bench {
namespace {

void raise(Floor& floor, double seconds, const char* limit) {
  if (seconds > floor.seconds) floor = {seconds, limit};
}

}  // namespace

Floor cpu_floor(const Operations& o, Machine machine, double gigahertz) {
  const bool wide = machine == Machine::avx512;
  const double cycle = 1e-9 / gigahertz;
  const double vector = o.total() - o.memory;
  Floor floor;
  raise(floor, vector / (wide ? 2 : 3) * cycle, "vector ports");
  raise(floor, (o.fma + o.arithmetic + o.wide + o.convert) / 2 * cycle, "product ports");
  raise(floor, o.shuffle / (wide ? 1 : 2) * cycle, "shuffles");
  raise(floor, o.special * (wide ? 10 : 5) * cycle, "divider");
  raise(floor, o.memory / (wide ? 2 : 3) * cycle, "first-level cache");
  return floor;
}

Floor cuda_floor(const Operations& o, const CudaRates& rates) {
  Floor floor;
  raise(floor, o.total() / rates.issue, "issue slots");
  raise(floor, (o.fma + o.arithmetic) / rates.fma, "fma");
  raise(floor, o.logic / rates.logic, "integer and logic");
  raise(floor, o.wide / rates.wide, "wide products");
  raise(floor, o.convert / rates.convert, "conversions");
  raise(floor, o.special / rates.special, "divisions and roots");
  raise(floor, o.shuffle / rates.shuffle, "shuffles");
  raise(floor, o.memory / rates.memory, "shared memory");
  return floor;
}

CudaRates data_sheet_rates(int processors, double gigahertz) {
  const double warps = processors * gigahertz * 1e9 / 32;  // instructions of a warp a second, for one lane a clock
  return {.device = "data sheet, compute capability 9.0",
          .processors = processors,
          .gigahertz = gigahertz,
          .fma = 128 * warps,
          .logic = 64 * warps,
          .wide = 32 * warps,
          .convert = 64 * warps,
          .special = 12.8 * warps,
          .shuffle = 32 * warps,
          .memory = 32 * warps,
          .issue = 128 * warps};
}

}  // namespace phasegrid::bench
