// From counted operations to a floor: the time they take at the machine's rates, if everything overlaps.
#pragma once

#include <string>

#include "operations.hpp"

namespace phasegrid::bench {

struct Floor {
  double seconds = 0;  // a sample
  std::string limit;   // what the time is due to
};

// One core of an Intel CPU since Ice Lake at this clock. Arithmetic goes to two ports with 512 bits and to three with
// 256, of which two take products and additions; one (two) shuffle; two loads or stores of the first-level cache end a
// cycle. bench/rates_cpu measures these rates.
Floor cpu_floor(const Operations& operations, Machine machine, double gigahertz);

// Instructions of a warp that a whole GPU finishes a second, each kind alone (rates_cuda measures them); `issue`: of
// any kind. Divisions and square roots are sequences, so `special` counts those.
struct CudaRates {
  std::string device;
  int devices = 1;  // GPUs of the machine; the rates are those of one
  int processors = 0;
  double gigahertz = 0;
  double fma = 0, logic = 0, wide = 0, convert = 0, special = 0, shuffle = 0, memory = 0, issue = 0;
};
Floor cuda_floor(const Operations& operations, const CudaRates& rates);

// The data sheet's rates of compute capability 9.0 (CUDA C++ Programming Guide, "Throughput of Native Arithmetic
// Instructions") at this clock, where no GPU is at hand to measure; a wide product is taken for two integer ones, a
// division for ten instructions.
CudaRates data_sheet_rates(int processors, double gigahertz);

}  // namespace phasegrid::bench
