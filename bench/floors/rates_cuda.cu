// Micro-benchmarks of a GPU: every processor full of threads, each of which repeats one operation in eight independent
// chains. Times are those of CUDA events, the best of several; clocks are the processors' own counters.
#include <cuda_runtime.h>

#include <algorithm>

#include "common/philox.hpp"
#include "rates_cuda.hpp"

namespace phasegrid::bench {
namespace {

constexpr int kThreads = 256;
constexpr int kChains = 8;
constexpr int kUnrolled = 16;  // operations of a chain in one turn of the loop
constexpr int kTurns = 512;

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw NoCuda(std::string(what) + ": " + cudaGetErrorString(error));
}

// ---------------------------------------------------------------- one operation each: next(x) of a chain's word
// Assembly, so that nothing is simplified. kOperations: how many it stands for.
struct Fma {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t a, uint32_t b, uint32_t) {
    asm volatile(
        "{.reg .f32 x, a, b; mov.b32 x, %0; mov.b32 a, %1; mov.b32 b, %2; fma.rn.f32 x, x, a, b; mov.b32 %0, x;}"
        : "+r"(x)
        : "r"(a), "r"(b));
  }
};
struct Logic {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t a, uint32_t b, uint32_t) {
    asm volatile("lop3.b32 %0, %0, %1, %2, 0x96;" : "+r"(x) : "r"(a), "r"(b));
  }
};
// Alternately one for each of two pipes: how many instructions can be issued.
struct Mixed {
  static constexpr double kOperations = 2;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t a, uint32_t b, uint32_t) {
    asm volatile(
        "{.reg .f32 x, a, b; .reg .b32 y; mov.b32 x, %0; mov.b32 a, %1; mov.b32 b, %2; fma.rn.f32 x, x, a, b;"
        " mov.b32 y, x; lop3.b32 %0, y, %1, %2, 0x96;}"
        : "+r"(x)
        : "r"(a), "r"(b));
  }
};
struct Convert {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t, uint32_t, uint32_t) {
    asm volatile("{.reg .f32 y; cvt.rn.f32.s32 y, %0; mov.b32 %0, y;}" : "+r"(x));
  }
};
struct Exponential {  // ex2.approx, the special function unit
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t, uint32_t, uint32_t) {
    asm volatile("{.reg .f32 y; mov.b32 y, %0; ex2.approx.ftz.f32 y, y; mov.b32 %0, y;}" : "+r"(x));
  }
};
struct Divide {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t a, uint32_t, uint32_t) {
    x = __float_as_uint(__fdiv_rn(__uint_as_float(a), __uint_as_float(x)));
  }
};
struct Root {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t, uint32_t, uint32_t) {
    x = __float_as_uint(__fsqrt_rn(__uint_as_float(x)));
  }
};
struct Shuffle {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t, uint32_t, uint32_t) {
    asm volatile("shfl.sync.bfly.b32 %0, %0, 1, 0x1f, 0xffffffff;" : "+r"(x));
  }
};
// `x` is an address in shared memory, where it finds the next: a word of its own bank.
struct Shared {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t, uint32_t, uint32_t) {
    asm volatile("ld.shared.u32 %0, [%0];" : "+r"(x));
  }
};
// Four words of kernels/common/philox.hpp with the counter of the tiny mapping: call, lane, step, stream.
struct Philox {
  static constexpr double kOperations = 4;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t a, uint32_t b, uint32_t call) {
    const auto block = cuda::philox<cuda::kRounds>(call, threadIdx.x % 32u, a, b, cuda::Key{a, b});
    x ^= block.w[0] ^ block.w[1] ^ block.w[2] ^ block.w[3];
  }
};
// The full product of two words; that both halves are needed takes an exclusive or beside it, as in Philox.
struct Wide {
  static constexpr double kOperations = 1;
  static __device__ __forceinline__ void next(uint32_t& x, uint32_t a, uint32_t, uint32_t) {
    asm volatile(
        "{.reg .b32 low, high; .reg .b64 product; mul.wide.u32 product, %0, %1; mov.b64 {low, high}, product;"
        " xor.b32 %0, low, high;}"
        : "+r"(x)
        : "r"(a));
  }
};

// `start` of a chain: 1.5f, or for Shared the address of this thread's bank.
template <class Operation>
__global__ void __launch_bounds__(kThreads)
    repeat(uint32_t a, uint32_t b, uint32_t start, uint32_t* sink, unsigned long long* clocks) {
  __shared__ uint32_t words[kThreads];
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(&words[threadIdx.x]));
  words[threadIdx.x] = address;
  __syncthreads();
  uint32_t x[kChains];
#pragma unroll
  for (int c = 0; c < kChains; ++c) {
    // Of the thread: what all threads of a warp share would go to a unit of its own.
    x[c] = start == 0 ? address : start + threadIdx.x + static_cast<uint32_t>(c);
  }
  const long long from = clock64();
#pragma unroll 1
  for (int turn = 0; turn < kTurns; ++turn) {
#pragma unroll
    for (int i = 0; i < kUnrolled; ++i) {
#pragma unroll
      for (int c = 0; c < kChains; ++c) {
        Operation::next(x[c], a, b, static_cast<uint32_t>((turn * kUnrolled + i) * kChains + c));
      }
    }
  }
  const long long to = clock64();
  uint32_t sum = 0;
#pragma unroll
  for (int c = 0; c < kChains; ++c) sum ^= x[c];
  sink[blockIdx.x * kThreads + threadIdx.x] = sum;
  if (threadIdx.x == 0) clocks[blockIdx.x] = static_cast<unsigned long long>(to - from);
}

// ---------------------------------------------------------------- measuring

// Device memory and events of the measurements.
class Bench {
 public:
  Bench() {
    check(cudaGetDeviceCount(&devices_), "no GPU can be used");
    if (devices_ == 0) throw NoCuda("no GPU can be used: CUDA finds none");
    check(cudaGetDeviceProperties(&properties_, 0), "cannot read the GPU's properties");
    blocks_ = properties_.multiProcessorCount * (properties_.maxThreadsPerMultiProcessor / kThreads);
    check(cudaMalloc(&sink_, static_cast<size_t>(blocks_) * kThreads * sizeof *sink_), "cudaMalloc");
    check(cudaMalloc(&clocks_, static_cast<size_t>(blocks_) * sizeof *clocks_), "cudaMalloc");
    check(cudaEventCreate(&from_), "cudaEventCreate");
    check(cudaEventCreate(&to_), "cudaEventCreate");
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    static_cast<void>(cudaFree(sink_));  // nothing can be done about an error here
    static_cast<void>(cudaFree(clocks_));
    static_cast<void>(cudaEventDestroy(from_));
    static_cast<void>(cudaEventDestroy(to_));
  }

  template <class Operation>
  CudaRate measure(const char* name, uint32_t start) {
    CudaRate rate{name};
    const double operations = Operation::kOperations * kChains * kUnrolled * kTurns * kThreads;  // of a block
    for (int trial = 0; trial < 6; ++trial) {                                                    // the first warms up
      check(cudaEventRecord(from_), "cudaEventRecord");
      repeat<Operation><<<static_cast<unsigned>(blocks_), kThreads>>>(0x3f800001u, 0x3f000003u, start, sink_, clocks_);
      check(cudaGetLastError(), name);
      check(cudaEventRecord(to_), "cudaEventRecord");
      check(cudaEventSynchronize(to_), name);
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, from_, to_), "cudaEventElapsedTime");
      std::vector<unsigned long long> clocks(static_cast<size_t>(blocks_));
      check(cudaMemcpy(clocks.data(), clocks_, clocks.size() * sizeof clocks[0], cudaMemcpyDeviceToHost), "cudaMemcpy");
      // Blocks of one processor run side by side, so it did all of their work in the time that the longest took.
      const double longest = static_cast<double>(*std::max_element(clocks.begin(), clocks.end()));
      const double of_processor = operations * blocks_ / properties_.multiProcessorCount;
      if (trial == 0) continue;
      rate.per_second = std::max(rate.per_second, operations * blocks_ / (milliseconds * 1e-3));
      rate.per_clock_processor = std::max(rate.per_clock_processor, of_processor / longest);
    }
    return rate;
  }
  const cudaDeviceProp& properties() const { return properties_; }
  int devices() const { return devices_; }

 private:
  cudaDeviceProp properties_{};
  int devices_ = 0;
  int blocks_ = 0;
  uint32_t* sink_ = nullptr;
  unsigned long long* clocks_ = nullptr;
  cudaEvent_t from_ = nullptr, to_ = nullptr;
};

}  // namespace

CudaMeasurements measure_cuda_rates() {
  constexpr uint32_t kOneAndAHalf = 0x3fc00000u;
  Bench bench;
  CudaMeasurements found;
  CudaRates& rates = found.rates;
  auto keep = [&found](const CudaRate& rate) {
    found.all.push_back(rate);
    return rate.per_second / 32;  // of a warp
  };
  rates.fma = keep(bench.measure<Fma>("fma.rn.f32", kOneAndAHalf));
  rates.logic = keep(bench.measure<Logic>("lop3.b32", kOneAndAHalf));
  rates.issue = keep(bench.measure<Mixed>("fma and lop3", kOneAndAHalf));
  rates.wide = keep(bench.measure<Wide>("mul.wide.u32", kOneAndAHalf));
  rates.convert = keep(bench.measure<Convert>("cvt.rn.f32.s32", kOneAndAHalf));
  rates.shuffle = keep(bench.measure<Shuffle>("shfl.bfly", kOneAndAHalf));
  rates.memory = keep(bench.measure<Shared>("ld.shared.u32", 0));
  const double division = keep(bench.measure<Divide>("div.rn.f32", kOneAndAHalf));
  const double root = keep(bench.measure<Root>("sqrt.rn.f32", kOneAndAHalf));
  keep(bench.measure<Exponential>("ex2.approx.f32", kOneAndAHalf));
  keep(bench.measure<Philox>("Philox4x32-7 word", kOneAndAHalf));
  rates.special = std::max(division, root);  // a floor takes the faster
  rates.issue = std::max({rates.issue, rates.fma, rates.logic});
  rates.device = bench.properties().name;
  rates.devices = bench.devices();
  rates.processors = bench.properties().multiProcessorCount;
  rates.gigahertz = found.all[0].per_clock_processor > 0
                        ? found.all[0].per_second / (found.all[0].per_clock_processor * rates.processors) / 1e9
                        : 0;
  return found;
}

}  // namespace phasegrid::bench
