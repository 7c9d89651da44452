// Every usable GPU trains a part of every launch plan of a command, each launch on its own stream, so that the tail of
// one overlaps with the start of the next. The kernels write results and progress to mapped host memory and read the
// stop flag from it; the host looks on and copies nothing while they run.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "backend.hpp"
#include "block/block_cuda.hpp"
#include "cuda_memory.hpp"
#include "job_arrays.hpp"
#include "launch_plan.hpp"
#include "tiny/tiny_cuda.hpp"

namespace phasegrid {
namespace {

using Clock = std::chrono::steady_clock;

// A GPU that also drives a display ends a kernel that runs for seconds. There a launch takes models for about this long,
// and the next launch goes on; elsewhere one launch takes them all.
constexpr double kDisplaySeconds = 0.5;

bool drives_display(int device) {
  int limited = 0;
  PHASEGRID_CUDA(cudaDeviceGetAttribute(&limited, cudaDevAttrKernelExecTimeout, device));
  return limited != 0;
}

BlockLaunch block_launch(const PlannedModels& planned) {
  BlockLaunch launch;
  if (planned.mapping != Mapping::block) return launch;
  check_cuda(describe_block(planned.shape, planned.largest_batch, planned.load_balance, planned.plain,
                            static_cast<int>(planned.models.size()), &launch),
             "description of the block kernel");
  return launch;
}

TinyLaunch tiny_launch(const PlannedModels& planned) {
  TinyLaunch launch;
  if (planned.mapping != Mapping::tiny) return launch;
  check_cuda(describe_tiny(planned.shape, static_cast<int>(planned.models.size()), &launch),
             "description of the training kernel");
  return launch;
}

// Models that one GPU trains, and what it owns meanwhile.
class Launch {
 public:
  // `device` is the current one. The kernel is looked up here, before any runs: loading it later could wait for those.
  Launch(int device, LaunchPlan from)
      : device_(device),
        plan_(std::move(from)),
        size_(size_of(plan_)),
        inputs_(plan_, correction_tables(plan_)),
        next_(1),
        tiny_(tiny_launch(plan_)),
        block_(block_launch(plan_)),
        states_(static_cast<std::size_t>(block_.blocks) * kOptimiserStates *
                 static_cast<std::size_t>(block_.layout.parameter_floats)),
        arenas_(block_.in_shared ? 0
                                 : static_cast<std::size_t>(block_.blocks) * static_cast<std::size_t>(block_.layout.size)),
        stop_(1, 0),
        outputs_(models(), size_),
        status_(models(), kNotTrained),
        handed_over_(models(), false),
        share_(drives_display(device) ? first_share() : models()) {}
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
  // The kernel must end before its memory does.
  ~Launch() {
    request_stop();
    stream_.wait();
  }

  // Launches the kernel for the next models, all that are left where no display waits.
  void start() {
    const CurrentDevice current(device_);
    const auto begin = static_cast<std::int32_t>(taken_);
    next_.write(std::span(&begin, 1));
    taken_ = std::min(models(), taken_ + share_);
    Job job = job_of(inputs_, outputs_, stop_.device());
    job.n_models = static_cast<std::int32_t>(taken_);
    job.status = status_.device();
    job.next = next_.data();
    job.states = states_.data();
    job.arenas = arenas_.data();
    started_ = Clock::now();
    (void)cudaGetLastError();  // of whoever called this library: a launch would report it as its own
    if (plan_.mapping == Mapping::tiny) {
      check_cuda(launch_tiny(plan_.shape, tiny_, job, stream_.get()), "launch of the training kernel");
    } else {
      check_cuda(launch_block(plan_.shape, block_, job, stream_.get()), "launch of the block kernel");
    }
  }

  void request_stop() {
    stopping_ = true;
    std::atomic_ref<std::int32_t>(*stop_.host()).store(1, std::memory_order_relaxed);
  }
  // Whether nothing is left to do; launches again where there is. Throws where the kernel failed.
  bool finished() {
    if (!stream_.finished()) return false;
    if (taken_ == models() || stopping_) return true;
    const double took = std::chrono::duration<double>(Clock::now() - started_).count();
    share_ = std::max(first_share(), static_cast<std::size_t>(static_cast<double>(share_) * kDisplaySeconds / took));
    start();
    return false;
  }
  void wait() const noexcept { stream_.wait(); }

  // Hands over what has finished since the last call, and returns the work done on models that are in training.
  double hand_over(std::span<const PlannedSweep> sweeps, Sink& sink) {
    double begun = 0;
    for (std::size_t i = 0; i < models(); ++i) {
      if (handed_over_[i]) continue;
      const ModelOrigin& origin = plan_.origins[i];
      const PlannedSweep& sweep = sweeps[origin.sweep];
      // Acquire: whoever sees the status sees the model.
      const auto status = std::atomic_ref<std::int32_t>(status_.host()[i]).load(std::memory_order_acquire);
      if (status == kNotTrained) {
        const auto cell = static_cast<std::size_t>(sweep.models[origin.model].cell);
        const auto steps = std::atomic_ref<std::int32_t>(outputs_.steps_done.host()[i]).load(std::memory_order_relaxed);
        if (steps > 0) begun += sweep.work(cell) * steps / sweep.cells[cell].steps;
        continue;
      }
      sink.finished(origin.sweep, origin.model, outputs_.model(i, size_, status));
      handed_over_[i] = true;
    }
    return begun;
  }

 private:
  std::size_t models() const { return plan_.models.size(); }
  // A model for every warp or block of the grid.
  std::size_t first_share() const {
    const int at_once = plan_.mapping == Mapping::tiny ? tiny_.blocks * tiny_.threads_per_block / kLanes : block_.blocks;
    return static_cast<std::size_t>(std::max(1, at_once));
  }

  const int device_;
  const LaunchPlan plan_;
  const ModelSize size_;
  JobInputs<DeviceArray> inputs_;
  DeviceArray<std::int32_t> next_;
  const TinyLaunch tiny_;
  const BlockLaunch block_;
  DeviceArray<float> states_, arenas_;
  MappedArray<std::int32_t> stop_;
  JobOutputs<MappedArray> outputs_;
  MappedArray<std::int32_t> status_;
  std::vector<bool> handed_over_;
  std::size_t taken_ = 0, share_;  // models launched so far, and at once
  bool stopping_ = false;
  Clock::time_point started_;
  Stream stream_;
};

}  // namespace

void train_on_cuda(const Gpus& gpus, std::span<const PlannedSweep> sweeps, Sink& sink) {
  std::vector<std::unique_ptr<Launch>> launches;
  for (const LaunchPlan& plan : plan_launches(sweeps)) {
    const std::vector<int> fitting = gpus_for(gpus, plan);
    const std::size_t parts = std::min(fitting.size(), plan.models.size());
    for (std::size_t part = 0; part < parts; ++part) {
      const CurrentDevice current(fitting[part]);
      LaunchPlan mine = part_of(plan, part, parts);
      go_on(sweeps, mine);
      launches.push_back(std::make_unique<Launch>(fitting[part], std::move(mine)));
    }
  }
  const auto hand_over = [&] {
    double begun = 0;
    for (auto& launch : launches) begun += launch->hand_over(sweeps, sink);
    return begun;
  };
  try {
    // All memory is had by now: an allocation between two launches would keep them from running side by side.
    for (auto& launch : launches) launch->start();
    // Every launch is asked, so that one GPU's failure is seen while another still runs.
    const auto running = [&] {
      return std::ranges::count_if(launches, [](auto& launch) { return !launch->finished(); }) > 0;
    };
    auto next_look = Clock::now() + std::chrono::milliseconds(kLookMilliseconds);
    while (running()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (Clock::now() < next_look) continue;
      next_look += std::chrono::milliseconds(kLookMilliseconds);
      if (!sink.look(hand_over())) continue;
      for (auto& launch : launches) launch->request_stop();
    }
  } catch (...) {  // of a kernel, a launch or the caller: what is finished is not lost for it
    for (auto& launch : launches) launch->request_stop();
    for (auto& launch : launches) launch->wait();
    hand_over();
    throw;
  }
  hand_over();
}

}  // namespace phasegrid
