// A running grid, as the files of this folder share it.
#pragma once
#include <deque>
#include <random>
#include <set>

#include "grid.hpp"

namespace ptx {

constexpr uint32_t kWholeWarp = 0xffffffffu;
enum Meeting : int { kNone, kShuffle, kVote, kWarp, kBlock, kOr };  // of shuffles: kShuffle + 8 * mode

struct Warp {
  Thread* lanes[32] = {};
  uint32_t epoch = 0;  // barriers of all its lanes that it has passed
};
struct Block {
  uint32_t alive = 0, arrived = 0, epoch = 0;
  bool any = false;
  std::vector<uint8_t> shared;
  std::vector<Shadow> shadow;
  std::vector<Warp> warps;
  std::vector<Thread> threads;
};
struct Running {
  const Kernel& kernel;
  const Launch& how;
  DeviceMemory& memory;
  std::vector<uint8_t> parameters = {};
  std::vector<Block> blocks = {};
  std::deque<Thread*> ready = {};
  std::mt19937 random = {};
  std::vector<Report> reports = {};
  std::set<std::pair<int, std::pair<int, int>>> seen = {};
  std::vector<uint64_t> executed = {};
  int64_t blocks_left = 0, turn_size = 0;
  bool failed = false;
  Thread* current = nullptr;
  void* scheduler_stack = nullptr;
};
extern Running* running;

// Threads that may run now, in the launch's order.
void make_ready(std::vector<Thread*> threads);
void wait_for_others(Thread& me);
void thread_ended(Thread& me);
// Kept once for each pair of lines.
void report(Fault fault, const std::string& text, int line, int other_line = 0);
// The same, after which nothing of the grid can go on.
[[noreturn]] void give_up(Thread& me, Fault fault, const std::string& text, int line);

}  // namespace ptx
