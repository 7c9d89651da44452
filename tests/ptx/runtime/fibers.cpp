// Threads as fibers: one runs until it waits for others, or until its turn is over.
#include <sys/mman.h>

#include <algorithm>
#include <stdexcept>

#include "running.hpp"

namespace ptx {

Running* running = nullptr;
Mutation mutation;
int64_t turn = 0;

namespace {
constexpr size_t kStack = 1 << 20;  // reserved, not used
constexpr int kTurnOfRandomOrder = 200;

extern "C" void phasegrid_switch_fiber(void** save_here, void* to);
// Registers that a call preserves (System V, x86-64), and the stack.
asm(R"(
.text
.globl phasegrid_switch_fiber
phasegrid_switch_fiber:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

void run_thread() {
  Thread& me = *running->current;
  running->kernel.run(me);
  me.ended = true;
  thread_ended(me);
  wait_for_others(me);
}

struct Stacks {
  explicit Stacks(size_t n) : size(n * kStack) {
    memory = static_cast<char*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (memory == MAP_FAILED) throw std::runtime_error("no memory for the stacks of emulated threads");
  }
  ~Stacks() { munmap(memory, size); }
  void* prepared(int number) const {
    void** top = reinterpret_cast<void**>(memory + (static_cast<size_t>(number) + 1) * kStack);
    *--top = nullptr;  // aligned as after a call
    *--top = reinterpret_cast<void*>(&run_thread);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    return top;
  }
  size_t size;
  char* memory;
};

void new_turn() {
  Running& r = *running;
  turn = r.how.order == Order::random ? 1 + static_cast<int64_t>(r.random() % (2 * kTurnOfRandomOrder)) : 100'000;
  turn = std::max<int64_t>(1, std::min(turn, r.blocks_left));
  r.turn_size = turn;
}
void end_turn() { running->blocks_left -= running->turn_size - turn; }

std::vector<Thread*> set_up(Running& r, const Stacks& stacks) {
  std::vector<Thread*> all;
  int number = 0;
  r.blocks.resize(static_cast<size_t>(r.how.blocks));
  for (Block& block : r.blocks) {
    const uint32_t bytes =
        r.how.dynamic_shared ? r.kernel.dynamic_offset + r.how.dynamic_shared : r.kernel.shared_bytes;
    block.shared.assign(bytes, 0xff);  // NaNs
    block.shadow.assign(bytes / 4 + 1, Shadow{});
    block.alive = static_cast<uint32_t>(r.how.threads);
    block.threads.resize(static_cast<size_t>(r.how.threads));
    block.warps.resize((block.threads.size() + 31) / 32);
    for (Thread& t : block.threads) {
      t.tid = static_cast<uint32_t>(&t - block.threads.data());
      t.lane = t.tid % 32, t.block_threads = block.alive, t.block_number = static_cast<uint32_t>(&block - &r.blocks[0]);
      t.block = &block, t.warp = &block.warps[t.tid / 32], t.executed = r.executed.data();
      t.warp->lanes[t.lane] = &t;
      t.stack_pointer = stacks.prepared(number);
      t.number = number++;
      all.push_back(&t);
    }
  }
  return all;
}

void run_all(Running& r, const std::vector<Thread*>& all) {
  make_ready(all);
  for (long switches = 0; !r.ready.empty() && !r.failed; ++switches) {
    if (r.how.host && switches % 64 == 0) r.how.host();
    r.current = r.ready.front();
    r.ready.pop_front();
    new_turn();
    phasegrid_switch_fiber(&r.scheduler_stack, r.current->stack_pointer);
    end_turn();
  }
  if (r.failed) return;
  int waiting = 0, line = 0;
  for (const Thread* t : all) {
    if (!t->ended) ++waiting, line = t->site;
  }
  if (waiting) report(Fault::deadlock, std::to_string(waiting) + " threads wait for ever", line);
}
}  // namespace

uint64_t poison() { return running->how.order == Order::random ? 0xa5a5a5a57fc12345u : 0; }

void make_ready(std::vector<Thread*> threads) {
  Running& r = *running;
  if (r.how.order == Order::backward) std::reverse(threads.begin(), threads.end());
  if (r.how.order == Order::random) std::shuffle(threads.begin(), threads.end(), r.random);
  r.ready.insert(r.ready.end(), threads.begin(), threads.end());
}
void wait_for_others(Thread& me) { phasegrid_switch_fiber(&me.stack_pointer, running->scheduler_stack); }
void out_of_turn(Thread& me) {
  if (running->turn_size >= running->blocks_left) give_up(me, Fault::endless, "the kernel does not end", me.site);
  running->ready.push_back(&me);
  wait_for_others(me);
}
void report(Fault fault, const std::string& text, int line, int other_line) {
  Running& r = *running;
  if (!r.seen.insert({static_cast<int>(fault), {line, other_line}}).second) return;
  std::string where = "PTX line " + std::to_string(line);
  if (other_line) where += " after line " + std::to_string(other_line);
  r.reports.push_back({fault, text + ", " + where});
}
void give_up(Thread& me, Fault fault, const std::string& text, int line) {
  report(fault, text, line);
  running->failed = true;
  wait_for_others(me);  // for ever
  __builtin_unreachable();
}

const char* to_string(Fault fault) {
  constexpr const char* kNames[] = {"shared memory out of bounds",
                                    "shared memory read before it was written",
                                    "global memory out of bounds",
                                    "global memory read before it was written",
                                    "write to memory that is only read",
                                    "parameters out of bounds",
                                    "misaligned access",
                                    "race",
                                    "lanes and mask do not agree",
                                    "divergent barrier",
                                    "deadlock",
                                    "endless"};
  return kNames[static_cast<int>(fault)];
}
bool Outcome::has(Fault fault) const {
  return std::any_of(reports.begin(), reports.end(), [&](const Report& r) { return r.fault == fault; });
}

Outcome launch(const Kernel& kernel, std::span<const Argument> arguments, DeviceMemory& memory, const Launch& how) {
  Running r{kernel, how, memory};
  running = &r;
  r.random.seed(how.seed);
  r.blocks_left = how.most_blocks;
  r.executed.assign(kernel.blocks.size(), 0);
  r.parameters.resize(kernel.parameter_bytes);
  if (arguments.size() != kernel.parameters.size()) throw std::runtime_error("wrong number of arguments");
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].size != kernel.parameters[i].size) throw std::runtime_error("wrong size of an argument");
    memcpy(r.parameters.data() + kernel.parameters[i].offset, arguments[i].data, arguments[i].size);
  }
  const Stacks stacks(static_cast<size_t>(how.blocks) * static_cast<size_t>(how.threads));
  run_all(r, set_up(r, stacks));
  if (how.host) how.host();
  running = nullptr;
  Outcome outcome{r.reports, std::vector<uint64_t>(kernel.kinds.size(), 0), {}};
  for (size_t b = 0; b < kernel.blocks.size(); ++b) {
    outcome.reached.push_back(r.executed[b] > 0);
    for (size_t i = 0; i < kernel.kinds.size(); ++i) outcome.executed[i] += r.executed[b] * kernel.blocks[b][i];
  }
  return outcome;
}

}  // namespace ptx
