// Who is measured: the fused block mapping, on the CPU or a GPU, and the unfused pipeline of bench/unfused/peer/.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "phasegrid/train.hpp"
#include "work.hpp"

namespace phasegrid::fused_moe {

class Contestant {
 public:
  virtual ~Contestant() = default;
  // Seconds that so many steps, or forward passes, of all models take, without what is paid once a launch.
  virtual double seconds(Mode mode, int steps) = 0;
  // Parameters of every model after so many steps; forward: the losses of the last batch. For tests.
  virtual std::vector<float> run(Mode mode, int steps) = 0;
};

// They throw InputError where a problem does not fit them, std::runtime_error where a call fails.
std::unique_ptr<Contestant> fused_on_cpu(const Problem& problem, InstructionSet set, int threads);
std::unique_ptr<Contestant> fused_on_cuda(const Problem& problem);
std::unique_ptr<Contestant> unfused_on_cuda(const Problem& problem, bool tf32);

// FP32 operations a second (two a fused multiply-add): of the GPU by its data sheet (multiprocessors, lanes, clock), of
// the CPU as measured.
double cuda_peak();
double cpu_peak(InstructionSet set, int threads);

// "" where CUDA contestants can run, else one sentence.
std::string cuda_trouble();
std::string cuda_name();

}  // namespace phasegrid::fused_moe
