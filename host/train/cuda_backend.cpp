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

// How the current GPU would train models of the block mapping.
BlockLaunch block_launch(const PlannedModels& planned) {
  BlockLaunch launch;
  check_cuda(describe_block(planned.shape, planned.largest_batch, planned.load_balance,
                            static_cast<int>(planned.models.size()), &launch),
             "description of the block kernel");
  return launch;
}

// The GPUs that this build has code for.
std::vector<int> usable_devices() {
  int count = 0;
  PHASEGRID_CUDA(cudaGetDeviceCount(&count));
  std::vector<int> devices;
  for (int device = 0; device < count; ++device) {
    const CurrentDevice current(device);
    TinyLaunch launch;
    if (describe_tiny(Shape{}, 1, &launch) == cudaSuccess) devices.push_back(device);
  }
  return devices;
}

bool device_fits(int device, const PlannedModels& planned) {
  if (planned.mapping == Mapping::tiny) return true;
  const CurrentDevice current(device);
  return block_launch(planned).layout.tile > 0;
}

// What one launch owns while it runs.
class Launch {
 public:
  // `device` is the current one.
  Launch(int device, LaunchPlan from)
      : device_(device),
        plan_(std::move(from)),
        size_(size_of(plan_)),
        inputs_(plan_, bias_corrections(plan_.most_steps)),
        next_(std::span<const std::int32_t>(&kZero, 1)),
        block_(plan_.mapping == Mapping::block ? block_launch(plan_) : BlockLaunch{}),
        moments_(static_cast<std::size_t>(block_.blocks) * 2 *
                 static_cast<std::size_t>(block_.layout.parameter_floats)),
        stop_(1, 0),
        outputs_(models(), size_),
        status_(models(), kNotTrained),
        handed_over_(models(), false) {}
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
  // The kernel must end before its memory does.
  ~Launch() {
    request_stop();
    stream_.wait();
  }

  void start() {
    const CurrentDevice current(device_);
    Job job = job_of(inputs_, outputs_, stop_.device());
    job.status = status_.device();
    job.next = next_.data();
    job.moments = moments_.data();
    if (plan_.mapping == Mapping::tiny) {
      check_cuda(launch_tiny(plan_.shape, job, stream_.get()), "launch of the training kernel");
    } else {
      check_cuda(launch_block(plan_.shape, block_, job, stream_.get()), "launch of the block kernel");
    }
  }

  void request_stop() { std::atomic_ref<std::int32_t>(*stop_.host()).store(1, std::memory_order_relaxed); }
  // Throws where the kernel failed.
  bool finished() const { return stream_.finished(); }

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

  static constexpr std::int32_t kZero = 0;
  const int device_;
  const LaunchPlan plan_;
  const ModelSize size_;
  JobInputs<DeviceArray> inputs_;
  DeviceArray<std::int32_t> next_;
  BlockLaunch block_;
  DeviceArray<float> moments_;
  MappedArray<std::int32_t> stop_;
  JobOutputs<MappedArray> outputs_;
  MappedArray<std::int32_t> status_;
  std::vector<bool> handed_over_;
  Stream stream_;
};

std::string name_of(int device) {
  cudaDeviceProp properties{};
  PHASEGRID_CUDA(cudaGetDeviceProperties(&properties, device));
  return fmt::format("{} (sm_{}{})", properties.name, properties.major, properties.minor);
}

}  // namespace

std::string cuda_problem() {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess) {
    return fmt::format("no usable NVIDIA GPU or driver on this machine ({})", cudaGetErrorString(error));
  }
  if (devices == 0) return "this machine has no NVIDIA GPU";
  if (usable_devices().empty()) return fmt::format("this build has no code for {}", name_of(0));
  return "";
}

std::string cuda_problem(const PlannedSweep& sweep) {
  const std::vector<int> devices = usable_devices();
  if (std::ranges::any_of(devices, [&](int device) { return device_fits(device, sweep); })) return "";
  const CurrentDevice current(devices.front());
  const BlockLaunch launch = block_launch(sweep);
  // The largest of each number that would fit, the others as they are.
  auto fitting = [&](int Shape::*number) {
    PlannedModels smaller;
    smaller.largest_batch = sweep.largest_batch;
    smaller.load_balance = sweep.load_balance;
    smaller.shape = sweep.shape;
    while (--(smaller.shape.*number) > 0) {
      smaller.shape.top_k = std::min(smaller.shape.top_k, smaller.shape.n_experts);
      if (block_launch(smaller).layout.tile > 0) break;
    }
    return smaller.shape.*number;
  };
  return fmt::format(
      "a model of n_features = {}, n_hidden = {}, n_experts = {}, top_k = {} needs {} KiB of shared memory "
      "and {} has {} KiB a block; n_features up to {}, n_hidden up to {} or n_experts up to {} would fit",
      sweep.shape.n_features, sweep.shape.n_hidden, sweep.shape.n_experts, sweep.shape.top_k,
      (launch.shared_bytes + 1023) / 1024, name_of(devices.front()), launch.shared_limit / 1024,
      fitting(&Shape::n_features), fitting(&Shape::n_hidden), fitting(&Shape::n_experts));
}

std::string cuda_device_name() {
  std::string names;
  const std::vector<int> devices = usable_devices();
  for (auto device = devices.begin(); device != devices.end();) {
    const std::string name = name_of(*device);
    const auto other = std::find_if(device, devices.end(), [&](int d) { return name_of(d) != name; });
    const auto alike = other - device;
    names += fmt::format("{}{}{}", names.empty() ? "" : " + ", alike > 1 ? fmt::format("{} x ", alike) : "", name);
    device = other;
  }
  return names;
}

void train_on_cuda(std::span<const PlannedSweep> sweeps, Sink& sink) {
  const std::vector<int> devices = usable_devices();
  std::vector<std::unique_ptr<Launch>> launches;
  for (const LaunchPlan& plan : plan_launches(sweeps)) {
    std::vector<int> fitting;
    std::ranges::copy_if(devices, std::back_inserter(fitting), [&](int device) { return device_fits(device, plan); });
    const std::size_t parts = std::min(fitting.size(), plan.models.size());
    for (std::size_t part = 0; part < parts; ++part) {
      const CurrentDevice current(fitting[part]);
      launches.push_back(std::make_unique<Launch>(fitting[part], part_of(plan, part, parts)));
    }
  }
  // All memory is had by now: an allocation between two launches would keep them from running side by side.
  for (auto& launch : launches) launch->start();

  auto next_look = std::chrono::steady_clock::now() + std::chrono::milliseconds(kLookMilliseconds);
  auto running = [&] { return !std::ranges::all_of(launches, [](const auto& launch) { return launch->finished(); }); };
  const auto hand_over = [&] {
    double begun = 0;
    for (auto& launch : launches) begun += launch->hand_over(sweeps, sink);
    return begun;
  };
  while (running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (std::chrono::steady_clock::now() < next_look) continue;
    next_look += std::chrono::milliseconds(kLookMilliseconds);
    if (!sink.look(hand_over())) continue;
    for (auto& launch : launches) launch->request_stop();
  }
  hand_over();
}

}  // namespace phasegrid
