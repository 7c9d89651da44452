// The router: scores s = G x, softmax, the k experts of highest score (ties to the lowest), and their gates.
// Paper section 3.1.
#pragma once

#include "machine/machine.hpp"
#include "common/math.hpp"
#include "weights.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Scores less that of expert 0.
template <class S>
PG_INLINE void route_scores(const Weights<S>& weights, const Floats (&x)[S::n], Floats (&score)[S::E]) {
  score[0] = 0.0f;
  PG_UNROLL
  for (int e = 1; e < S::E; ++e) {
    score[e] = Floats(weights.r[e][0]) * x[0];
    PG_UNROLL
    for (int f = 1; f < S::n; ++f) score[e] = fma(Floats(weights.r[e][f]), x[f], score[e]);
  }
}

// k = 1: chosen[e] marks the lanes whose sample goes to expert e, among the valid ones; best is their score.
template <int E, class Valid>
PG_INLINE void choose_top1(const Floats (&score)[E], Valid valid, Mask (&chosen)[E], Floats& best) {
  Mask wins[E];
  best = score[0];
  PG_UNROLL
  for (int e = 1; e < E; ++e) {
    wins[e] = greater(score[e], best);
    best = select(wins[e], score[e], best);
  }
  // Expert e is chosen when it wins and none after it does.
  PG_UNROLL
  for (int e = 0; e < E; ++e) {
    bool first = true;
    Mask mine{};
    if (e > 0) {
      mine = wins[e];
      first = false;
    }
    PG_UNROLL
    for (int later = e + 1; later < E; ++later) {
      mine = first ? negate(wins[later]) : both(mine, negate(wins[later]));
      first = false;
    }
    chosen[e] = both(valid, mine);
  }
}

// The two probabilities of a softmax over two experts: the larger one first. One of the two exponents is 0, the other
// minus the distance of the scores.
struct TwoProbabilities {
  Floats winner, loser;
};
PG_INLINE TwoProbabilities softmax_of_two(Floats score_of_second) {
  const Floats other = exp_of_negative(minus_magnitude(score_of_second));
  const Floats winner = reciprocal(Floats(1.0f) + other);
  return {winner, other * winner};
}

// Softmax probabilities of all experts, given the highest score.
template <int E>
PG_INLINE void softmax(const Floats (&score)[E], Floats best, Floats (&probability)[E]) {
  if constexpr (E == 2) {
    const TwoProbabilities two = softmax_of_two(score[1]);
    const Mask second = greater(score[1], score[0]);
    probability[0] = select(second, two.loser, two.winner);
    probability[1] = select(second, two.winner, two.loser);
  } else {
    Floats sum = 0.0f;
    PG_UNROLL
    for (int e = 0; e < E; ++e) {
      probability[e] = exp_of_negative(score[e] - best);
      sum = e == 0 ? probability[0] : sum + probability[e];
    }
    const Floats scale = reciprocal(sum);
    PG_UNROLL
    for (int e = 0; e < E; ++e) probability[e] = probability[e] * scale;
  }
}

// `after` where the chosen expert comes after expert e, else `not_after`.
template <int E>
PG_INLINE Floats if_chosen_after(int e, const Mask (&chosen)[E], Floats after, Floats not_after) {
  const bool few_after = E - 1 - e < e + 1;  // one selection for each expert on the shorter side
  Floats value = few_after ? not_after : after;
  PG_UNROLL
  for (int c = 0; c < E; ++c) {
    if ((c > e) == few_after) value = select(chosen[c], few_after ? after : not_after, value);
  }
  return value;
}

// k = 1: the softmax's term of the chosen expert is e^0 = 1, so only those of the E - 1 others are computed. Other i is
// expert i where the chosen one comes after it, else expert i + 1.
template <int E>
PG_INLINE void exponents_of_others(const Floats (&score)[E], Floats best, const Mask (&chosen)[E],
                                   Floats (&exponent)[E - 1]) {
  if constexpr (E == 2) {
    exponent[0] = minus_magnitude(score[1]);
  } else {
    PG_UNROLL
    for (int i = 0; i < E - 1; ++i) exponent[i] = if_chosen_after<E>(i, chosen, score[i], score[i + 1]) - best;
  }
}

// P_i P_j of every pair of experts, from the terms of the others.
template <class S>
PG_INLINE void softmax_products(const Floats (&other)[S::E - 1], const Mask (&chosen)[S::E],
                                Floats (&product)[S::kPairs]) {
  if constexpr (S::E == 2) {
    const Floats winner = reciprocal(Floats(1.0f) + other[0]);
    product[0] = winner * (other[0] * winner);
  } else {
    Floats probability[S::E], sum = 0.0f;
    PG_UNROLL
    for (int e = 0; e < S::E; ++e) {
      const Floats first = other[e > 0 ? e - 1 : 0], second = other[e < S::E - 1 ? e : e - 1];
      const Floats unless_chosen = e == 0 || e == S::E - 1 ? second : if_chosen_after<S::E>(e, chosen, second, first);
      probability[e] = select(chosen[e], Floats(1.0f), unless_chosen);
      sum = e == 0 ? probability[0] : sum + probability[e];
    }
    const Floats scale = reciprocal(sum);
    PG_UNROLL
    for (int e = 0; e < S::E; ++e) probability[e] = probability[e] * scale;
    PG_UNROLL
    for (int i = 0; i < S::E; ++i) {
      PG_UNROLL
      for (int j = i + 1; j < S::E; ++j) product[S::pair(i, j)] = probability[i] * probability[j];
    }
  }
}

// Any k: active[e] marks the lanes whose sample goes to expert e; gate[e] is P_e over the sum of the active P, 0
// elsewhere; probability as softmax gives it. Of two equal scores the lower expert counts as higher.
template <int E>
PG_INLINE void choose_top_k(const Floats (&score)[E], int k, Mask (&active)[E], Floats (&gate)[E],
                            Floats (&probability)[E]) {
  Floats experts_above[E];
  Floats best = score[0];
  PG_UNROLL
  for (int e = 0; e < E; ++e) experts_above[e] = 0.0f;
  PG_UNROLL
  for (int e = 1; e < E; ++e) {
    best = select(greater(score[e], best), score[e], best);
    PG_UNROLL
    for (int lower = 0; lower < e; ++lower) {
      const Mask lower_first = not_less(score[lower], score[e]);
      experts_above[e] = add_if(lower_first, Floats(1.0f), experts_above[e]);
      experts_above[lower] = add_if(negate(lower_first), Floats(1.0f), experts_above[lower]);
    }
  }
  softmax<E>(score, best, probability);
  Floats sum = 0.0f;
  PG_UNROLL
  for (int e = 0; e < E; ++e) {
    active[e] = greater(Floats(static_cast<float>(k)), experts_above[e]);
    sum = add_if(active[e], probability[e], sum);
  }
  const Floats scale = Floats(1.0f) / sum;  // at least 1 / E, but too small for reciprocal()
  PG_UNROLL
  for (int e = 0; e < E; ++e) gate[e] = keep(active[e], probability[e] * scale);
}

}  // namespace phasegrid::PHASEGRID_MACHINE
