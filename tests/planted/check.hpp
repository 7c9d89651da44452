// What the programs with a planted bug share. They exist for bench/gpu/all.sh, which holds each tool of
// compute-sanitizer against the bug it must report before it is believed about phasegrid's kernels.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>

// Prints a failing call; the program goes on to its end, which is what the tool looks at.
inline bool succeeded(cudaError_t error, const char* call) {
  if (error != cudaSuccess) std::fprintf(stderr, "%s: %s\n", call, cudaGetErrorString(error));
  return error == cudaSuccess;
}
#define SUCCEEDED(call) succeeded(call, #call)

// Runs launch(memory) with device memory of so many floats; exit status 0, or 1 where a call failed.
template <class Launch>
int run_planted(size_t floats, Launch&& launch) {
  float* memory = nullptr;
  if (!SUCCEEDED(cudaMalloc(&memory, floats * sizeof(float)))) return 1;
  launch(memory);
  const bool ran = SUCCEEDED(cudaGetLastError()) && SUCCEEDED(cudaDeviceSynchronize());
  return SUCCEEDED(cudaFree(memory)) && ran ? 0 : 1;
}
