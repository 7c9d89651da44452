#include "operations.hpp"

namespace phasegrid::bench {

const char* to_string(Machine machine) {
  return machine == Machine::avx2 ? "avx2" : machine == Machine::avx512 ? "avx512" : "cuda";
}
int lanes_of(Machine machine) { return machine == Machine::avx2 ? 8 : machine == Machine::avx512 ? 16 : 32; }

Operations& Operations::operator+=(const Operations& other) {
  fma += other.fma;
  arithmetic += other.arithmetic;
  logic += other.logic;
  wide += other.wide;
  convert += other.convert;
  special += other.special;
  shuffle += other.shuffle;
  memory += other.memory;
  return *this;
}
Operations operator+(Operations a, const Operations& b) { return a += b; }
Operations operator*(double factor, Operations a) {
  return {.fma = factor * a.fma,
          .arithmetic = factor * a.arithmetic,
          .logic = factor * a.logic,
          .wide = factor * a.wide,
          .convert = factor * a.convert,
          .special = factor * a.special,
          .shuffle = factor * a.shuffle,
          .memory = factor * a.memory};
}
std::vector<std::pair<std::string, double>> by_class(const Operations& o) {
  return {{"fma", o.fma},         {"arithmetic", o.arithmetic}, {"logic", o.logic},     {"wide", o.wide},
          {"convert", o.convert}, {"special", o.special},       {"shuffle", o.shuffle}, {"memory", o.memory}};
}

Operations Count::per_sample() const { return random + router + expert + backward; }
Operations Count::total() const { return per_sample() + step; }

Operations philox_operations(const CounterWord (&counter)[4], Machine machine) {
  constexpr int kRounds = 7;
  auto counts = [](CounterWord word) { return word.by_call && word.by_lane; };
  auto mixed = [](CounterWord a, CounterWord b) { return CounterWord{a.by_call || b.by_call, a.by_lane || b.by_lane}; };
  // A GPU's instruction multiplies a word a lane and its exclusive or takes three words. A CPU's takes 64-bit slots, so
  // two registers of them for one of words; their high halves need a shift; without AVX-512 an exclusive or of two
  // lanes' words and a key takes two.
  const bool cpu = machine != Machine::cuda;
  const double slots = cpu ? 2 : 1;
  Operations count;
  CounterWord c[4] = {counter[0], counter[1], counter[2], counter[3]};
  for (int round = 1; round <= kRounds; ++round) {
    const CounterWord product[2] = {c[0], c[2]};  // both halves vary as the factor does
    for (const CounterWord& p : product) {
      if (counts(p)) count.wide += slots;
    }
    // high(product of c2) ^ c1 ^ key, high(product of c0) ^ c3 ^ key
    const CounterWord high[2] = {product[1], product[0]}, other[2] = {c[1], c[3]};
    const bool last = round == kRounds;
    for (int i = 0; i < 2; ++i) {
      if (!counts(mixed(high[i], other[i]))) continue;
      const bool two_lane_words = high[i].by_lane && other[i].by_lane;
      const double exclusive_ors = machine == Machine::avx2 && two_lane_words ? 2 : 1;
      if (cpu && last) {
        // Words are packed one a lane before the last exclusive or: both halves of the product and the other word.
        if (machine == Machine::avx512) {
          count.shuffle += 3;  // masked
        } else {
          count.logic += 3 * 2;  // a shift and a blend
        }
        count.logic += exclusive_ors;
      } else {
        if (cpu && counts(high[i])) count.logic += slots;  // the shift
        count.logic += slots * exclusive_ors;
      }
    }
    c[0] = mixed(high[0], other[0]);
    c[1] = product[1];
    c[2] = mixed(high[1], other[1]);
    c[3] = product[0];
  }
  return count;
}

double dense_multiply_adds(const Shape& s) {
  const double n = s.n_features, m = s.n_hidden, E = s.n_experts, k = s.top_k;
  return 5 * n * m * k + (E > 1 ? n * E : 0) + (k > 1 ? 3 * n * k : 0);
}

Operations lane_sum(Machine machine) {
  if (machine == Machine::cuda) {  // 8 + 4 + 2 + 1 + 1 of 16
    return {.arithmetic = 17.0 / 16, .logic = 2 * 15.0 / 16, .shuffle = 1, .memory = 1.0 / 16};
  }
  const double width = lanes_of(machine), moved = (width - 1) / width;
  // Of the two operands of a level one is a blend; AVX2's last level blends both and moves one.
  const double blended = machine == Machine::avx512 ? moved : 1;
  return {.arithmetic = 1, .logic = blended, .shuffle = moved, .memory = 1 / width};
}

}  // namespace phasegrid::bench
