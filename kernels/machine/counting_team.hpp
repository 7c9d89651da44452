// Who works on one model of the counting machine: one worker, who takes the 32 lanes in groups of kWidth. What machines
// do in their teams differs, so of the sums over lanes only the calls are counted.
#pragma once

namespace phasegrid::PHASEGRID_MACHINE {

inline uint32_t same_in_all_lanes(uint32_t word) { return word; }

// Sums of kValues numbers over the lanes. The caller owns the storage.
template <int kValues>
struct LaneSums {
  float partial[kValues][kLanes];
  float total[kValues];
};

// The sum of so many lanes, in the order of every machine: l + (l ^ 16), then 8, 4, 2, 1. The last + 0 is theirs, too.
template <int kCount>
float sum_of(const float* lanes) {
  float sums[kCount];
  for (int l = 0; l < kCount; ++l) sums[l] = lanes[l];
  for (int half = kCount / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) sums[l] = sums[l] + sums[l + half];
  }
  return sums[0] + 0.0f;
}

class Team {
 public:
  static int rank() { return 0; }
  static constexpr int size() { return 1; }
  static void barrier() {}
  static bool any(bool a) { return a; }

  template <int kCount, class Body>
  static void for_each_index(Body&& body) {
    for (int i = 0; i < kCount; ++i) body(i);
  }
  template <class Body>
  static void for_each_group(Body&& body) {
    for (int first = 0; first < kLanes; first += kWidth) body(first);
  }
  template <int kValues>
  static void deposit(LaneSums<kValues>& sums, int first, const Floats (&values)[kValues]) {
    for (int v = 0; v < kValues; ++v) __builtin_memcpy(&sums.partial[v][first], values[v].v, sizeof values[v].v);
  }
  template <int kValues>
  static void reduce(LaneSums<kValues>& sums) {
    for (int v = 0; v < kValues; ++v) sums.total[v] = sum_of<kLanes>(sums.partial[v]);
  }
};

// ---------------------------------------------------------------- the block mapping
constexpr int kGroups = kLanes / kWidth;
PG_INLINE constexpr int registers_of(int n) { return (n + kWidth - 1) / kWidth; }
PG_INLINE constexpr int column_of(int r) { return r * kWidth; }

class BlockTeam {
 public:
  static constexpr int worker() { return 0; }
  static constexpr int workers() { return 1; }
  static constexpr int thread() { return 0; }
  static constexpr int threads() { return 1; }
  static void barrier() {}
  static bool any(bool a) { return a; }

  template <class Body>
  static void for_each_group(Body&& body) {
    Team::for_each_group(body);
  }
  template <class Destination>
  static void sum_sixteen(const Floats (&values)[16], int rows, Destination&& destination) {
    for (int v = 0; v < 16 && v / 4 < rows; ++v) destination(v / 4)[v % 4] = sum_of<kWidth>(values[v].v);
    ledger.count(&Calls::sixteens);
  }
  template <class Destination>
  static void add_sixteen(const Floats (&values)[16], int rows, Destination&& destination) {
    for (int v = 0; v < 16 && v / 4 < rows; ++v) {
      float& to = destination(v / 4)[v % 4];
      to = to + sum_of<kWidth>(values[v].v);
    }
    ledger.count(&Calls::sixteens);
    ledger.count(&Calls::added_fours, rows < 4 ? rows : 4);
  }
  static int append(int32_t* list, int count, Mask set, int first) {
    for (int l = 0; l < kWidth; ++l) {
      if (set.m[l]) list[count++] = first + l;
    }
    return count;
  }
  static int count(Mask set) { return __builtin_popcount(mask_bits(set)); }
};

}  // namespace phasegrid::PHASEGRID_MACHINE
