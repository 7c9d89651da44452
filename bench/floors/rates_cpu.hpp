// Micro-benchmarks of one instruction set's arithmetic, compiled once for each (rates_cpu_machine.cpp).
#pragma once

namespace phasegrid::bench {

struct CpuOperation {
  const char* name;
  double per_turn;             // operations of one lane in one turn
  float (*repeat)(int turns);  // the result keeps the work alive
};
constexpr int kCpuOperations = 9;

}  // namespace phasegrid::bench

namespace phasegrid::avx2 {
const bench::CpuOperation* cpu_operations();  // [kCpuOperations]
}
namespace phasegrid::avx512 {
const bench::CpuOperation* cpu_operations();  // [kCpuOperations]
}
