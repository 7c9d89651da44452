// Lets g++ compile the CUDA side of the kernels (kernels/machine/cuda.hpp and all that is built on it): the CUDA words
// they use, on threads that stand for the lanes of a block's warps. Slow, but every shuffle and barrier is executed,
// and ThreadSanitizer sees a missing barrier as a data race.
#pragma once

#define PHASEGRID_EMULATE_WARP

#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace emulated {

struct Warp {
  std::barrier<> barrier{32};
  float slot[32];
};
struct Block {
  explicit Block(int warps) : barrier(32 * warps), slot(static_cast<std::size_t>(32 * warps)) {}
  std::barrier<> barrier;
  std::vector<int> slot;
};
inline thread_local Warp* warp = nullptr;
inline thread_local Block* block = nullptr;

}  // namespace emulated

struct EmulatedIndex {
  unsigned x;
};
inline thread_local EmulatedIndex threadIdx{0}, blockDim{32};

inline void __syncwarp() { emulated::warp->barrier.arrive_and_wait(); }
inline float __shfl_xor_sync(unsigned, float value, int distance) {
  const unsigned lane = threadIdx.x % 32;
  emulated::warp->slot[lane] = value;
  __syncwarp();
  const float theirs = emulated::warp->slot[lane ^ static_cast<unsigned>(distance)];
  __syncwarp();
  return theirs;
}
inline int __any_sync(unsigned, bool value) {
  emulated::warp->slot[threadIdx.x % 32] = value ? 1.0f : 0.0f;
  __syncwarp();
  bool any = false;
  for (float slot : emulated::warp->slot) any = any || slot != 0;
  __syncwarp();
  return any;
}
inline unsigned __ballot_sync(unsigned, bool value) {
  emulated::warp->slot[threadIdx.x % 32] = value ? 1.0f : 0.0f;
  __syncwarp();
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane) ballot |= emulated::warp->slot[lane] != 0 ? 1u << lane : 0u;
  __syncwarp();
  return ballot;
}
inline unsigned __reduce_or_sync(unsigned, unsigned value) {
  const unsigned lane = threadIdx.x % 32;
  std::memcpy(&emulated::warp->slot[lane], &value, sizeof value);
  __syncwarp();
  unsigned all = 0;
  for (const float& slot : emulated::warp->slot) {
    unsigned word;
    std::memcpy(&word, &slot, sizeof word);
    all |= word;
  }
  __syncwarp();
  return all;
}
inline int __popc(unsigned word) { return __builtin_popcount(word); }
inline void __syncthreads() { emulated::block->barrier.arrive_and_wait(); }
inline int __syncthreads_or(int value) {
  emulated::block->slot[threadIdx.x] = value;
  __syncthreads();
  int any = 0;
  for (int slot : emulated::block->slot) any |= slot;
  __syncthreads();
  return any;
}
inline float __fmaf_rn(float a, float b, float c) { return std::fmaf(a, b, c); }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __int2float_rn(std::int32_t a) { return static_cast<float>(a); }
inline std::uint32_t __float_as_uint(float a) {
  std::uint32_t word;
  std::memcpy(&word, &a, sizeof word);
  return word;
}
inline float __uint_as_float(std::uint32_t word) {
  float a;
  std::memcpy(&a, &word, sizeof a);
  return a;
}

namespace emulated {

// Runs body in every thread of one block of so many warps.
inline void run_block(int warps, const std::function<void()>& body) {
  Block shared(warps);
  std::vector<Warp> teams(static_cast<std::size_t>(warps));
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 32 * static_cast<unsigned>(warps); ++thread) {
    threads.emplace_back([&, thread] {
      block = &shared;
      warp = &teams[thread / 32];
      threadIdx.x = thread;
      blockDim.x = 32 * static_cast<unsigned>(warps);
      body();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Runs body in all 32 lanes of one warp.
inline void run_warp(const std::function<void()>& body) { run_block(1, body); }

}  // namespace emulated
