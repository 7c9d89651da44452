// The host's side: memory that a grid may use, launching it, and what was found wrong while it ran.
#pragma once
#include <functional>
#include <span>
#include <string>

#include "thread.hpp"

namespace ptx {

enum class Fault {
  shared_bounds,
  shared_unwritten,
  global_bounds,
  global_unwritten,
  read_only,
  parameter_bounds,
  misaligned,
  race,
  mask,
  barrier,
  deadlock,
  endless
};
const char* to_string(Fault fault);
struct Report {
  Fault fault;
  std::string text;
};

// The last threads that accessed a word, and when: the number of barriers that their block and warp had passed.
struct Toucher {
  int thread = -1, site = 0;
  uint32_t block_epoch = 0, warp_epoch = 0;
};
// To find a race, the last writer is enough, and of the readers since two of one warp and one of another: see
// memory.cpp.
struct Shadow {
  Toucher writer, reader, second, elsewhere;
  bool written = false;
};

// All memory that a grid may use, host memory as GPUs map it: pointers are the same on both sides.
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes) : bytes_(bytes + 16384, 0xcd) {}
  // What is not written yet, by host or device, must not be read.
  template <class T>
  T* unwritten(size_t n) {
    return reinterpret_cast<T*>(allocate(n * sizeof(T), true, false));
  }
  template <class T>
  T* holding(const T* from, size_t n, bool writable) {
    uint8_t* to = allocate(n * sizeof(T), writable, true);
    if (n > 0) memcpy(to, from, n * sizeof(T));
    return reinterpret_cast<T*>(to);
  }

  struct Allocation {
    uint64_t begin, end;
    bool writable;
    std::vector<Shadow> shadow;  // of each word
  };
  Allocation* find(uint64_t at, uint32_t size);

 private:
  uint8_t* allocate(size_t size, bool writable, bool written);
  std::vector<uint8_t> bytes_;
  size_t used_ = 0;
  std::vector<Allocation> allocations_;
};

// Which of the threads that may run does so next. random: another order at every meeting, and threads that give way
// in the middle, as independent thread scheduling allows.
enum class Order { forward, backward, random };

struct Launch {
  int blocks = 1, threads = 32;
  uint32_t dynamic_shared = 0;
  Order order = Order::forward;
  unsigned seed = 1;
  int64_t most_blocks = int64_t{1} << 40;  // basic blocks executed, after which a launch counts as endless
  std::function<void()> host = {};         // called while the grid runs, now and then
};
struct Outcome {
  std::vector<Report> reports;     // each pair of places once
  std::vector<uint64_t> executed;  // instructions of each kind, by all threads
  std::vector<bool> reached;       // of each basic block, whether any thread was there
  bool has(Fault fault) const;
};
struct Argument {
  const void* data;
  size_t size;
};
Outcome launch(const Kernel& kernel, std::span<const Argument> arguments, DeviceMemory& memory, const Launch& how);

}  // namespace ptx
