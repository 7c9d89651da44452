// One GPU trains every sweep of a command at once: a launch a sweep, each on its own stream, so that the tail of one
// overlaps with the start of the next. The kernels write results and progress to mapped host memory and read the stop
// flag from it; the host looks on and copies nothing while they run.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <thread>

#include "backend.hpp"
#include "block/block_cuda.hpp"
#include "cuda_memory.hpp"
#include "tiny_cuda.hpp"

namespace phasegrid {
namespace {

// How the current GPU would train a sweep of the block mapping.
BlockLaunch block_launch(const PlannedSweep& sweep) {
  BlockLaunch launch;
  check_cuda(describe_block(sweep.shape, sweep.largest_batch, sweep.load_balance, static_cast<int>(sweep.models.size()),
                            &launch),
             "description of the block kernel");
  return launch;
}

// What one sweep's launch owns while it runs.
struct Launch {
  explicit Launch(PlannedSweep& planned)
      : sweep(planned),
        correction_table(bias_corrections(planned.most_steps)),
        cells(planned.cells),
        features(planned.features),
        models(planned.models),
        snapshots(planned.snapshots),
        corrections(correction_table),
        next(std::span<const std::int32_t>(&kZero, 1)),
        block(planned.mapping == Mapping::block ? block_launch(planned) : BlockLaunch{}),
        moments(static_cast<std::size_t>(block.blocks) * 2 * static_cast<std::size_t>(block.layout.parameter_floats)),
        losses(planned.losses.size(), 0.0f),
        parameters(planned.parameters.size(), 0.0f),
        snapshot_losses(planned.snapshot_losses.size(), std::numeric_limits<float>::quiet_NaN()),
        snapshot_parameters(planned.snapshot_parameters.size(), std::numeric_limits<float>::quiet_NaN()),
        status(planned.status.size(), kNotTrained) {}

  void start(const MappedArray<std::int32_t>& stop) {
    if (sweep.models.empty()) return;
    Job job = job_of(sweep, correction_table);
    job.cells = cells.data();
    job.features = features.data();
    job.models = models.data();
    job.corrections = corrections.data();
    job.snapshots = snapshots.data();
    job.stop = stop.device();
    job.losses = losses.device();
    job.parameters = parameters.device();
    job.snapshot_losses = snapshot_losses.device();
    job.snapshot_parameters = snapshot_parameters.device();
    job.status = status.device();
    job.next = next.data();
    if (sweep.mapping == Mapping::tiny) {
      check_cuda(launch_tiny(sweep.shape, job, stream.get()), "launch of the training kernel");
      return;
    }
    job.moments = moments.data();
    check_cuda(launch_block(sweep.shape, block, job, stream.get()), "launch of the block kernel");
  }

  // Copies what has finished since the last call.
  void collect() {
    for (std::size_t i = 0; i < status.size(); ++i) {
      if (sweep.status[i] != kNotTrained) continue;
      const auto now = std::atomic_ref<std::int32_t>(status.host()[i]).load(std::memory_order_acquire);
      if (now == kNotTrained) continue;
      const auto size = static_cast<std::size_t>(sweep.shape.parameter_count());
      copy_model(losses, i, 1, sweep.losses);
      copy_model(parameters, i, size, sweep.parameters);
      copy_model(snapshot_losses, i, sweep.snapshots.size(), sweep.snapshot_losses);
      copy_model(snapshot_parameters, i, sweep.snapshots.size() * size, sweep.snapshot_parameters);
      sweep.status[i] = now;
    }
  }

  // Numbers [model][size] of model i.
  static void copy_model(const MappedArray<float>& from, std::size_t i, std::size_t size, std::vector<float>& to) {
    std::copy_n(from.host() + i * size, size, to.begin() + static_cast<std::ptrdiff_t>(i * size));
  }

  static constexpr std::int32_t kZero = 0;
  PlannedSweep& sweep;
  std::vector<BiasCorrection> correction_table;
  DeviceArray<CellSettings> cells;
  DeviceArray<FeatureSettings> features;
  DeviceArray<ModelId> models;
  DeviceArray<std::int32_t> snapshots;
  DeviceArray<BiasCorrection> corrections;
  DeviceArray<std::int32_t> next;
  BlockLaunch block;
  DeviceArray<float> moments;
  MappedArray<float> losses, parameters, snapshot_losses, snapshot_parameters;
  MappedArray<std::int32_t> status;
  Stream stream;  // last: destroyed first
};

}  // namespace

std::string cuda_problem() {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess) {
    return fmt::format("no usable NVIDIA GPU or driver on this machine ({})", cudaGetErrorString(error));
  }
  if (devices == 0) return "this machine has no NVIDIA GPU";
  TinyLaunch launch;
  if (const cudaError_t error = describe_tiny(Shape{}, 1, &launch); error != cudaSuccess) {
    return fmt::format("this build has no code for {} ({})", cuda_device_name(), cudaGetErrorString(error));
  }
  return "";
}

std::string cuda_problem(const PlannedSweep& sweep) {
  if (sweep.mapping == Mapping::tiny) return "";
  const BlockLaunch launch = block_launch(sweep);
  if (launch.layout.tile > 0) return "";
  // The largest of each number that would fit, the others as they are.
  auto fitting = [&](int Shape::*number) {
    PlannedSweep smaller;
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
      (launch.shared_bytes + 1023) / 1024, cuda_device_name(), launch.shared_limit / 1024, fitting(&Shape::n_features),
      fitting(&Shape::n_hidden), fitting(&Shape::n_experts));
}

std::string cuda_device_name() {
  int device = 0;
  cudaDeviceProp properties{};
  PHASEGRID_CUDA(cudaGetDevice(&device));
  PHASEGRID_CUDA(cudaGetDeviceProperties(&properties, device));
  return fmt::format("{} (sm_{}{})", properties.name, properties.major, properties.minor);
}

void train_on_cuda(std::span<PlannedSweep> sweeps, const Monitor& monitor) {
  MappedArray<std::int32_t> stop(1, 0);
  std::vector<Launch> launches;
  launches.reserve(sweeps.size());
  for (PlannedSweep& sweep : sweeps) launches.emplace_back(sweep);
  auto request_stop = [&] { std::atomic_ref<std::int32_t>(*stop.host()).store(1, std::memory_order_relaxed); };
  try {
    for (Launch& launch : launches) launch.start(stop);
  } catch (...) {
    request_stop();  // what was launched already ends soon, and then its memory may go
    throw;
  }

  auto running = [&] { return !std::ranges::all_of(launches, [](const Launch& l) { return l.stream.finished(); }); };
  auto next_look = std::chrono::steady_clock::now() + std::chrono::milliseconds(kMonitorMilliseconds);
  std::exception_ptr failure;
  while (running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (failure || std::chrono::steady_clock::now() < next_look) continue;
    next_look += std::chrono::milliseconds(kMonitorMilliseconds);
    try {
      for (Launch& launch : launches) launch.collect();
      if (monitor()) request_stop();
    } catch (...) {  // the kernels must end before their memory does
      failure = std::current_exception();
      request_stop();
    }
  }
  for (Launch& launch : launches) launch.collect();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace phasegrid
