// Where threads meet: shuffles, votes and barriers of a warp, barriers of a block. As PTX has them, lanes wait for
// those that the mask names, at whichever line these call the same instruction.
#include "running.hpp"

namespace ptx {
namespace {
// What each lane gets, once all are there.
void exchange(Warp& warp, uint32_t mask, int meeting) {
  uint32_t all = 0, bits = 0;
  for (uint32_t i = 0; i < 32; ++i) {
    if (!(mask >> i & 1)) continue;
    all |= static_cast<uint32_t>(warp.lanes[i]->value != 0) << i;
    bits |= warp.lanes[i]->value;
  }
  for (uint32_t i = 0; i < 32; ++i) {
    if (!(mask >> i & 1)) continue;
    Thread& lane = *warp.lanes[i];
    if (meeting == kVote) lane.result = all;
    if (meeting == kOr) lane.result = bits;
    if (meeting % 8 != kShuffle) continue;
    if (!(mask >> lane.source & 1)) {
      report(Fault::mask, "a shuffle reads a lane that its mask does not name", lane.site);
      continue;
    }
    lane.result = warp.lanes[lane.source]->value;
  }
}

void meet(Thread& me, int meeting, uint32_t mask, int site) {
  Warp& warp = *me.warp;
  me.meeting = meeting, me.mask = mask, me.site = site;
  if (!(mask >> me.lane & 1)) give_up(me, Fault::mask, "a lane that the mask does not name", site);
  bool complete = true;
  for (uint32_t i = 0; i < 32; ++i) {
    if (!(mask >> i & 1)) continue;
    const Thread* other = warp.lanes[i];
    if (other == nullptr || other->ended) give_up(me, Fault::mask, "the mask names a lane that has ended", site);
    if (other->meeting == kNone) {
      complete = false;
    } else if (other->meeting == kBlock) {
      give_up(me, Fault::mask, "the mask names a lane that waits at a block's barrier", site);
    } else if (other->mask != mask || other->meeting != meeting) {
      give_up(me, Fault::mask, "lanes meet with different masks or instructions", site);
    }
  }
  if (!complete) return wait_for_others(me);
  exchange(warp, mask, meeting);
  std::vector<Thread*> others;
  for (uint32_t i = 0; i < 32; ++i) {
    if (!(mask >> i & 1)) continue;
    warp.lanes[i]->meeting = kNone;
    if (warp.lanes[i] != &me) others.push_back(warp.lanes[i]);
  }
  // A barrier of some lanes orders nothing here: that the kernels have none is part of what is checked.
  if (meeting == kWarp && mask == kWholeWarp) ++warp.epoch;
  make_ready(std::move(others));
}

void release(Block& block, const Thread* last) {
  std::vector<Thread*> others;
  for (Thread& t : block.threads) {
    if (t.ended) continue;
    t.result = block.any;
    t.meeting = kNone;
    if (&t != last) others.push_back(&t);
  }
  block.arrived = 0;
  block.any = false;
  ++block.epoch;
  make_ready(std::move(others));
}

// The lanes of a warp come to one and the same barrier, and nobody has left.
void check_barrier(const Block& block, int site) {
  for (const Thread& t : block.threads) {
    if (t.ended) {
      report(Fault::barrier, "a block's barrier without threads that have ended", site);
      return;
    }
  }
  for (const Warp& warp : block.warps) {
    for (const Thread* t : warp.lanes) {
      if (t && t->site != warp.lanes[0]->site) {
        report(Fault::barrier, "lanes of a warp at different barriers of the block", t->site, warp.lanes[0]->site);
      }
    }
  }
}
}  // namespace

void thread_ended(Thread& me) {
  Block& block = *me.block;
  --block.alive;
  for (const Thread* other : me.warp->lanes) {
    if (other && !other->ended && other->meeting != kNone && other->meeting != kBlock && (other->mask >> me.lane & 1)) {
      give_up(me, Fault::mask, "a lane has ended that others wait for", other->site);
    }
  }
  if (block.alive > 0 && block.arrived == block.alive) {
    for (const Thread& t : block.threads) {
      if (!t.ended) return check_barrier(block, t.site), release(block, nullptr);
    }
  }
}

Shuffled shuffle(Thread& me, Shuffle mode, uint32_t value, uint32_t distance, uint32_t clamp, uint32_t mask, int site) {
  if (mutated(site)) distance = (distance ^ 1) & 31;
  const uint32_t segment = clamp >> 8 & 31, lane = me.lane, b = distance & 31;
  const int most = static_cast<int>((lane & segment) | (clamp & 31 & ~segment));
  int source = 0;
  switch (mode) {
    case Shuffle::bfly:
      source = static_cast<int>(lane ^ b);
      break;
    case Shuffle::idx:
      source = static_cast<int>((lane & segment) | (b & ~segment));
      break;
    case Shuffle::up:
      source = static_cast<int>(lane) - static_cast<int>(b);
      break;
    case Shuffle::down:
      source = static_cast<int>(lane + b);
      break;
  }
  const bool in_range = mode == Shuffle::up ? source >= most : source <= most;
  me.value = value, me.source = in_range ? source : static_cast<int>(lane);
  meet(me, kShuffle + 8 * static_cast<int>(mode), mask, site);
  return {me.result, in_range};
}
uint32_t ballot(Thread& me, bool value, uint32_t mask, int site) {
  me.value = value;
  meet(me, kVote, mask, site);
  return me.result;
}
uint32_t or_of_lanes(Thread& me, uint32_t value, uint32_t mask, int site) {
  me.value = value;
  meet(me, kOr, mask, site);
  return me.result;
}
void meet_warp(Thread& me, uint32_t mask, int site) {
  if (!mutated(site)) meet(me, kWarp, mask, site);
}
bool meet_block(Thread& me, bool value, int site) {
  if (mutated(site)) return value;
  Block& block = *me.block;
  me.meeting = kBlock, me.site = site;
  block.any = block.any || value;
  if (++block.arrived < block.alive) {
    wait_for_others(me);
  } else {
    check_barrier(block, site);
    release(block, &me);
  }
  return me.result != 0;
}

}  // namespace ptx
