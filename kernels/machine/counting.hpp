// Lanes that count: a machine no product uses, on which a benchmark runs the training step to learn how many calls of
// the vocabulary it makes (calls.hpp). PHASEGRID_COUNTING is the number of lanes a register: 8 and 16 as the CPUs', 32
// as a warp's. Its results are those of every other machine, to the bit.
//
// Left out of the counts is what a compiler leaves out of the loop over samples, as far as values show it: each value
// has a number, an operation on numbers seen before is not counted again, and what follows from numbers that all lanes
// share is not counted at all. What values do not show is up to the reader: Philox, of which only the blocks are
// counted, because what lanes or calls share there depends on the counter; the sums over lanes, which are below the
// vocabulary; plain floats and integers; values that are never used.
#pragma once

#include <math.h>

#include <array>
#include <map>
#include <utility>

#include "calls.hpp"

#define PHASEGRID_COUNTING_NAME(lanes) counting##lanes
#define PHASEGRID_COUNTING_OF(lanes) PHASEGRID_COUNTING_NAME(lanes)
#define PHASEGRID_MACHINE PHASEGRID_COUNTING_OF(PHASEGRID_COUNTING)
#define PHASEGRID_LANES_AHEAD 16  // as the CPUs; it orders the work and changes no count

namespace phasegrid::PHASEGRID_MACHINE {

constexpr int kWidth = PHASEGRID_COUNTING;

// ---------------------------------------------------------------- the ledger
// The number of a value. Small ones are shared by all lanes: the bits of a constant, or the address it was read from.
using Number = uint64_t;
constexpr Number kFirstOfLanes = Number{1} << 48;
PG_INLINE constexpr bool is_shared(Number a) { return a < kFirstOfLanes; }

enum class Operation {
  fma,
  plus,
  minus,
  times,
  divide,
  root,
  greater,
  not_less_equal,
  not_less,
  both,
  negate,
  select,
  keep,
  add_if,
  fma_if,
  at_least,
  minus_magnitude
};

using Operands = std::array<Number, 4>;  // those that there are, and 0

class Ledger {
 public:
  // Forgets counts and numbers.
  void clear() { calls_ = {}, seen_.clear(); }
  const Calls& calls() const { return calls_; }

  void count(long Calls::*call, long times = 1) { calls_.*call += times; }
  Number new_number() { return next_++; }
  // The number of what an operation makes of these: `constant` where all lanes share it. Counted where it is new;
  // `call` may be null, for what is free.
  Number number_of(Operation operation, long Calls::*call, const Operands& of, uint32_t constant) {
    if (is_shared(of[0]) && is_shared(of[1]) && is_shared(of[2]) && is_shared(of[3])) return constant;
    const auto [at, is_new] = seen_.try_emplace({operation, of}, next_);
    if (is_new) {
      ++next_;
      if (call != nullptr) count(call);
    }
    return at->second;
  }

 private:
  Calls calls_;
  Number next_ = kFirstOfLanes;
  std::map<std::pair<Operation, Operands>, Number> seen_;
};
inline Ledger ledger;

// The calls that body makes, counted alone.
template <class Body>
Calls calls_of(Body&& body) {
  ledger.clear();
  body();
  return ledger.calls();
}

// ---------------------------------------------------------------- plain numbers
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float square_root(float a) { return sqrtf(a); }
inline int32_t read_flag(const int32_t* flag) { return *flag; }
inline void write_number(int32_t* to, int32_t number) { *to = number; }
inline uint32_t float_bits(float a) {
  uint32_t word;
  __builtin_memcpy(&word, &a, sizeof word);
  return word;
}
inline float bits_float(uint32_t word) {
  float a;
  __builtin_memcpy(&a, &word, sizeof a);
  return a;
}

// ---------------------------------------------------------------- floats and masks
struct Mask {
  bool m[kWidth];
  Number number;
};
struct Floats {
  float v[kWidth];
  Number number;
  Floats() = default;
  Floats(float&& x) : number(float_bits(x)) { fill(x); }
  // One that has a place was read from it.
  Floats(const float& x) : number(reinterpret_cast<Number>(&x)) {
    fill(x);
    ledger.count(&Calls::broadcast);
  }

 private:
  void fill(float x) {
    for (float& lane : v) lane = x;
  }
};

template <class Lane>
Floats floats(Lane&& lane) {
  Floats made;
  for (int l = 0; l < kWidth; ++l) made.v[l] = lane(l);
  return made;
}
template <class Lane>
Mask mask(Lane&& lane) {
  Mask made;
  for (int l = 0; l < kWidth; ++l) made.m[l] = lane(l);
  return made;
}
inline Floats counted(Floats made, Operation operation, long Calls::*call, const Operands& of) {
  made.number = ledger.number_of(operation, call, of, float_bits(made.v[0]));
  return made;
}
inline Mask counted(Mask made, Operation operation, long Calls::*call, const Operands& of) {
  made.number = ledger.number_of(operation, call, of, made.m[0] ? 1 : 0);
  return made;
}

inline Floats operator+(Floats a, Floats b) {
  return counted(floats([&](int l) { return a.v[l] + b.v[l]; }), Operation::plus, &Calls::arithmetic,
                 {a.number, b.number});
}
inline Floats operator-(Floats a, Floats b) {
  return counted(floats([&](int l) { return a.v[l] - b.v[l]; }), Operation::minus, &Calls::arithmetic,
                 {a.number, b.number});
}
inline Floats operator*(Floats a, Floats b) {
  return counted(floats([&](int l) { return a.v[l] * b.v[l]; }), Operation::times, &Calls::arithmetic,
                 {a.number, b.number});
}
inline Floats operator/(Floats a, Floats b) {
  return counted(floats([&](int l) { return a.v[l] / b.v[l]; }), Operation::divide, &Calls::special,
                 {a.number, b.number});
}
inline Floats square_root(Floats a) {
  return counted(floats([&](int l) { return square_root(a.v[l]); }), Operation::root, &Calls::special, {a.number});
}
inline Floats fma(Floats a, Floats b, Floats c) {
  return counted(floats([&](int l) { return fma(a.v[l], b.v[l], c.v[l]); }), Operation::fma, &Calls::fma,
                 {a.number, b.number, c.number});
}
// The larger of the two; a NaN in `a` stays.
inline Floats at_least(float floor, Floats a) {
  return counted(floats([&](int l) { return floor > a.v[l] ? floor : a.v[l]; }), Operation::at_least, &Calls::logic,
                 {float_bits(floor), a.number});
}
inline Floats minus_magnitude(Floats a) {
  return counted(floats([&](int l) { return bits_float(float_bits(a.v[l]) | 0x80000000u); }),
                 Operation::minus_magnitude, &Calls::logic, {a.number});
}
inline Floats load(const float* p) {
  Floats loaded = floats([&](int l) { return p[l]; });
  loaded.number = ledger.new_number();  // memory may have changed since it was read last
  ledger.count(&Calls::load);
  return loaded;
}
inline Floats divide_by_positive(Floats a, Floats b) { return a / b; }
constexpr int kSideBySide = 1;
template <int kCount>
class Numbers {
 public:
  explicit Numbers(const float* p) : p_(p) {}
  float operator[](int i) const { return p_[i]; }

 private:
  const float* p_;
};
// A number of all lanes that is used several times was read from memory, unless it is 0, which takes no reading.
inline Floats in_register(Floats a) {
  if (is_shared(a.number) && a.number != 0) ledger.count(&Calls::broadcast);
  return a;
}
inline void store(float* p, Floats a) {
  __builtin_memcpy(p, a.v, sizeof a.v);
  ledger.count(&Calls::store);
}

inline Mask greater(Floats a, Floats b) {
  return counted(mask([&](int l) { return a.v[l] > b.v[l]; }), Operation::greater, &Calls::compare,
                 {a.number, b.number});
}
inline Mask not_less_equal(Floats a, Floats b) {
  return counted(mask([&](int l) { return !(a.v[l] <= b.v[l]); }), Operation::not_less_equal, &Calls::compare,
                 {a.number, b.number});
}
inline Mask not_less(Floats a, Floats b) {
  return counted(mask([&](int l) { return !(a.v[l] < b.v[l]); }), Operation::not_less, &Calls::compare,
                 {a.number, b.number});
}
inline Mask both(Mask a, Mask b) {
  return counted(mask([&](int l) { return a.m[l] && b.m[l]; }), Operation::both, &Calls::logic, {a.number, b.number});
}
// Free: a comparison has its opposite, and what takes a mask takes its complement.
inline Mask negate(Mask a) {
  return counted(mask([&](int l) { return !a.m[l]; }), Operation::negate, nullptr, {a.number});
}
inline uint32_t mask_bits(Mask a) {
  uint32_t bits = 0;
  for (int l = 0; l < kWidth; ++l) bits |= a.m[l] ? 1u << l : 0u;
  return bits;
}
inline bool any(Mask a) { return mask_bits(a) != 0; }
inline Floats select(Mask m, Floats a, Floats b) {
  return counted(floats([&](int l) { return m.m[l] ? a.v[l] : b.v[l]; }), Operation::select, &Calls::logic,
                 {m.number, a.number, b.number});
}
inline Floats keep(Mask m, Floats a) {
  return counted(floats([&](int l) { return m.m[l] ? a.v[l] : 0.0f; }), Operation::keep, &Calls::keep,
                 {m.number, a.number});
}
// A machine without masked sums adds keep(m, a), which it makes once.
inline void hide(Mask m, Floats a) { ledger.number_of(Operation::keep, &Calls::mask, {m.number, a.number}, 0); }
inline Floats add_if(Mask m, Floats a, Floats sum) {
  hide(m, a);
  return counted(floats([&](int l) { return m.m[l] ? sum.v[l] + a.v[l] : sum.v[l]; }), Operation::add_if,
                 &Calls::arithmetic, {m.number, a.number, sum.number});
}
inline Floats fma_if(Mask m, Floats a, Floats b, Floats c) {
  hide(m, a);
  return counted(floats([&](int l) { return m.m[l] ? fma(a.v[l], b.v[l], c.v[l]) : c.v[l]; }), Operation::fma_if,
                 &Calls::fma, {m.number, a.number, b.number, c.number});
}

// ---------------------------------------------------------------- words
template <class Made, class Lane>
Made words(Lane&& lane) {
  Made made;
  for (int l = 0; l < kWidth; ++l) made.w[l] = lane(l);
  return made;
}
inline Mask fresh(Mask made) {
  made.number = ledger.new_number();
  return made;
}
inline Floats fresh(Floats made) {
  made.number = ledger.new_number();
  return made;
}

struct Words {
  uint32_t w[kWidth];
};
inline Floats to_float(Words a) {
  ledger.count(&Calls::convert);
  return fresh(floats([&](int l) { return static_cast<float>(static_cast<int32_t>(a.w[l])); }));
}
inline Mask at_most(Words a, Words limit) {
  ledger.count(&Calls::compare);
  return fresh(mask([&](int l) { return static_cast<int32_t>(a.w[l]) <= static_cast<int32_t>(limit.w[l]); }));
}
inline Mask at_most(Words a, int32_t limit) {
  return at_most(a, words<Words>([&](int) { return static_cast<uint32_t>(limit); }));
}
inline Words load_words(const void* p) {
  ledger.count(&Calls::load);
  Words loaded;
  __builtin_memcpy(loaded.w, p, sizeof loaded.w);
  return loaded;
}
inline Words bits(Floats a) {
  return words<Words>([&](int l) { return float_bits(a.v[l]); });
}
inline Floats from_bits(Words a) {
  return fresh(floats([&](int l) { return bits_float(a.w[l]); }));
}
inline Words minus(uint32_t a, Words b) {
  ledger.count(&Calls::logic);
  return words<Words>([&](int l) { return a - b.w[l]; });
}
inline Words to_exponent(Words a) {
  ledger.count(&Calls::logic);
  return words<Words>([&](int l) { return a.w[l] << 23; });
}

// Philox's: not counted.
struct Wide {
  uint32_t w[kWidth];
};
struct Product {
  uint64_t w[kWidth];
};
inline Product multiply(uint32_t a, Wide b) {
  return words<Product>([&](int l) { return static_cast<uint64_t>(a) * b.w[l]; });
}
inline Wide high(Product a) {
  return words<Wide>([&](int l) { return static_cast<uint32_t>(a.w[l] >> 32); });
}
inline Wide low(Product a) {
  return words<Wide>([&](int l) { return static_cast<uint32_t>(a.w[l]); });
}
inline Wide xor3(Wide a, Wide b, uint32_t c) {
  return words<Wide>([&](int l) { return a.w[l] ^ b.w[l] ^ c; });
}
inline Wide xor3(Wide a, uint32_t b, uint32_t c) {
  return words<Wide>([&](int l) { return a.w[l] ^ b ^ c; });
}
inline Wide xor3(uint32_t a, Wide b, uint32_t c) { return xor3(b, a, c); }
inline Words xor3(Words a, Words b, uint32_t c) {
  return words<Words>([&](int l) { return a.w[l] ^ b.w[l] ^ c; });
}
inline Words xor3(Words a, uint32_t b, uint32_t c) {
  return words<Words>([&](int l) { return a.w[l] ^ b ^ c; });
}
inline Words pack(Wide a) {
  return words<Words>([&](int l) { return a.w[l]; });
}
inline Wide widen(Words a) {
  return words<Wide>([&](int l) { return a.w[l]; });
}
inline Words pack_low(Product a) { return pack(low(a)); }
inline Words pack_high(Product a) { return pack(high(a)); }

// Lane numbers first .. first + kWidth - 1, and as many calls of a generator: each begins a block of Philox.
inline Wide lane_numbers(int first) {
  ledger.count(&Calls::blocks);
  return words<Wide>([&](int l) { return static_cast<uint32_t>(first + l); });
}
inline Wide call_numbers(uint32_t first) { return lane_numbers(static_cast<int>(first)); }
inline void store_calls(uint32_t* p, const Words (&w)[4]) {
  for (int l = 0; l < kWidth; ++l) {
    for (int i = 0; i < 4; ++i) p[4 * l + i] = w[i].w[l];
  }
  ledger.count(&Calls::store_calls);
}
inline Mask lanes_below(int first, int limit) {
  ledger.count(&Calls::compare);
  return fresh(mask([&](int l) { return l < limit - first; }));
}

}  // namespace phasegrid::PHASEGRID_MACHINE

#include "counting_team.hpp"
