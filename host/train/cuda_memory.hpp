// CUDA calls, checked, and the resources a launch needs, released by their owners.
#pragma once

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "phasegrid/error.hpp"

namespace phasegrid {

inline void check_cuda(cudaError_t error, const char* call) {
  if (error != cudaSuccess) {
    (void)cudaGetLastError();  // it stays until it is read, and a later launch would be blamed for it
    throw DeviceError(fmt::format("{}: {} ({})", call, cudaGetErrorString(error), cudaGetErrorName(error)));
  }
}
#define PHASEGRID_CUDA(call) ::phasegrid::check_cuda(call, #call)

// Makes a GPU the current one until it goes.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) {
    PHASEGRID_CUDA(cudaGetDevice(&before_));
    PHASEGRID_CUDA(cudaSetDevice(device));
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;
  ~CurrentDevice() { (void)cudaSetDevice(before_); }

 private:
  int before_ = 0;
};

// Device memory, filled from the host.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  // Not initialised.
  explicit DeviceArray(std::size_t size) {
    if (size == 0) return;
    PHASEGRID_CUDA(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)));
  }
  // Delegates, so that the memory is given back where the copy fails.
  explicit DeviceArray(std::span<const T> from) : DeviceArray(from.size()) {
    if (!from.empty()) PHASEGRID_CUDA(cudaMemcpy(data_, from.data(), from.size_bytes(), cudaMemcpyHostToDevice));
  }
  DeviceArray(DeviceArray&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~DeviceArray() { (void)cudaFree(data_); }  // an error here is one of an earlier call, reported there
  T* data() const { return data_; }
  // While no kernel reads it.
  void write(std::span<const T> from) {
    PHASEGRID_CUDA(cudaMemcpy(data_, from.data(), from.size_bytes(), cudaMemcpyHostToDevice));
  }

 private:
  T* data_ = nullptr;
};

// Host memory that a running kernel reads and writes: progress, results and the stop flag.
template <class T>
class MappedArray {
 public:
  MappedArray() = default;
  MappedArray(std::size_t size, T fill) : MappedArray(size) {
    if (size == 0) return;
    for (std::size_t i = 0; i < size; ++i) host_[i] = fill;
    PHASEGRID_CUDA(cudaHostGetDevicePointer(reinterpret_cast<void**>(&device_), host_, 0));
  }
  MappedArray(MappedArray&& other) noexcept
      : host_(std::exchange(other.host_, nullptr)), device_(other.device_), size_(other.size_) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(host_, other.host_);
    std::swap(device_, other.device_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedArray() {
    if (host_ != nullptr) (void)cudaFreeHost(host_);
  }
  T* host() const { return host_; }
  T* device() const { return device_; }
  std::size_t size() const { return size_; }

 private:
  explicit MappedArray(std::size_t size) : size_(size) {
    if (size == 0) return;
    PHASEGRID_CUDA(cudaHostAlloc(reinterpret_cast<void**>(&host_), size * sizeof(T), cudaHostAllocMapped));
  }

  T* host_ = nullptr;
  T* device_ = nullptr;
  std::size_t size_ = 0;
};

class Stream {
 public:
  Stream() { PHASEGRID_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  Stream(Stream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  Stream& operator=(Stream&&) = delete;
  ~Stream() {
    if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
  }
  cudaStream_t get() const { return stream_; }
  // Waits for its work to end; how it ended was reported by finished(), or is of no interest any more.
  void wait() const noexcept { (void)cudaStreamSynchronize(stream_); }
  // False while its work runs; throws where the work failed.
  bool finished() const {
    const cudaError_t state = cudaStreamQuery(stream_);
    if (state == cudaErrorNotReady) {
      (void)cudaGetLastError();  // the runtime keeps this one, too
      return false;
    }
    check_cuda(state, "training kernel");
    return true;
  }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace phasegrid
