// The fused block mapping and the unfused pipeline on a GPU.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "train/backend.hpp"
#include "contestant.hpp"
#include "train/cuda_memory.hpp"
#include "fused_cuda_kernel.hpp"
#include "phasegrid/error.hpp"
#include "trainer.hpp"

namespace phasegrid::fused_moe {
namespace {

constexpr int kMostSteps = 20000;  // the length of the table of bias corrections

class Event {
 public:
  Event() { PHASEGRID_CUDA(cudaEventCreate(&event_)); }
  ~Event() { (void)cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(const Stream& stream) { PHASEGRID_CUDA(cudaEventRecord(event_, stream.get())); }
  double seconds_since(const Event& start) const {
    PHASEGRID_CUDA(cudaEventSynchronize(event_));
    float milliseconds = 0;
    PHASEGRID_CUDA(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return static_cast<double>(milliseconds) / 1e3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

FusedLaunch launch_of(const Problem& problem, bool forward) {
  FusedLaunch launch;
  check_cuda(describe_fused(problem.shape, problem.cell.train.batch, problem.models, forward, &launch),
             "description of the fused kernel");
  if (launch.layout.tile == 0) {
    throw InputError(fmt::format("the model needs {} KiB of shared memory, and {} has {} KiB a block",
                                 (launch.shared_bytes + 1023) / 1024, find_gpus().names, launch.shared_limit / 1024));
  }
  return launch;
}

class FusedCuda final : public Contestant {
 public:
  explicit FusedCuda(const Problem& problem)
      : shape_(problem.shape),
        models_(static_cast<std::size_t>(problem.models)),
        forward_(launch_of(problem, true)),
        step_(launch_of(problem, false)),
        cell_(std::span(&problem.settings, 1)),
        features_(problem.features),
        parameters_(problem.parameters),
        corrections_(bias_corrections(kMostSteps)),
        losses_(models_),
        trained_(models_ * problem.parameters.size()),
        states_(static_cast<std::size_t>(std::max(forward_.blocks, step_.blocks)) * kOptimiserStates *
                 static_cast<std::size_t>(step_.layout.parameter_floats)) {}

  double seconds(Mode mode, int steps) override { return timed(mode, steps) - timed(mode, 0); }

  std::vector<float> run(Mode mode, int steps) override {
    timed(mode, steps);
    const bool forward = mode == Mode::forward;
    std::vector<float> out(forward ? models_ : models_ * static_cast<std::size_t>(shape_.parameter_count()));
    PHASEGRID_CUDA(cudaMemcpy(out.data(), forward ? losses_.data() : trained_.data(), out.size() * sizeof(float),
                              cudaMemcpyDeviceToHost));
    return out;
  }

 private:
  double timed(Mode mode, int steps) {
    if (steps > kMostSteps) throw std::logic_error("more steps than bias corrections");
    const FusedJob job{shape_,
                       cell_.data(),
                       features_.data(),
                       parameters_.data(),
                       corrections_.data(),
                       static_cast<std::int32_t>(models_),
                       steps,
                       losses_.data(),
                       trained_.data(),
                       states_.data()};
    const bool forward = mode == Mode::forward;
    Event start, end;
    start.record(stream_);
    check_cuda(launch_fused(job, forward, forward ? forward_ : step_, stream_.get()), "launch of the fused kernel");
    end.record(stream_);
    return end.seconds_since(start);
  }

  Shape shape_;
  std::size_t models_;
  FusedLaunch forward_, step_;
  DeviceArray<CellSettings> cell_;
  DeviceArray<FeatureSettings> features_;
  DeviceArray<float> parameters_;
  DeviceArray<BiasCorrection> corrections_;
  DeviceArray<float> losses_, trained_, states_;
  Stream stream_;
};

class UnfusedCuda final : public Contestant {
 public:
  UnfusedCuda(const Problem& problem, bool tf32) : trainer_(settings_of(problem), tf32) {
    std::vector<float> all;
    for (int model = 0; model < problem.models; ++model) {
      all.insert(all.end(), problem.parameters.begin(), problem.parameters.end());
    }
    trainer_.set_parameters(all);
  }

  double seconds(Mode mode, int steps) override {
    const float milliseconds = mode == Mode::forward ? trainer_.forwards(steps) : trainer_.steps(steps);
    return static_cast<double>(milliseconds) / 1e3;
  }

  std::vector<float> run(Mode mode, int steps) override {
    seconds(mode, steps);
    return mode == Mode::forward ? trainer_.losses() : trainer_.parameters();
  }

 private:
  static unfused::Settings settings_of(const Problem& problem) {
    unfused::Settings s;
    s.shape = problem.shape;
    s.models = problem.models;
    s.batch = problem.cell.train.batch;
    for (const FeatureSettings& feature : problem.features) s.importance.push_back(feature.importance);
    for (double sparsity : problem.cell.sparsity) s.density.push_back(static_cast<float>(1 - sparsity));
    s.loss_scale = problem.settings.loss_scale;
    s.learning_rate = problem.settings.learning_rate;
    s.weight_decay = problem.settings.weight_decay;
    s.load_balance = problem.settings.load_balance;
    return s;
  }

  unfused::Trainer trainer_;
};

// A failed allocation must not be found again by the next launch that asks for the last error.
template <class Make>
std::unique_ptr<Contestant> made(Make&& make) {
  try {
    return make();
  } catch (const std::invalid_argument& error) {
    throw InputError(error.what());
  } catch (...) {
    (void)cudaGetLastError();
    throw;
  }
}

}  // namespace

std::unique_ptr<Contestant> fused_on_cuda(const Problem& problem) {
  return made([&] { return std::make_unique<FusedCuda>(problem); });
}

std::unique_ptr<Contestant> unfused_on_cuda(const Problem& problem, bool tf32) {
  return made([&] { return std::make_unique<UnfusedCuda>(problem, tf32); });
}

double cuda_peak() {
  int device = 0, processors = 0, kilohertz = 0, major = 0, minor = 0;
  PHASEGRID_CUDA(cudaGetDevice(&device));
  for (const auto& [number, attribute] :
       {std::pair(&processors, cudaDevAttrMultiProcessorCount), std::pair(&kilohertz, cudaDevAttrClockRate),
        std::pair(&major, cudaDevAttrComputeCapabilityMajor), std::pair(&minor, cudaDevAttrComputeCapabilityMinor)}) {
    PHASEGRID_CUDA(cudaDeviceGetAttribute(number, attribute, device));
  }
  const int lanes = major == 7 || (major == 8 && minor == 0) ? 64 : 128;  // FP32 units of a multiprocessor
  return 2.0 * processors * lanes * kilohertz * 1e3;
}

std::string cuda_trouble() { return find_gpus().problem; }
std::string cuda_name() { return find_gpus().names; }

}  // namespace phasegrid::fused_moe
