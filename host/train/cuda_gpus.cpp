// Which GPUs can train here, and why others cannot.
#include <algorithm>
#include <cmath>

#include "backend.hpp"
#include "block/block_cuda.hpp"
#include "cuda_memory.hpp"
#include "tiny/tiny_cuda.hpp"

namespace phasegrid {
namespace {

// The runtime keeps the error of a call that failed until somebody reads it, and a later launch would be blamed for it.
std::string read_error(cudaError_t error) {
  (void)cudaGetLastError();
  return fmt::format("{} ({})", cudaGetErrorString(error), cudaGetErrorName(error));
}

std::string name_of(int device) {
  cudaDeviceProp properties{};
  PHASEGRID_CUDA(cudaGetDeviceProperties(&properties, device));
  return fmt::format("{} (sm_{}{})", properties.name, properties.major, properties.minor);
}

std::string names_of(const std::vector<int>& devices) {
  std::string names;
  for (auto device = devices.begin(); device != devices.end();) {
    const std::string name = name_of(*device);
    const auto other = std::find_if(device, devices.end(), [&](int d) { return name_of(d) != name; });
    const auto alike = other - device;
    names += fmt::format("{}{}{}", names.empty() ? "" : " + ", alike > 1 ? fmt::format("{} x ", alike) : "", name);
    device = other;
  }
  return names;
}

// Looks at one GPU: it can train, this build has no code for it, or it is at fault.
void look_at(int device, Gpus& gpus) try {
  const CurrentDevice current(device);
  TinyLaunch launch;
  const cudaError_t error = describe_tiny(Shape{}, 1, &launch);
  if (error == cudaSuccess) {
    gpus.devices.push_back(device);
    return;
  }
  const std::string said = read_error(error);
  std::string sentence;
  switch (error) {
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      sentence = fmt::format("this build has no code for {}", name_of(device));
      break;
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorJitCompilationDisabled:
      sentence = fmt::format("the driver cannot compile this build's code for {}: {}; update the driver, or build phasegrid "
                             "on this machine",
                             name_of(device), said);
      break;
    default:
      gpus.faults.push_back(fmt::format("GPU {}, {}, is at fault: {}", device, name_of(device), said));
      return;
  }
  if (gpus.problem.empty()) gpus.problem = sentence;
} catch (const DeviceError& error) {
  gpus.faults.push_back(fmt::format("GPU {} is at fault: {}", device, error.what()));
}

// How the current GPU would train models of the block mapping.
BlockLaunch launch_of(const PlannedModels& planned) {
  BlockLaunch launch;
  check_cuda(describe_block(planned.shape, planned.largest_batch, planned.load_balance, planned.plain, 1, &launch),
             "description of the block kernel");
  return launch;
}

}  // namespace

Gpus find_gpus() {
  Gpus gpus;
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    (void)cudaGetLastError();
    gpus.problem = "this machine has no NVIDIA GPU";
  } else if (error == cudaErrorInsufficientDriver || error == cudaErrorStubLibrary) {
    gpus.problem = fmt::format("no usable NVIDIA GPU or driver on this machine: {}", read_error(error));
  } else if (error != cudaSuccess) {
    gpus.faults.push_back(fmt::format("the NVIDIA driver of this machine is at fault: {}", read_error(error)));
  }
  for (int device = 0; error == cudaSuccess && device < count; ++device) look_at(device, gpus);
  if (!gpus.devices.empty()) {
    gpus.problem.clear();
    gpus.names = names_of(gpus.devices);
  } else if (gpus.problem.empty()) {
    gpus.problem = gpus.faults.front();
  }
  return gpus;
}

std::vector<int> gpus_for(const Gpus& gpus, const PlannedModels& planned) {
  if (planned.mapping == Mapping::tiny) return gpus.devices;
  std::vector<int> fitting;
  std::ranges::copy_if(gpus.devices, std::back_inserter(fitting), [&](int device) {
    const CurrentDevice current(device);
    return launch_of(planned).layout.tile > 0;
  });
  return fitting;
}

std::string problem_with(const Gpus& gpus, const PlannedModels& planned) {
  if (!gpus_for(gpus, planned).empty()) return "";
  const CurrentDevice current(gpus.devices.front());
  const BlockLaunch launch = launch_of(planned);
  // The largest of each number that would fit, the others as they are.
  auto fitting = [&](int Shape::*number) {
    PlannedModels smaller;
    smaller.largest_batch = planned.largest_batch;
    smaller.load_balance = planned.load_balance;
    smaller.plain = planned.plain;
    smaller.shape = planned.shape;
    while (--(smaller.shape.*number) > 0) {
      smaller.shape.top_k = std::min(smaller.shape.top_k, smaller.shape.n_experts);
      if (launch_of(smaller).layout.tile > 0) break;
    }
    return smaller.shape.*number;
  };
  return fmt::format(
      "a model of n_features = {}, n_hidden = {}, n_experts = {}, top_k = {} needs {:.0f} KiB of device memory "
      "and {} has {:.0f} KiB left; n_features up to {}, n_hidden up to {} or n_experts up to {} would fit",
      planned.shape.n_features, planned.shape.n_hidden, planned.shape.n_experts, planned.shape.top_k,
      std::ceil(static_cast<double>(launch.global_bytes) / 1024), name_of(gpus.devices.front()),
      std::floor(static_cast<double>(launch.global_free) / 1024), fitting(&Shape::n_features), fitting(&Shape::n_hidden),
      fitting(&Shape::n_experts));
}

}  // namespace phasegrid
