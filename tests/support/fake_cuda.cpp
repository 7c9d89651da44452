#include "fake_cuda.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <utility>

#include "block/block_cuda.hpp"
#include "train/instruction_sets.hpp"
#include "train/plan.hpp"
#include "tiny/tiny_cuda.hpp"

namespace phasegrid::testing {

FakeCuda& fake_cuda() {
  static FakeCuda fake;
  return fake;
}

void reset_fake_cuda() {
  FakeCuda& fake = fake_cuda();
  fake.devices = 1;
  fake.without_code.clear();
  fake.room.clear();
  fake.fail_call = -1;
  fake.kernels_fail = false;
  fake.failing_device = -1;
  fake.drives_display = false;
  fake.look_fails.clear();
  fake.count_fails = 0;
  fake.last_error = 0;
  fake.calls = 0;
  fake.launches.clear();
  fake.mistakes.clear();
}

int FakeCuda::leaks() const { return static_cast<int>(memory.size()) + streams; }

namespace {

thread_local int current_device = 0;
constexpr int kBlocks = 3;  // of a fake grid
constexpr std::align_val_t kAlignment{64};

// The runtime keeps an error until cudaGetLastError.
cudaError_t keep(cudaError_t error) {
  if (error != cudaSuccess) fake_cuda().last_error = error;
  return error;
}

// Whether this call is the one that fails.
bool fails() { return fake_cuda().calls++ == fake_cuda().fail_call; }

cudaError_t allocate(void** to, std::size_t bytes, int device, cudaError_t failure) {
  FakeCuda& fake = fake_cuda();
  const std::lock_guard lock(fake.mutex);
  if (fails()) return keep(failure);
  *to = ::operator new(bytes, kAlignment);
  std::memset(*to, 0xcd, bytes);  // nobody may count on zeros
  fake.memory[*to] = {bytes, device};
  return cudaSuccess;
}

cudaError_t release(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  FakeCuda& fake = fake_cuda();
  const std::lock_guard lock(fake.mutex);
  const auto found = fake.memory.find(memory);
  if (found == fake.memory.end()) {
    fake.mistakes.push_back("freed what was not allocated");
    return cudaErrorInvalidValue;
  }
  if (found->second.users > 0) fake.mistakes.push_back("freed memory that a kernel uses");
  fake.memory.erase(found);
  ::operator delete(memory, kAlignment);
  return cudaSuccess;
}

struct FakeStream {
  explicit FakeStream(int its_device) : device(its_device) {}
  const int device;
  std::thread kernel;
  std::atomic<bool> running{false};
  cudaError_t outcome = cudaSuccess;
};

// All memory that a kernel reads or writes.
std::vector<void*> memory_of(const Job& job) {
  std::vector<void*> all;
  auto add = [&](const void* pointer) {
    if (pointer != nullptr) all.push_back(const_cast<void*>(pointer));
  };
  add(job.cells), add(job.features), add(job.models), add(job.corrections), add(job.initial), add(job.snapshots), add(job.stop);
  add(job.first_steps), add(job.begun), add(job.final_states);
  add(job.losses), add(job.parameters), add(job.snapshot_losses), add(job.snapshot_parameters);
  add(job.status), add(job.steps_done), add(job.next), add(job.states), add(job.arenas);
  return all;
}

// Runs train(index) for every model of the job's queue on the threads of a fake grid, as the kernels do.
cudaError_t launch(const Job& job, cudaStream_t opaque, std::function<std::int32_t(int)> train) {
  FakeCuda& fake = fake_cuda();
  auto* stream = reinterpret_cast<FakeStream*>(opaque);
  const bool kernel_fails = fake.kernels_fail || fake.failing_device == current_device;
  {
    const std::lock_guard lock(fake.mutex);
    if (fails()) return keep(cudaErrorLaunchFailure);
    if (fake.last_error != 0) return cudaGetLastError();  // what an earlier call left is taken for the launch's own
    if (stream->device != current_device) return cudaErrorInvalidResourceHandle;
    fake.launches.push_back({current_device, job.n_models});
    for (void* pointer : memory_of(job)) {
      const auto found = fake.memory.find(pointer);
      if (found == fake.memory.end()) {
        fake.mistakes.push_back("a kernel got a pointer to memory of the host");
        return cudaErrorIllegalAddress;
      }
      if (found->second.device >= 0 && found->second.device != current_device) {
        fake.mistakes.push_back("a kernel got memory of another device");
      }
      ++found->second.users;
    }
  }
  if (stream->kernel.joinable()) stream->kernel.join();  // the launch before on this stream
  stream->running = true;
  stream->kernel = std::thread([=, &fake] {
    std::vector<std::thread> grid;
    for (int block = 0; block < kBlocks && !kernel_fails; ++block) {
      grid.emplace_back([=] {
        for (;;) {
          const int index = std::atomic_ref<std::int32_t>(*job.next).fetch_add(1);
          if (index >= job.n_models) return;
          const std::int32_t status = train(index);
          if (status == kNotTrained) return;
          std::atomic_ref<std::int32_t>(job.status[index]).store(status, std::memory_order_release);
        }
      });
    }
    for (std::thread& thread : grid) thread.join();
    const std::lock_guard lock(fake.mutex);
    for (void* pointer : memory_of(job)) --fake.memory.at(pointer).users;
    stream->outcome = kernel_fails ? cudaErrorIllegalAddress : cudaSuccess;
    stream->running = false;
  });
  return cudaSuccess;
}

bool has_code() { return !fake_cuda().without_code.contains(current_device); }
int room() {
  const auto set = fake_cuda().room.find(current_device);
  return set == fake_cuda().room.end() ? 227 * 1024 : set->second;
}

}  // namespace
}  // namespace phasegrid::testing

// ---------------------------------------------------------------- the runtime
using phasegrid::testing::fake_cuda;
using phasegrid::testing::FakeStream;
using phasegrid::testing::keep;

extern "C" {

cudaError_t cudaGetLastError() { return static_cast<cudaError_t>(std::exchange(fake_cuda().last_error, 0)); }
cudaError_t cudaGetDeviceCount(int* count) {
  *count = fake_cuda().devices;
  return keep(static_cast<cudaError_t>(fake_cuda().count_fails));
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {  // cudaDevAttrKernelExecTimeout
  *value = fake_cuda().drives_display ? 1 : 0;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = phasegrid::testing::current_device;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= fake_cuda().devices) return keep(cudaErrorInvalidDevice);
  phasegrid::testing::current_device = device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  *properties = {};
  const std::string name = fmt::format("Fake {}", fake_cuda().room.contains(device) ? "small" : "large");
  name.copy(properties->name, sizeof properties->name - 1);
  properties->major = 9;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** to, size_t bytes) {
  return phasegrid::testing::allocate(to, bytes, phasegrid::testing::current_device, cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* memory) { return phasegrid::testing::release(memory); }
cudaError_t cudaHostAlloc(void** to, size_t bytes, unsigned) {
  return phasegrid::testing::allocate(to, bytes, -1, cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* memory) { return phasegrid::testing::release(memory); }
cudaError_t cudaHostGetDevicePointer(void** to, void* host, unsigned) {
  *to = host;
  return phasegrid::testing::fails() ? keep(cudaErrorInvalidValue) : cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  if (phasegrid::testing::fails()) return keep(cudaErrorInvalidValue);
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (phasegrid::testing::fails()) return keep(cudaErrorMemoryAllocation);
  *stream = reinterpret_cast<cudaStream_t>(new FakeStream(phasegrid::testing::current_device));
  ++fake_cuda().streams;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t opaque) {
  auto* stream = reinterpret_cast<FakeStream*>(opaque);
  if (stream->kernel.joinable()) stream->kernel.join();
  return stream->outcome;
}
cudaError_t cudaStreamQuery(cudaStream_t opaque) {
  auto* stream = reinterpret_cast<FakeStream*>(opaque);
  return keep(stream->running ? cudaErrorNotReady : stream->outcome);
}
cudaError_t cudaStreamDestroy(cudaStream_t opaque) {
  auto* stream = reinterpret_cast<FakeStream*>(opaque);
  if (stream->running) fake_cuda().mistakes.push_back("destroyed a stream that runs");
  cudaStreamSynchronize(opaque);
  delete stream;
  --fake_cuda().streams;
  return cudaSuccess;
}

const char* cudaGetErrorString(cudaError_t) { return "an error of the fake runtime"; }
const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaErrorOfTheFake";
}

}  // extern "C"

// ---------------------------------------------------------------- the launchers
namespace phasegrid {

cudaError_t describe_tiny(const Shape&, int, TinyLaunch* launch) {
  launch->blocks = testing::kBlocks;
  launch->threads_per_block = 32;
  const auto fails = testing::fake_cuda().look_fails.find(testing::current_device);
  if (fails != testing::fake_cuda().look_fails.end()) return testing::keep(static_cast<cudaError_t>(fails->second));
  return testing::has_code() ? cudaSuccess : testing::keep(cudaErrorNoKernelImageForDevice);
}

cudaError_t launch_tiny(const Shape& shape, const TinyLaunch&, const Job& job, cudaStream_t stream) {
  const CpuKernels kernels = tiny_kernels(shape, best_instruction_set());
  return testing::launch(job, stream, [=](int index) { return kernels.train(job, index, {shape}); });
}

cudaError_t describe_block(const Shape& shape, int, bool load_balance, bool, int, BlockLaunch* launch) {
  launch->layout = block_layout(shape, 32 * samples_per_draw(shape.n_features), load_balance, 32, false);
  launch->blocks = testing::kBlocks;
  launch->global_bytes = static_cast<std::size_t>(launch->layout.size) * 4;
  launch->global_free = static_cast<std::size_t>(testing::room());
  if (launch->global_bytes > launch->global_free) launch->layout.tile = 0;
  return cudaSuccess;
}

cudaError_t launch_block(const Shape& shape, const BlockLaunch&, const Job& job, cudaStream_t stream) {
  const CpuKernels kernels = block_kernels(best_instruction_set());
  const BlockLayout layout = block_layout(shape, cpu_tile(shape, kEvaluationSamples), true, 16, true);
  const std::size_t floats =
      workspace_floats(layout);
  return testing::launch(job, stream, [=](int index) {
    auto* workspace = static_cast<float*>(::operator new(floats * sizeof(float), testing::kAlignment));
    const std::int32_t status = kernels.train(job, index, {shape, nullptr, nullptr, &layout, workspace});
    ::operator delete(workspace, testing::kAlignment);
    return status;
  });
}

}  // namespace phasegrid
