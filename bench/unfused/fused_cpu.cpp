// The fused block mapping on the CPU: threads take models from a queue.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <thread>

#include "contestant.hpp"
#include "cpu_peak.hpp"
#include "fused_job.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {

// fused_cpu_kernel.cpp, compiled for each machine.
#define PHASEGRID_DECLARE(machine)                                                                   \
  namespace machine {                                                                                \
  void run_fused(const fused_moe::FusedJob& job, bool forward, int index, const BlockLayout& layout, \
                 float* workspace);                                                                  \
  }
PHASEGRID_DECLARE(fused_baseline)
PHASEGRID_DECLARE(fused_avx2)
PHASEGRID_DECLARE(fused_avx512)
#undef PHASEGRID_DECLARE

namespace fused_moe {
namespace {

using Run = void (*)(const FusedJob&, bool, int, const BlockLayout&, float*);

Run run_of(InstructionSet set) {
#if PHASEGRID_WITH_AVX512
  if (set == InstructionSet::avx512) return fused_avx512::run_fused;
#endif
#if PHASEGRID_WITH_AVX2
  if (set == InstructionSet::avx2) return fused_avx2::run_fused;
#endif
  return fused_baseline::run_fused;
}

struct AlignedFree {
  void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
};

class FusedCpu final : public Contestant {
 public:
  FusedCpu(const Problem& problem, InstructionSet set, int threads)
      : problem_(problem),
        run_(run_of(set)),
        layout_(block_layout(problem.shape, cpu_tile(problem.shape, problem.cell.train.batch), false, 16, true)),
        losses_(static_cast<std::size_t>(problem.models)),
        trained_(losses_.size() * problem.parameters.size()) {
    const std::size_t size =
        workspace_floats(layout_);
    for (int t = 0; t < threads; ++t) {
      workspaces_.emplace_back(static_cast<float*>(::operator new (size * sizeof(float), std::align_val_t{64})));
    }
  }

  double seconds(Mode mode, int steps) override { return timed(mode, steps) - timed(mode, 0); }

  std::vector<float> run(Mode mode, int steps) override {
    timed(mode, steps);
    return mode == Mode::forward ? losses_ : trained_;
  }

 private:
  double timed(Mode mode, int steps) {
    const std::vector<BiasCorrection> corrections = bias_corrections(steps);
    const FusedJob job{problem_.shape,
                       &problem_.settings,
                       problem_.features.data(),
                       problem_.parameters.data(),
                       corrections.data(),
                       problem_.models,
                       steps,
                       losses_.data(),
                       trained_.data(),
                       nullptr};
    const auto start = std::chrono::steady_clock::now();
    std::atomic<int> next{0};
    {
      std::vector<std::jthread> workers;
      for (const auto& workspace : workspaces_) {
        workers.emplace_back([&, mine = workspace.get()] {
          for (int index = next++; index < problem_.models; index = next++) {
            run_(job, mode == Mode::forward, index, layout_, mine);
          }
        });
      }
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  Problem problem_;
  Run run_;
  BlockLayout layout_;
  std::vector<float> losses_, trained_;
  std::vector<std::unique_ptr<float, AlignedFree>> workspaces_;
};

}  // namespace

std::unique_ptr<Contestant> fused_on_cpu(const Problem& problem, InstructionSet set, int threads) {
  return std::make_unique<FusedCpu>(problem, set, threads);
}

double cpu_peak(InstructionSet set, int threads) { return 2 * bench::measure_peak(set, threads); }

}  // namespace fused_moe
}  // namespace phasegrid
