// Lanes on CUDA: one a thread, 32 a warp, and one warp works on one model. Shuffles and barriers stand here and in the
// launchers alone. Compiled with -fmad=false, so that a * b + c is fused where the source says fma and nowhere else.
//
// tests/support/warp_emulator.hpp compiles this header with g++ and runs it on 32 threads, so that a machine without a GPU
// executes it too.
#pragma once

#define PHASEGRID_MACHINE cuda
#define PHASEGRID_LANES_AHEAD 0  // rows of samples made before they are used (tiny/samples.hpp)

namespace phasegrid::cuda {

constexpr int kWidth = 1;

// ---------------------------------------------------------------- floats and masks
using Floats = float;
using Mask = bool;
PG_INLINE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
// Of zero, and a zero divided by something: as everywhere, but not by the slow path that ptxas keeps for operands out of
// the ordinary. Parameters without a gradient have such moments.
PG_INLINE float square_root(float a) {
  const bool zero = a == 0.0f;
  const float root = __fsqrt_rn(zero ? 1.0f : a);
  return zero ? a : root;
}
// a / b for b > 0 (or NaN), where a zero is +0.
PG_INLINE float divide_by_positive(float a, float b) {
  const bool zero = a == 0.0f;
  const float ratio = (zero ? 1.0f : a) / b;
  return zero && ratio >= 0.0f ? 0.0f : ratio;  // 0 / NaN stays NaN
}
// The larger of the two; a NaN in `a` stays.
PG_INLINE float at_least(float floor, float a) { return floor > a ? floor : a; }
PG_INLINE float minus_magnitude(float a) { return -fabsf(a); }
PG_INLINE float load(const float* p) { return *p; }
PG_INLINE float in_register(float a) { return a; }
PG_INLINE void store(float* p, float a) { *p = a; }
// kCount numbers that lie side by side and that a thread needs one after the other. Fours of them, which are aligned to
// 16 bytes, come by one load.
constexpr int kSideBySide = 4;
struct alignas(16) FourNumbers {
  float v[4];
};
template <int kCount>
class Numbers {
 public:
  Numbers() = default;
  PG_INLINE explicit Numbers(const float* p) {
    constexpr int kWide = kCount % 4 == 0 ? 4 : 1;
    PG_UNROLL
    for (int i = 0; i < kCount; i += kWide) {
      if constexpr (kWide == 1) {
        v_[i] = p[i];
      } else {
        const FourNumbers four = *reinterpret_cast<const FourNumbers*>(p + i);
        PG_UNROLL
        for (int j = 0; j < 4; ++j) v_[i + j] = four.v[j];
      }
    }
  }
  PG_INLINE float operator[](int i) const { return v_[i]; }

 private:
  float v_[kCount];
};
PG_INLINE void store_four(float* p, const float (&from)[4]) {
  *reinterpret_cast<FourNumbers*>(p) = {{from[0], from[1], from[2], from[3]}};
}

PG_INLINE bool greater(float a, float b) { return a > b; }
PG_INLINE bool not_less_equal(float a, float b) { return !(a <= b); }
PG_INLINE bool not_less(float a, float b) { return !(a < b); }
PG_INLINE bool both(bool a, bool b) { return a && b; }
PG_INLINE bool negate(bool a) { return !a; }
PG_INLINE bool any(bool a) { return a; }
PG_INLINE float select(bool m, float a, float b) { return m ? a : b; }
PG_INLINE float keep(bool m, float a) { return m ? a : 0.0f; }
PG_INLINE float add_if(bool m, float a, float sum) { return m ? sum + a : sum; }
PG_INLINE float fma_if(bool m, float a, float b, float c) { return m ? fma(a, b, c) : c; }

// The host writes the flag while the kernel runs.
PG_INLINE int32_t read_flag(const int32_t* flag) { return *static_cast<const volatile int32_t*>(flag); }
PG_INLINE void write_number(int32_t* to, int32_t number) { *static_cast<volatile int32_t*>(to) = number; }

// ---------------------------------------------------------------- words
// A word of a lane and a word of all lanes are of one type here, so Philox's operations are those of machine.hpp.
using Words = uint32_t;
using Wide = uint32_t;
using Product = uint64_t;
PG_INLINE uint32_t float_bits(float a) { return __float_as_uint(a); }
PG_INLINE float bits_float(uint32_t word) { return __uint_as_float(word); }
PG_INLINE float to_float(uint32_t a) { return __int2float_rn(static_cast<int32_t>(a)); }
PG_INLINE bool at_most(uint32_t a, int32_t limit) { return static_cast<int32_t>(a) <= limit; }
PG_INLINE uint32_t bits(float a) { return __float_as_uint(a); }
PG_INLINE float from_bits(uint32_t a) { return __uint_as_float(a); }
PG_INLINE uint32_t minus(uint32_t a, uint32_t b) { return a - b; }
PG_INLINE uint32_t to_exponent(uint32_t a) { return a << 23; }
PG_INLINE uint32_t lane_numbers(int first) { return static_cast<uint32_t>(first); }
PG_INLINE uint32_t widen(uint32_t a) { return a; }
PG_INLINE bool lanes_below(int first, int limit) { return first < limit; }

// ---------------------------------------------------------------- the warp
constexpr unsigned kWarp = 0xffffffffu;

// A word that is the same in all lanes of a warp, told to the compiler: it may then be kept in a uniform register.
PG_INLINE uint32_t same_in_all_lanes(uint32_t word) { return __reduce_or_sync(kWarp, word); }

// Sums of kValues numbers over the lanes. The caller owns the storage: shared memory of one warp.
template <int kValues>
struct LaneSums {
  float total[kValues];
};

PG_INLINE constexpr int power_of_two_from(int n) {
  int p = 1;
  while (p < n && p < kLanes) p *= 2;
  return p;
}

// One level of a transposing reduction over kCount numbers a lane. Lanes l and l ^ kDistance add; while there are
// several numbers each lane goes on with the half that its bit of the lane number names, so a warp sums 32 numbers
// with 31 shuffles. The order of each sum is that of the CPU's tree.
template <int kCount, int kDistance>
PG_INLINE float transpose_reduce(float* numbers, int lane) {
  if constexpr (kCount > 1) {
    const bool upper = (lane & kDistance) != 0;
    PG_UNROLL
    for (int i = 0; i < kCount / 2; ++i) {
      const float mine = upper ? numbers[i + kCount / 2] : numbers[i];
      const float theirs = upper ? numbers[i] : numbers[i + kCount / 2];
      numbers[i] = mine + __shfl_xor_sync(kWarp, theirs, kDistance);
    }
  } else {
    numbers[0] = numbers[0] + __shfl_xor_sync(kWarp, numbers[0], kDistance);
  }
  if constexpr (kDistance > 1) {
    return transpose_reduce<(kCount > 1 ? kCount / 2 : 1), kDistance / 2>(numbers, lane);
  } else {
    return numbers[0];
  }
}

class Team {
 public:
  PG_INLINE static int rank() { return static_cast<int>(threadIdx.x) % kLanes; }
  PG_INLINE static constexpr int size() { return kLanes; }
  // Orders this warp's accesses to its shared memory.
  PG_INLINE static void barrier() { __syncwarp(); }
  PG_INLINE static bool any(bool a) { return __any_sync(kWarp, a) != 0; }

  template <int kCount, class Body>
  PG_INLINE static void for_each_index(Body&& body) {
    for (int i = rank(); i < kCount; i += kLanes) body(i);
  }

  template <class Body>
  PG_INLINE static void for_each_group(Body&& body) {
    body(rank());
  }

  // total[v] = sum over the lanes of values[v], by chunks of 32 numbers; the number of chunk position i ends in the
  // lanes whose upper bits spell i.
  template <int kValues>
  PG_INLINE static void deposit(LaneSums<kValues>& sums, int lane, const float (&values)[kValues]) {
    barrier();  // others may still read the totals of the step before
    deposit_from<0>(sums, lane, values);
  }
  template <int kValues>
  PG_INLINE static void reduce(LaneSums<kValues>&) {
    barrier();  // all totals are written
  }

 private:
  template <int kFirst, int kValues>
  PG_INLINE static void deposit_from(LaneSums<kValues>& sums, int lane, const float (&values)[kValues]) {
    constexpr int kHere = kValues - kFirst < kLanes ? kValues - kFirst : kLanes;
    constexpr int kCount = power_of_two_from(kHere);
    float numbers[kCount];
    PG_UNROLL
    for (int i = 0; i < kCount; ++i) numbers[i] = i < kHere ? values[kFirst + (i < kHere ? i : 0)] : 0.0f;
    const float sum = transpose_reduce<kCount, kLanes / 2>(numbers, lane) + 0.0f;
    const int position = lane / (kLanes / kCount);
    if (lane % (kLanes / kCount) == 0 && position < kHere) sums.total[kFirst + position] = sum;
    if constexpr (kFirst + kHere < kValues) deposit_from<kFirst + kHere>(sums, lane, values);
  }
};

// ---------------------------------------------------------------- the block mapping
// A row of features (n floats, padded) is taken 32 columns at a time, one a lane.
constexpr int kGroups = 1;
PG_INLINE constexpr int registers_of(int n) { return (n + kLanes - 1) / kLanes; }
PG_INLINE int column_of(int r) { return r * kLanes + static_cast<int>(threadIdx.x) % kLanes; }
PG_INLINE uint32_t mask_bits(bool a) { return __ballot_sync(kWarp, a); }

// Who works on one model of the block mapping: the warps of a block.
class BlockTeam {
 public:
  PG_INLINE static int worker() { return static_cast<int>(threadIdx.x) / kLanes; }
  // A kernel's source may say how many warps its blocks have: sharing out is then arithmetic with a constant.
#if defined(PHASEGRID_BLOCK_WARPS)
  PG_INLINE static constexpr int workers() { return PHASEGRID_BLOCK_WARPS; }
#else
  PG_INLINE static int workers() { return static_cast<int>(blockDim.x) / kLanes; }
#endif
  PG_INLINE static int thread() { return static_cast<int>(threadIdx.x); }
  PG_INLINE static int threads() { return workers() * kLanes; }
  PG_INLINE static void barrier() { __syncthreads(); }
  PG_INLINE static bool any(bool a) { return __syncthreads_or(a ? 1 : 0) != 0; }

  template <class Body>
  PG_INLINE static void for_each_group(Body&& body) {
    body(Team::rank());
  }

  template <class Destination>
  PG_INLINE static void sum_sixteen(const float (&values)[16], int rows, Destination&& destination) {
    put_sixteen<false>(values, rows, destination);
  }
  template <class Destination>
  PG_INLINE static void add_sixteen(const float (&values)[16], int rows, Destination&& destination) {
    put_sixteen<true>(values, rows, destination);
  }

  // By the 32 lanes of a warp together; `first` is this lane's number.
  PG_INLINE static int append(int32_t* list, int count, bool set, int first) {
    const uint32_t lanes = mask_bits(set);
    const uint32_t below = lanes & ((1u << Team::rank()) - 1u);
    if (set) list[count + __popc(below)] = first;
    return count + __popc(lanes);
  }
  PG_INLINE static int count(bool set) { return __popc(mask_bits(set)); }

 private:
  template <bool kAdd, class Destination>
  PG_INLINE static void put_sixteen(const float (&values)[16], int rows, Destination& destination) {
    float numbers[16];
    PG_UNROLL
    for (int i = 0; i < 16; ++i) numbers[i] = values[i];
    const float sum = transpose_reduce<16, kLanes / 2>(numbers, Team::rank()) + 0.0f;
    const int v = Team::rank() / 2;  // lanes 2 v and 2 v + 1 hold the sum of number v
    if (Team::rank() % 2 != 0 || v / 4 >= rows) return;
    float* to = destination(v / 4) + v % 4;
    *to = kAdd ? *to + sum : sum;
  }
};

}  // namespace phasegrid::cuda
