// Every access of a thread: within bounds, of what was written, and ordered by barriers with those of other threads.
#include <stdexcept>

#include "running.hpp"

namespace ptx {
namespace {
constexpr size_t kGap = 256;  // between two allocations, so that running over is seen

Toucher now(const Thread& me, int site) { return {me.number, site, me.block->epoch, me.warp->epoch}; }
int block_of(const Thread& me, const Toucher& t) { return t.thread / static_cast<int>(me.block_threads); }

// Whether a barrier stands between what `before` did and now. The threads of a block are whole warps.
bool ordered(const Thread& me, const Toucher& before) {
  if (before.thread < 0 || before.thread == me.number) return true;
  if (block_of(me, before) != static_cast<int>(me.block_number)) return false;
  if (before.block_epoch < me.block->epoch) return true;
  return before.thread / 32 == me.number / 32 && before.warp_epoch < me.warp->epoch;
}

// Of reads that no barrier of the block separates from now, two of one warp and one of another warp are enough: a
// write of any thread is ordered with all of them or races with one that is kept.
void remember_reader(Shadow& s, const Thread& me, const Toucher& reader) {
  const Toucher& first = s.reader;
  const bool outdated = first.thread < 0 || (block_of(me, first) == static_cast<int>(me.block_number) &&
                                             first.block_epoch < reader.block_epoch);
  if (outdated) {
    s.reader = reader;
    s.second = s.elsewhere = Toucher{};
  } else if (first.thread / 32 != reader.thread / 32) {
    s.elsewhere = reader;
  } else {
    if (first.thread != reader.thread) s.second = first;
    s.reader = reader;
  }
}

void touch(Shadow& s, const Thread& me, Access access, int site, Fault unwritten, const char* space) {
  const std::string in = std::string(" in ") + space + " memory";
  if (access == kRead) {
    if (!s.written) report(unwritten, "read before it was written" + in, site);
    if (!ordered(me, s.writer)) report(Fault::race, "race: read after write" + in, site, s.writer.site);
    remember_reader(s, me, now(me, site));
    return;
  }
  if (!ordered(me, s.writer)) report(Fault::race, "race: write after write" + in, site, s.writer.site);
  for (const Toucher* reader : {&s.reader, &s.second, &s.elsewhere}) {
    if (!ordered(me, *reader)) report(Fault::race, "race: write after read" + in, site, reader->site);
  }
  s = Shadow{now(me, site), {}, {}, {}, true};
}

DeviceMemory::Allocation& allocation(Thread& me, uint64_t at, uint32_t size, int site) {
  DeviceMemory::Allocation* found = running->memory.find(at, size);
  if (!found) give_up(me, Fault::global_bounds, to_string(Fault::global_bounds), site);
  return *found;
}
}  // namespace

DeviceMemory::Allocation* DeviceMemory::find(uint64_t at, uint32_t size) {
  for (Allocation& a : allocations_) {
    if (at >= a.begin && at + size <= a.end) return &a;
  }
  return nullptr;
}
uint8_t* DeviceMemory::allocate(size_t size, bool writable, bool written) {
  const uint64_t base = reinterpret_cast<uint64_t>(bytes_.data());
  const uint64_t at = (base + used_ + 2 * kGap - 1) / kGap * kGap;
  used_ = at + size - base;
  if (used_ > bytes_.size()) throw std::runtime_error("the emulated device has too little memory");
  allocations_.push_back({at, at + size, writable, std::vector<Shadow>(size / 4 + 1)});
  for (Shadow& s : allocations_.back().shadow) s.written = written;
  return bytes_.data() + (at - base);
}

uint8_t* shared_at(Thread& me, uint64_t at, uint32_t size, Access access, int site) {
  Block& block = *me.block;
  if (at + size > block.shared.size()) give_up(me, Fault::shared_bounds, to_string(Fault::shared_bounds), site);
  for (uint64_t word = at / 4; word <= (at + size - 1) / 4; ++word) {
    touch(block.shadow[word], me, access, site, Fault::shared_unwritten, "shared");
  }
  return block.shared.data() + at;
}
uint8_t* global_at(Thread& me, uint64_t at, uint32_t size, Access access, int site) {
  DeviceMemory::Allocation& a = allocation(me, at, size, site);
  if (access == kWrite && !a.writable) report(Fault::read_only, to_string(Fault::read_only), site);
  for (uint64_t word = (at - a.begin) / 4; word <= (at + size - 1 - a.begin) / 4; ++word) {
    touch(a.shadow[word], me, access, site, Fault::global_unwritten, "global");
  }
  return reinterpret_cast<uint8_t*>(at);
}
uint8_t* param_at(Thread& me, uint64_t at, uint32_t size, Access, int site) {
  if (at + size > running->parameters.size()) {
    give_up(me, Fault::parameter_bounds, to_string(Fault::parameter_bounds), site);
  }
  return running->parameters.data() + at;
}
uint32_t atomic_add(Thread& me, uint64_t at, uint32_t value, int site) {
  allocation(me, at, 4, site);
  const auto before = load<uint32_t>(reinterpret_cast<uint8_t*>(at));
  store(reinterpret_cast<uint8_t*>(at), before + value);
  return before;
}
void misaligned(Thread& me, uint64_t, int site) { give_up(me, Fault::misaligned, to_string(Fault::misaligned), site); }

}  // namespace ptx
