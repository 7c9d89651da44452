// Philox4x32, the counter-based generator of Random123 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). Any word of a counter may be one number for all lanes (uint32_t) or one a lane (Wide); the types carry that
// through the rounds, so what lanes share is computed once, by the scalar unit.
#pragma once

#include "machine/machine.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Rounds for training data: 7 pass TestU01's BigCrush (the paper's table 2), 10 are the authors' safety margin.
constexpr int kRounds = 7;

constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

struct Key {
  uint32_t k0, k1;
  PG_INLINE Key next() const { return {k0 + kWeyl0, k1 + kWeyl1}; }
  template <int kRound>
  PG_INLINE Key of_round() const {
    return {k0 + kRound * kWeyl0, k1 + kRound * kWeyl1};
  }
};

// The keys of all rounds, made before a loop that draws many blocks: a GPU would rather add them up anew for each than
// hold registers, but what is the same in all lanes has registers of its own there.
class HeldKeys {
 public:
  PG_INLINE explicit HeldKeys(Key key) {
    PG_UNROLL
    for (int round = 0; round < kRounds; ++round) {
      of_[round] = {same_in_all_lanes(key.k0), same_in_all_lanes(key.k1)};
      key = key.next();
    }
  }
  template <int kRound>
  PG_INLINE Key of_round() const {
    return of_[kRound];
  }

 private:
  Key of_[kRounds];
};

// Four words of output, of one type: Words (a word a lane) or uint32_t.
template <class Word>
struct Block {
  Word w[4];
};

// The last round leaves its words packed one a lane: cheaper than packing after the exclusive or.
template <int kRoundsLeft, int kRound = 0, class W0, class W1, class W2, class W3, class Keys>
PG_INLINE auto philox(W0 c0, W1 c1, W2 c2, W3 c3, const Keys& keys) {
  const Key key = keys.template of_round<kRound>();
  const auto p0 = multiply(kMultiplier0, c0);
  const auto p1 = multiply(kMultiplier1, c2);
  if constexpr (kRoundsLeft == 1) {
    using Word = decltype(pack_low(p0));
    return Block<Word>{{xor3(pack_high(p1), pack(c1), key.k0), pack_low(p1), xor3(pack_high(p0), pack(c3), key.k1),
                        pack_low(p0)}};
  } else {
    return philox<kRoundsLeft - 1, kRound + 1>(xor3(high(p1), c1, key.k0), low(p1), xor3(high(p0), c3, key.k1), low(p0),
                                               keys);
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
