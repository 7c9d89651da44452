// One GPU trains every sweep of a command at once: a launch a sweep, each on its own stream, so that the tail of one
// overlaps with the start of the next. The kernels write results and progress to mapped host memory and read the stop
// flag from it; the host looks on and copies nothing while they run.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

#include "backend.hpp"
#include "cuda_memory.hpp"
#include "tiny_cuda.hpp"

namespace phasegrid {
namespace {

// What one sweep's launch owns while it runs.
struct Launch {
  explicit Launch(PlannedSweep& planned)
      : sweep(planned),
        cells(planned.cells),
        models(planned.models),
        next(std::span<const std::int32_t>(&kZero, 1)),
        losses(planned.losses.size(), 0.0f),
        parameters(planned.parameters.size(), 0.0f),
        status(planned.status.size(), kNotTrained) {
    int steps = 1;
    for (const CellSettings& cell : planned.cells) steps = std::max(steps, cell.steps);
    const std::vector<BiasCorrection> table = bias_corrections(steps);
    n_corrections = static_cast<std::int32_t>(table.size());
    corrections = DeviceArray<BiasCorrection>(table);
  }

  void start(const MappedArray<std::int32_t>& stop) {
    if (sweep.models.empty()) return;
    Job job{};
    job.n_models = static_cast<std::int32_t>(sweep.models.size());
    job.top_k = sweep.shape.top_k;
    job.cells = cells.data();
    job.models = models.data();
    job.corrections = corrections.data();
    job.n_corrections = n_corrections;
    job.stop = stop.device();
    job.losses = losses.device();
    job.parameters = parameters.device();
    job.status = status.device();
    job.next = next.data();
    check_cuda(launch_tiny(sweep.shape, job, stream.get()), "launch of the training kernel");
  }

  // Copies what has finished since the last call.
  void collect() {
    const auto size = static_cast<std::size_t>(sweep.shape.parameter_count());
    for (std::size_t i = 0; i < status.size(); ++i) {
      if (sweep.status[i] != kNotTrained) continue;
      const auto now = std::atomic_ref<std::int32_t>(status.host()[i]).load(std::memory_order_acquire);
      if (now == kNotTrained) continue;
      sweep.losses[i] = losses.host()[i];
      std::copy_n(parameters.host() + i * size, size, sweep.parameters.begin() + static_cast<std::ptrdiff_t>(i * size));
      sweep.status[i] = now;
    }
  }

  static constexpr std::int32_t kZero = 0;
  PlannedSweep& sweep;
  DeviceArray<CellSettings> cells;
  DeviceArray<ModelId> models;
  DeviceArray<BiasCorrection> corrections;
  std::int32_t n_corrections = 0;
  DeviceArray<std::int32_t> next;
  MappedArray<float> losses, parameters;
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
  for (Launch& launch : launches) launch.start(stop);

  auto running = [&] { return !std::ranges::all_of(launches, [](const Launch& l) { return l.stream.finished(); }); };
  auto request_stop = [&] { std::atomic_ref<std::int32_t>(*stop.host()).store(1, std::memory_order_relaxed); };
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
