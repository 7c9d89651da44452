// What the counting machine (counting.hpp) counts: calls of the vocabulary, each for one register of lanes. What a call
// costs on a machine is for whoever reads the counts to say (bench/floors/).
#pragma once

namespace phasegrid {

struct Calls {
  long fma = 0;          // fma, fma_if
  long arithmetic = 0;   // + - *, add_if
  long special = 0;      // / and square_root
  long compare = 0;      // greater, not_less, not_less_equal, at_most, lanes_below
  long logic = 0;        // both, select, at_least, minus_magnitude, minus, to_exponent
  long keep = 0;         // keep
  long mask = 0;         // numbers that add_if and fma_if hide from lanes: each once, however often it is added
  long convert = 0;      // to_float
  long load = 0;         // load, load_words
  long store = 0;        // store
  long broadcast = 0;    // numbers read from memory for all lanes alike
  long blocks = 0;       // of Philox, four words a lane, begun by lane_numbers or call_numbers
  long store_calls = 0;  // of those, put in order by store_calls
  long sixteens = 0;     // BlockTeam::sum_sixteen, add_sixteen
  long added_fours = 0;  // rows of four sums that add_sixteen adds to what stands there
};

inline constexpr long Calls::*kEveryCall[] = {
    &Calls::fma,       &Calls::arithmetic, &Calls::special,     &Calls::compare,  &Calls::logic,
    &Calls::keep,      &Calls::mask,       &Calls::convert,     &Calls::load,     &Calls::store,
    &Calls::broadcast, &Calls::blocks,     &Calls::store_calls, &Calls::sixteens, &Calls::added_fours};
static_assert(sizeof kEveryCall / sizeof kEveryCall[0] == sizeof(Calls) / sizeof(long));

inline Calls operator+(Calls a, const Calls& b) {
  for (long Calls::*call : kEveryCall) a.*call += b.*call;
  return a;
}
inline Calls operator-(Calls a, const Calls& b) {
  for (long Calls::*call : kEveryCall) a.*call -= b.*call;
  return a;
}
inline Calls operator*(long times, Calls a) {
  for (long Calls::*call : kEveryCall) a.*call *= times;
  return a;
}

}  // namespace phasegrid
