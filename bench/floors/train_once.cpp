// Trains one model of a benchmark shape on one thread and nothing else: the program whose instructions
// bench/floors/machine_code.py counts under valgrind. Instructions of a sample are the difference of two numbers of
// steps, so that start and end do not count.
//
//   build/bench/train_once CASE STEPS INSTRUCTION_SET
#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "cases.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::bench {
namespace {

int train_case(const Case& c, int steps, InstructionSet set) {
  Sweep sweep;
  sweep.shape = c.shape;
  sweep.restarts = 1;
  sweep.train.batch = c.batch;
  sweep.train.load_balance = c.load_balance;
  sweep.train.keep = Keep::last_batch;  // steps alone are timed
  sweep.train.steps = steps;
  sweep.data.sparsity = 1 - c.density;
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  options.threads = 1;
  options.instruction_set = set;
  const Results results = train(sweep, options);
  fmt::print("{} loss {}\n", c.name, results.final_losses[0]);
  return 0;
}

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid;
  const std::string name = argc == 4 ? argv[1] : "", set = argc == 4 ? argv[3] : "";
  const int steps = argc == 4 ? std::atoi(argv[2]) : 0;
  for (InstructionSet candidate : {InstructionSet::avx2, InstructionSet::avx512}) {
    if (set != to_string(candidate) || steps < 1) continue;
    for (const bench::Case& c : bench::kTinyCases) {
      if (name == c.name) return bench::train_case(c, steps, candidate);
    }
    for (const bench::Case& c : bench::kBlockCases) {
      if (name == c.name) return bench::train_case(c, steps, candidate);
    }
  }
  fmt::print(stderr,
             "train_once: wanted CASE STEPS INSTRUCTION_SET: a case of bench/cases.hpp, 1 or more, avx2 or avx512\n");
  return 2;
}
