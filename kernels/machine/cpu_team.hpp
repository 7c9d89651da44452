// One CPU thread works on one model: it takes the 32 lanes in groups of kWidth, one after the other.
#pragma once

namespace phasegrid::PHASEGRID_MACHINE {

PG_INLINE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
PG_INLINE float square_root(float a) { return __builtin_sqrtf(a); }
PG_INLINE Floats divide_by_positive(Floats a, Floats b) { return a / b; }
// Numbers that lie side by side: read one at a time, where they are used, by loads that copy a number to all lanes.
constexpr int kSideBySide = 1;
template <int kCount>
class Numbers {
 public:
  PG_INLINE explicit Numbers(const float* p) : p_(p) {}
  PG_INLINE float operator[](int i) const { return p_[i]; }

 private:
  const float* p_;
};
PG_INLINE int32_t read_flag(const int32_t* flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
PG_INLINE void write_number(int32_t* to, int32_t number) { __atomic_store_n(to, number, __ATOMIC_RELAXED); }
PG_INLINE uint32_t float_bits(float a) {
  uint32_t word;
  __builtin_memcpy(&word, &a, sizeof word);
  return word;
}
PG_INLINE float bits_float(uint32_t word) {
  float a;
  __builtin_memcpy(&a, &word, sizeof a);
  return a;
}

PG_INLINE uint32_t same_in_all_lanes(uint32_t word) { return word; }

// Sums of kValues numbers over the lanes. The caller owns the storage.
template <int kValues>
struct LaneSums {
  static constexpr int kPadded = (kValues + kWidth - 1) / kWidth * kWidth;
  alignas(64) float partial[kPadded][kLanes];  // one number a lane, until summed
  alignas(64) float total[kPadded];
};

class Team {
 public:
  // This thread does the work of all lanes, so it is rank 0 of 1 where work is shared out.
  PG_INLINE static int rank() { return 0; }
  PG_INLINE static constexpr int size() { return 1; }
  PG_INLINE static void barrier() {}
  PG_INLINE static bool any(bool a) { return a; }

  // body(i) for the i below kCount that fall to this thread: all of them, unrolled, so that whatever follows from i is
  // known to the compiler.
  template <int kCount, class Body>
  PG_INLINE static void for_each_index(Body&& body) {
    PG_UNROLL
    for (int i = 0; i < kCount; ++i) body(i);
  }

  // body(first): once for each group of lanes first .. first + kWidth - 1.
  template <class Body>
  PG_INLINE static void for_each_group(Body&& body) {
    PG_NO_UNROLL
    for (int first = 0; first < kLanes; first += kWidth) body(first);
  }

  // Hands over the values of one group of lanes.
  template <int kValues>
  PG_INLINE static void deposit(LaneSums<kValues>& sums, int first, const Floats (&values)[kValues]) {
    PG_UNROLL
    for (int v = 0; v < kValues; ++v) store(&sums.partial[v][first], values[v]);
  }

  // total[v] = sum over the lanes of partial[v], added in one tree: l + (l ^ 16), then 8, 4, 2, 1. The last + 0 makes
  // the sign of a zero the same on every machine (fma_if may differ in it).
  template <int kValues>
  PG_INLINE static void reduce(LaneSums<kValues>& sums) {
    PG_NO_UNROLL
    for (int first = 0; first < kValues; first += kWidth) {
      Floats values[kWidth];
      PG_UNROLL
      for (int i = 0; i < kWidth; ++i) {
        const float* row = sums.partial[first + i < kValues ? first + i : kValues - 1];
        Floats group[kLanes / kWidth];
        PG_UNROLL
        for (int g = 0; g < kLanes / kWidth; ++g) group[g] = load(row + g * kWidth);
        PG_UNROLL
        for (int half = kLanes / kWidth / 2; half > 0; half /= 2) {
          PG_UNROLL
          for (int g = 0; g < half; ++g) group[g] = group[g] + group[g + half];
        }
        values[i] = group[0];
      }
      store(&sums.total[first], sum_lanes(values) + Floats(0.0f));
    }
  }
};

// ---------------------------------------------------------------- the block mapping
// A row (of a mixture's features, or of a dense model's samples: block/rows.hpp) is taken register by register; kGroups
// registers hold the 32 lanes over which sums along a row run.
constexpr int kGroups = kLanes / kWidth;
PG_INLINE constexpr int registers_of(int n) { return (n + kWidth - 1) / kWidth; }
PG_INLINE constexpr int column_of(int r) { return r * kWidth; }

// Who works on one model of the block mapping: here this one thread, as the only worker.
class BlockTeam {
 public:
  PG_INLINE static constexpr int worker() { return 0; }
  PG_INLINE static constexpr int workers() { return 1; }
  PG_INLINE static constexpr int thread() { return 0; }
  PG_INLINE static constexpr int threads() { return 1; }
  PG_INLINE static void barrier() {}
  PG_INLINE static bool any(bool a) { return a; }

  // body(first): once for each group of 32 lanes.
  template <class Body>
  PG_INLINE static void for_each_group(Body&& body) {
    Team::for_each_group(body);
  }

  // Sums of sixteen numbers over the 32 lanes, each added up to one register before, in the order of Team::reduce: sum
  // 4 i + j goes to destination(i)[j] for i < rows.
  template <class Destination>
  PG_INLINE static void sum_sixteen(const Floats (&values)[16], int rows, Destination&& destination) {
    put_sixteen<false>(values, rows, destination);
  }
  // The same, added to what stands there.
  template <class Destination>
  PG_INLINE static void add_sixteen(const Floats (&values)[16], int rows, Destination&& destination) {
    put_sixteen<true>(values, rows, destination);
  }

  // Appends the numbers first + l of the lanes l that are set to list[count], in ascending order; returns the new
  // count.
  PG_INLINE static int append(int32_t* list, int count, Mask set, int first) {
    for (uint32_t left = mask_bits(set); left != 0; left &= left - 1) list[count++] = first + __builtin_ctz(left);
    return count;
  }
  PG_INLINE static int count(Mask set) { return __builtin_popcount(mask_bits(set)); }

 private:
  template <bool kAdd, class Destination>
  PG_INLINE static void put_sixteen(const Floats (&values)[16], int rows, Destination& destination) {
    using Four [[gnu::vector_size(16)]] = float;  // gcc would else add one number after the other
    alignas(64) float sums[16];
    PG_UNROLL
    for (int first = 0; first < 16; first += kWidth) {
      Floats part[kWidth];
      PG_UNROLL
      for (int i = 0; i < kWidth; ++i) part[i] = values[first + i];
      store(sums + first, sum_lanes(part) + Floats(0.0f));
    }
    PG_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (i < rows) {
        if constexpr (kAdd) {
          Four four, before;
          __builtin_memcpy(&four, sums + 4 * i, sizeof four);
          __builtin_memcpy(&before, destination(i), sizeof before);
          four = before + four;
          __builtin_memcpy(destination(i), &four, sizeof four);
        } else {
          __builtin_memcpy(destination(i), sums + 4 * i, 4 * sizeof(float));
        }
      }
    }
  }
};

}  // namespace phasegrid::PHASEGRID_MACHINE
