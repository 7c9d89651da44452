// A CUDA runtime of threads, so that the host's side of the CUDA backend (cuda_backend.cpp, cuda_memory.hpp) runs where
// there is no GPU: as many devices as a test asks for, memory that only kernels of its device may read, launches that
// run beside the host, and failures on demand. "Kernels" are the CPU's.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace phasegrid::testing {

struct FakeLaunch {
  int device;
  int n_models;
};

// What tests set, and what they look at afterwards.
struct FakeCuda {
  int devices = 1;
  std::set<int> without_code;       // devices that this build has no code for
  std::map<int, int> room;  // bytes for a model of the block mapping, where not 227 KiB
  int fail_call = -1;               // this call (counted from 0) of those that allocate, copy or launch fails
  bool kernels_fail = false;        // every launch ends with an error
  int failing_device = -1;          // or those of this device do
  bool drives_display = false;      // kernels have a time limit
  std::map<int, int> look_fails;    // cudaError_t of looking up a kernel on a device
  int count_fails = 0;              // cudaError_t of counting devices

  int calls = 0;
  int last_error = 0;  // as the runtime keeps it
  std::vector<FakeLaunch> launches;
  std::vector<std::string> mistakes;  // of the backend: memory of another device or of the host, freed while in use

  // Memory and streams that were not given back.
  int leaks() const;

  std::mutex mutex;
  struct Memory {
    std::size_t bytes;
    int device;     // -1: mapped host memory
    int users = 0;  // kernels that run with it
  };
  std::map<void*, Memory> memory;
  int streams = 0;
};

FakeCuda& fake_cuda();
// As new: one device, nothing fails, nothing counted.
void reset_fake_cuda();

}  // namespace phasegrid::testing
