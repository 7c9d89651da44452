// Kernels with a bug each, which the checks of tests/ptx must report; and one without any.
#include <stdint.h>

constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr int kThreads = 64;

extern "C" {

// Right: each thread hands its number to another warp, and lanes add theirs up.
__global__ void correct(float* to) {
  __shared__ float numbers[kThreads];
  float mine = static_cast<float>(threadIdx.x);
  for (int d = 16; d > 0; d /= 2) mine += __shfl_xor_sync(kWholeWarp, mine, d);
  numbers[threadIdx.x] = mine;
  __syncthreads();
  to[threadIdx.x] = numbers[kThreads - 1 - threadIdx.x];
}

__global__ void shared_out_of_bounds(float* to, int offset) {
  __shared__ float numbers[kThreads];
  numbers[threadIdx.x + offset] = 1.0f;
  __syncthreads();
  to[threadIdx.x] = numbers[threadIdx.x];
}

__global__ void global_out_of_bounds(float* to) { to[threadIdx.x + 1] = 1.0f; }

__global__ void shared_unwritten(float* to) {
  __shared__ float numbers[kThreads];
  if (threadIdx.x != 5) numbers[threadIdx.x] = 1.0f;
  __syncthreads();
  to[threadIdx.x] = numbers[threadIdx.x];
}

__global__ void global_unwritten(float* to) { to[threadIdx.x] = to[threadIdx.x] + 1.0f; }

// Without a barrier: another warp's number.
__global__ void race_between_warps(float* to) {
  __shared__ float numbers[kThreads];
  numbers[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncwarp();
  to[threadIdx.x] = numbers[(threadIdx.x + 32) % kThreads];
}

// Without a barrier: another lane's number. (A shuffle in between orders no memory.)
__global__ void race_between_lanes(float* to) {
  __shared__ float numbers[kThreads];
  numbers[threadIdx.x] = static_cast<float>(threadIdx.x);
  const float sum = __shfl_xor_sync(kWholeWarp, 1.0f, 1);
  to[threadIdx.x] = sum + numbers[threadIdx.x ^ 1];
}

// Numbers are read by the lanes of one warp and overwritten by the other warp.
__global__ void race_write_after_read(float* to) {
  __shared__ float numbers[32];
  if (threadIdx.x < 32) numbers[threadIdx.x] = 1.0f;
  __syncthreads();
  if (threadIdx.x < 32) {
    to[threadIdx.x] = numbers[threadIdx.x];
  } else {
    numbers[threadIdx.x - 32] = 2.0f;
  }
}

// Two blocks write one number of global memory.
__global__ void race_between_blocks(float* to) { to[threadIdx.x] = static_cast<float>(blockIdx.x); }

// Half of the lanes come to a shuffle that names all of them; the others go another way.
__global__ void mask_names_too_many(float* to) {
  float mine = 1.0f;
  if (threadIdx.x % 2 == 0) {
    mine = __shfl_xor_sync(kWholeWarp, mine, 2);
  } else {
    __syncwarp(0xaaaaaaaau);
    mine = 3.0f;
  }
  to[threadIdx.x] = mine;
}

// Every lane comes to a vote that names half of them.
__global__ void mask_names_too_few(float* to) { to[threadIdx.x] = __any_sync(0x0000ffffu, threadIdx.x == 3) ? 1 : 0; }

// A shuffle reads a lane that its mask leaves out.
__global__ void shuffle_from_outside(float* to) {
  float mine = 1.0f;
  if (threadIdx.x % 2 == 0) mine = __shfl_xor_sync(0x55555555u, mine, 1);
  to[threadIdx.x] = mine;
}

// Lanes of a warp end before a barrier of the block.
__global__ void barrier_for_some(float* to, int some) {
  __shared__ float numbers[kThreads];
  const int i = static_cast<int>(threadIdx.x);
  if (i < some) {
    numbers[i] = static_cast<float>(i);
    __syncthreads();
    to[i] = numbers[some - 1 - i];
  }
}

// Lanes of a warp come to different barriers of the block.
__global__ void divergent_barrier(float* to) {
  if (threadIdx.x % 2 == 0) {
    to[threadIdx.x] = 1.0f;
    __syncthreads();
    to[threadIdx.x] = 2.0f;
  } else {
    to[threadIdx.x] = 3.0f;
    __syncthreads();
    to[threadIdx.x] = 4.0f;
  }
}

// Waits for a number that nobody writes.
__global__ void endless(volatile float* to) {
  to[threadIdx.x] = 0.0f;
  while (to[threadIdx.x] == 0.0f) {
  }
}

__global__ void writes_what_is_read_only(float* to, float* from) {
  from[threadIdx.x] = 1.0f;
  to[threadIdx.x] = 1.0f;
}

__global__ void misaligned_vector(float* to) {
  *reinterpret_cast<float4*>(to + threadIdx.x) = float4{1.0f, 1.0f, 1.0f, 1.0f};
}

}  // extern "C"
