// The pipeline on a GPU: cuBLAS for products, CUB for sorting, scanning and summing, one generic elementwise kernel.
// All work goes to one stream, so a step can be captured in a CUDA graph.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/device/device_segmented_reduce.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipeline.hpp"
#include "storage.hpp"

namespace phasegrid::unfused {

inline void check(cudaError_t error, const char* call) {
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) +
                             ")");
  }
}
inline void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(std::string(call) + ": " + cublasGetStatusString(status));
}
#define PEER_CHECK(call) ::phasegrid::unfused::check(call, #call)

template <class Body>
__global__ void for_each_kernel(int count, const Body body) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) body(i);
}

// One warp a segment.
__global__ void sum_short_segments(const float* from, float* to, int segments, int size) {
  constexpr int kWarps = 8;
  using Reduce = cub::WarpReduce<float>;
  __shared__ typename Reduce::TempStorage storage[kWarps];
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int segment = static_cast<int>(blockIdx.x) * kWarps + warp;
  if (segment >= segments) return;
  float sum = 0.0f;
  for (int i = lane; i < size; i += 32) sum += from[segment * size + i];
  sum = Reduce(storage[warp]).Sum(sum);
  if (lane == 0) to[segment] = sum;
}

// Where segment i of equal ones begins.
struct SegmentStart {
  int size;
  PEER_METHOD int operator()(int i) const { return i * size; }
};

class CudaMachine {
 public:
  CudaMachine(const Sizes& sizes, bool tf32, cudaStream_t stream) : stream_(stream) {
    PEER_CHECK(cublasCreate(&cublas_));
    PEER_CHECK(cublasSetStream(cublas_, stream_));
    PEER_CHECK(
        cudaMalloc(&workspace_, kWorkspaceBytes));  // its own: cuBLAS must not allocate while a graph is captured
    PEER_CHECK(cublasSetWorkspace(cublas_, workspace_, kWorkspaceBytes));
    PEER_CHECK(cublasSetMathMode(cublas_, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH));
    size_t sorting = 0, scanning = 0, summing = 0;
    if (!sizes.dense) {
      PEER_CHECK(cub::DeviceRadixSort::SortPairs(nullptr, sorting, static_cast<const uint32_t*>(nullptr),
                                                 static_cast<uint32_t*>(nullptr), static_cast<const int32_t*>(nullptr),
                                                 static_cast<int32_t*>(nullptr), sizes.entries, 0, sizes.key_bits,
                                                 stream_));
      PEER_CHECK(cub::DeviceScan::ExclusiveSum(nullptr, scanning, static_cast<const int32_t*>(nullptr),
                                               static_cast<int32_t*>(nullptr), sizes.experts, stream_));
    }
    PEER_CHECK(reduce(nullptr, summing, nullptr, nullptr, sizes.models, sizes.batch * sizes.n));
    scratch_bytes_ = std::max({sorting, scanning, summing, size_t{1}});
    PEER_CHECK(cudaMalloc(&scratch_, scratch_bytes_));
  }
  CudaMachine(const CudaMachine&) = delete;
  CudaMachine& operator=(const CudaMachine&) = delete;
  ~CudaMachine() {  // errors here are those of earlier calls, reported there
    (void)cublasDestroy(cublas_);
    (void)cudaFree(workspace_);
    (void)cudaFree(scratch_);
  }

  template <class Body>
  void for_each(int count, Body body) {
    constexpr int kThreads = 256;
    for_each_kernel<<<static_cast<unsigned>((count + kThreads - 1) / kThreads), kThreads, 0, stream_>>>(count, body);
    PEER_CHECK(cudaGetLastError());
  }

  // cuBLAS counts columns first: a row-major C = op(A) op(B) is its C' = op(B') op(A').
  void multiply(int batch, int rows, int columns, int inner, Matrix A, Matrix B, float beta, Matrix C) {
    const float one = 1.0f;
    const cublasOperation_t op_a = A.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t op_b = B.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    if (B.pointers != nullptr) {
      PEER_CHECK(cublasSgemmBatched(cublas_, op_b, op_a, columns, rows, inner, &one, B.pointers, B.leading, A.pointers,
                                    A.leading, &beta, C.pointers, C.leading, batch));
    } else {
      PEER_CHECK(cublasSgemmStridedBatched(cublas_, op_b, op_a, columns, rows, inner, &one, B.data, B.leading, B.stride,
                                           A.data, A.leading, A.stride, &beta, C.data, C.leading, C.stride, batch));
    }
  }

  void sort(const uint32_t* keys, uint32_t* sorted_keys, const int32_t* values, int32_t* sorted_values, int count,
            int bits) {
    PEER_CHECK(cub::DeviceRadixSort::SortPairs(scratch_, scratch_bytes_, keys, sorted_keys, values, sorted_values,
                                               count, 0, bits, stream_));
  }

  void exclusive_sum(const int32_t* from, int32_t* to, int count) {
    PEER_CHECK(cub::DeviceScan::ExclusiveSum(scratch_, scratch_bytes_, from, to, count, stream_));
  }

  void sum_segments(const float* from, float* to, int segments, int size) {
    if (size > 1024) {
      PEER_CHECK(reduce(scratch_, scratch_bytes_, from, to, segments, size));
      return;
    }
    sum_short_segments<<<static_cast<unsigned>((segments + 7) / 8), 256, 0, stream_>>>(from, to, segments, size);
    PEER_CHECK(cudaGetLastError());
  }

  template <class T>
  void fill(T* to, int byte, int count) {
    PEER_CHECK(cudaMemsetAsync(to, byte, static_cast<size_t>(count) * sizeof(T), stream_));
  }

 private:
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;

  cudaError_t reduce(void* scratch, size_t& bytes, const float* from, float* to, int segments, int size) {
    const auto starts = thrust::make_transform_iterator(thrust::make_counting_iterator(0), SegmentStart{size});
    return cub::DeviceSegmentedReduce::Sum(scratch, bytes, from, to, segments, starts, starts + 1, stream_);
  }

  cudaStream_t stream_;
  cublasHandle_t cublas_ = nullptr;
  void *workspace_ = nullptr, *scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
};

}  // namespace phasegrid::unfused
