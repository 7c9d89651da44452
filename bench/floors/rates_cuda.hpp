// What a GPU really does a second: the rates of floor.hpp, measured.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "floor.hpp"

namespace phasegrid::bench {

// No GPU, or one that failed: what() is a sentence.
class NoCuda : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One micro-benchmark: what it repeats, how often a second on the whole GPU, and on one processor in one clock.
struct CudaRate {
  std::string name;
  double per_second = 0;           // operations of one lane
  double per_clock_processor = 0;  // by the processors' own clocks
};
struct CudaMeasurements {
  CudaRates rates;
  std::vector<CudaRate> all;
};
// Of the first GPU. Takes about a second. Throws NoCuda.
CudaMeasurements measure_cuda_rates();

}  // namespace phasegrid::bench
