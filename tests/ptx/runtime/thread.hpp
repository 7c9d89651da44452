// What translated PTX is written in: arithmetic as the GPU has it, memory that is checked, and places where lanes meet.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

namespace ptx {

struct Block;
struct Warp;

// One thread of a grid: a fiber that runs until it must wait for others.
struct Thread {
  uint32_t tid = 0, lane = 0, block_threads = 0, block_number = 0;
  int number = 0;  // in the grid
  Block* block = nullptr;
  Warp* warp = nullptr;
  uint64_t* executed = nullptr;  // of each basic block, by all threads
  void* stack_pointer = nullptr;
  bool ended = false;

  // While it waits for its warp or block: at which meeting, and what it brings and gets.
  int meeting = 0, site = 0, source = 0;
  uint32_t mask = 0, value = 0, result = 0;
};

struct Parameter {
  uint32_t offset, size;
};
struct Site {
  int line;
  const char* kind;  // "fma", "shuffle", "barrier"
};
struct Kernel {
  const char* name;
  void (*run)(Thread&);
  uint32_t shared_bytes, dynamic_offset, parameter_bytes;
  std::vector<Parameter> parameters;
  std::vector<const char*> kinds;             // of instructions
  std::vector<std::vector<uint32_t>> blocks;  // of each basic block, how many instructions of each kind
  std::vector<Site> sites;                    // what a mutation may change
};

// A change to a kernel, by the line of its PTX: a barrier left out, an fma unfused, a shuffle's distance changed.
struct Mutation {
  int line = 0;
  std::vector<char> reached;  // 1 for lines that could be changed and that a run executes; empty: they are not recorded
};
extern Mutation mutation;
inline bool mutated(int line) {
  if (static_cast<size_t>(line) < mutation.reached.size()) mutation.reached[static_cast<size_t>(line)] = 1;
  return mutation.line == line;
}

extern int64_t turn;           // basic blocks until out_of_turn() is called
void out_of_turn(Thread& me);  // lets others run, or ends what does not end
#define BLOCK(i)    \
  ++me.executed[i]; \
  if (--turn <= 0) out_of_turn(me);

uint64_t poison();  // what registers hold before they are written

// ---------------------------------------------------------------- arithmetic
inline uint32_t to_bits(float a) {
  uint32_t word;
  memcpy(&word, &a, 4);
  return word;
}
inline float to_float(uint32_t word) {
  float a;
  memcpy(&a, &word, 4);
  return a;
}
// A NaN that an operation makes is 0x7fffffff on NVIDIA's GPUs.
inline float one_nan(float a) { return a != a ? to_float(0x7fffffffu) : a; }
inline float larger(float a, float b) {
  if (a != a || b != b) return a != a ? one_nan(b) : a;
  if (a == b) return to_float(to_bits(a) & to_bits(b));  // +0 > -0
  return a > b ? a : b;
}
inline float smaller(float a, float b) {
  if (a != a || b != b) return a != a ? one_nan(b) : a;
  if (a == b) return to_float(to_bits(a) | to_bits(b));
  return a < b ? a : b;
}
inline int32_t truncated(float a) {
  if (a != a) return 0;
  if (a >= 2147483648.0f) return INT32_MAX;
  if (a < -2147483648.0f) return INT32_MIN;
  return static_cast<int32_t>(a);
}
inline uint32_t insert_bits(uint32_t from, uint32_t into, uint32_t position, uint32_t length) {
  position &= 0xff, length &= 0xff;
  for (uint32_t i = 0; i < length && position + i < 32; ++i) {
    into = (into & ~(1u << (position + i))) | ((from >> i & 1u) << (position + i));
  }
  return into;
}
#ifdef PTX_MUTABLE
#define FMA(place, a, b, c) one_nan(mutated(place) ? (a) * (b) + (c) : __builtin_fmaf(a, b, c))
#else
#define FMA(line, a, b, c) one_nan(__builtin_fmaf(a, b, c))
#endif

// ---------------------------------------------------------------- memory
enum Access { kRead, kWrite };
uint8_t* shared_at(Thread& me, uint64_t at, uint32_t size, Access access, int site);
uint8_t* global_at(Thread& me, uint64_t at, uint32_t size, Access access, int site);
uint8_t* param_at(Thread& me, uint64_t at, uint32_t size, Access access, int site);
uint32_t atomic_add(Thread& me, uint64_t at, uint32_t value, int site);
void misaligned(Thread& me, uint64_t at, int site);
inline void aligned(Thread& me, uint64_t at, uint32_t to, int site) {
  if (at % to != 0) misaligned(me, at, site);
}
template <class T>
T load(const uint8_t* from) {
  T value;
  memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void store(uint8_t* to, T value) {
  memcpy(to, &value, sizeof value);
}

// ---------------------------------------------------------------- meetings
enum class Shuffle { bfly, idx, up, down };
struct Shuffled {
  uint32_t value;
  bool in_range;
};
Shuffled shuffle(Thread& me, Shuffle mode, uint32_t value, uint32_t distance, uint32_t clamp, uint32_t mask, int site);
uint32_t ballot(Thread& me, bool value, uint32_t mask, int site);
uint32_t or_of_lanes(Thread& me, uint32_t value, uint32_t mask, int site);
void meet_warp(Thread& me, uint32_t mask, int site);
bool meet_block(Thread& me, bool value, int site);

}  // namespace ptx
