// One sample's share in the sums from which the gradient is made (SumLayout). The loss is
//   scale * sum over samples and features of I_f (x'_f - x_f)^2,  x' = sum over active e of gate_e ReLU(z_e).
// Where importances and constant factors can wait until a batch is summed, they do (gradient.hpp).
#pragma once

#include "samples.hpp"
#include "expert.hpp"
#include "machine/machine.hpp"
#include "router.hpp"
#include "static_shape.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// k = 1: the gate is exactly 1, so g_f = x'_f - x_f where the output's slope is not 0, and no gradient of the
// reconstruction reaches the router. The load balance does: d/ds_j of sum_e f_e P_e = sum_e f_e P_e (delta_ej - P_j). With
// sum_e P_e = 1 that is P_j sum_e P_e (f_j - f_e), so sums of P_e P_j x over pairs of experts are all it needs.
template <class S>
struct SampleTop1 {
  Mask chosen[S::E];
  Floats other[S::E > 1 ? S::E - 1 : 1];  // of the softmax: exponents of the experts not chosen, then their terms
  Floats g[S::n];
};

template <class S, class Valid>
PG_INLINE void route_top1(const Weights<S>& weights, const Floats (&x)[S::n], Valid valid, SampleTop1<S>& sample) {
  Floats score[S::E], best;
  route_scores<S>(weights, x, score);
  choose_top1<S::E>(score, valid, sample.chosen, best);
  exponents_of_others<S::E>(score, best, sample.chosen, sample.other);
}

// What the load balance needs.
template <class S, class Valid>
PG_INLINE void add_mixing_top1(const SampleTop1<S>& sample, const Floats (&x)[S::n], Valid valid,
                               Floats (&sums)[SumLayout<S>::kSize]) {
  using Sum = SumLayout<S>;
  Floats product[S::kPairs];
  softmax_products<S>(sample.other, sample.chosen, product);
  PG_UNROLL
  for (int pair = 0; pair < S::kPairs; ++pair) {
    const Floats mixed = keep(valid, product[pair]);
    PG_UNROLL
    for (int f = 0; f < S::n; ++f) sums[Sum::mixing(pair, f)] = fma(mixed, x[f], sums[Sum::mixing(pair, f)]);
  }
  PG_UNROLL
  for (int e = 1; e < S::E; ++e) sums[Sum::count(e)] = add_if(sample.chosen[e], Floats(1.0f), sums[Sum::count(e)]);
}

template <class S, class Valid>
PG_INLINE void slopes_top1(const Weights<S>& weights, const Floats (&x)[S::n], Valid valid, SampleTop1<S>& sample) {
  Floats z[S::n];
  chosen_expert_output<S>(weights, sample.chosen, x, z);
  PG_UNROLL
  for (int f = 0; f < S::n; ++f) sample.g[f] = S::Output::back(valid, z[f], S::Output::value_if_active(z[f]) - x[f]);
}

// Adds g and g x^T to the sums of expert e, if it is the sample's.
template <class S, int e>
PG_INLINE void add_products_top1(const SampleTop1<S>& sample, const Floats (&x)[S::n],
                                 Floats (&sums)[SumLayout<S>::kSize]) {
  using Sum = SumLayout<S>;
  PG_UNROLL
  for (int f = 0; f < S::n; ++f) {
    const Floats g = sample.g[f];
    Floats& output = sums[Sum::output(e, f)];
    output = S::E == 1 ? output + g : add_if(sample.chosen[e], g, output);
    PG_UNROLL
    for (int other = 0; other < S::n; ++other) {
      Floats& outer = sums[Sum::outer(e, f, other)];
      outer = S::E == 1 ? fma(g, x[other], outer) : fma_if(sample.chosen[e], g, x[other], outer);
    }
  }
}

template <class S, int e = 0>
PG_INLINE void add_products_of_experts(const SampleTop1<S>* samples, const Floats (*x)[S::n], int count,
                                       Floats (&sums)[SumLayout<S>::kSize]) {
  PG_NO_UNROLL
  for (int s = 0; s < count; ++s) add_products_top1<S, e>(samples[s], x[s], sums);
  if constexpr (e + 1 < S::E) add_products_of_experts<S, e + 1>(samples, x, count, sums);
}

template <class S, class Valid>
PG_INLINE void add_samples_dense(const Weights<S>& weights, const Floats (*x)[S::n], int count, Valid valid,
                                 Floats (&sums)[SumLayout<S>::kSize]) {
  PG_NO_UNROLL
  for (int s = 0; s < count; ++s) {
    SampleTop1<S> sample;
    slopes_top1<S>(weights, x[s], valid, sample);
    add_products_top1<S, 0>(sample, x[s], sums);
  }
}

// A stretch goes through one stage after the other, and through its experts one by one. A core overlaps the samples of a
// short chain of operations far better than those of a long one, and has registers for the sums of one expert.
template <class S, class Valid>
PG_INLINE void add_samples_top1(const Weights<S>& weights, bool balance, const Floats (*x)[S::n], int count,
                                Valid valid, Floats (&sums)[SumLayout<S>::kSize]) {
  SampleTop1<S> samples[kStretch];
  PG_NO_UNROLL
  for (int s = 0; s < count; ++s) route_top1<S>(weights, x[s], valid, samples[s]);
  if (balance) {
    PG_NO_UNROLL
    for (int s = 0; s < count; ++s) {
      PG_UNROLL
      for (int i = 0; i < S::E - 1; ++i) samples[s].other[i] = exp_of_negative(samples[s].other[i]);
    }
    PG_NO_UNROLL
    for (int s = 0; s < count; ++s) add_mixing_top1<S>(samples[s], x[s], valid, sums);
  }
  PG_NO_UNROLL
  for (int s = 0; s < count; ++s) slopes_top1<S>(weights, x[s], valid, samples[s]);
  add_products_of_experts<S>(samples, x, count, sums);
}

// k > 1: all experts are computed and masked. The renormalised gates w_e = P_e / sum of active P have
// dL/ds_e = w_e (dL/dw_e - sum_a w_a dL/dw_a), with dL/dw_e = sum_f I_f (x'_f - x_f) y_e,f (the factor 2 scale comes
// later). `balance[e]` is alpha E f_e / (2 batch scale): what the load balance adds to dL/dP_e in the same units.
template <class S, class Valid>
PG_INLINE void add_sample_top_k(const Weights<S>& weights, int k, const float* importance, const float (&balance)[S::E],
                                const Floats (&x)[S::n], Valid valid, Floats (&sums)[SumLayout<S>::kSize]) {
  using Sum = SumLayout<S>;
  Mask active[S::E];
  Floats score[S::E], gate[S::E], probability[S::E];
  route_scores<S>(weights, x, score);
  choose_top_k<S::E>(score, k, active, gate, probability);

  Floats y[S::E][S::n], error[S::n];
  PG_UNROLL
  for (int e = 0; e < S::E; ++e) {
    Floats z[S::n];
    expert_output<S>(weights.w[e], weights.b[e], x, z);
    PG_UNROLL
    for (int f = 0; f < S::n; ++f) {
      y[e][f] = S::Output::value(z[f]);
      error[f] = e == 0 ? fma(gate[0], y[0][f], Floats(0.0f) - x[f]) : fma(gate[e], y[e][f], error[f]);
    }
  }
  PG_UNROLL
  for (int f = 0; f < S::n; ++f) error[f] = keep(valid, error[f]);

  Floats gate_slope[S::E], mean_slope = 0.0f, mean_balance = 0.0f;
  PG_UNROLL
  for (int e = 0; e < S::E; ++e) {
    gate_slope[e] = 0.0f;
    PG_UNROLL
    for (int f = 0; f < S::n; ++f) {
      gate_slope[e] = fma(Floats(importance[f]) * error[f], y[e][f], gate_slope[e]);
      const Floats g = S::Output::back(AllLanes{}, y[e][f], gate[e] * error[f]);
      sums[Sum::output(e, f)] = sums[Sum::output(e, f)] + g;
      PG_UNROLL
      for (int other = 0; other < S::n; ++other) {
        Floats& outer = sums[Sum::outer(e, f, other)];
        outer = fma(g, x[other], outer);
      }
    }
    mean_slope = fma(gate[e], gate_slope[e], mean_slope);
    mean_balance = fma(probability[e], Floats(balance[e]), mean_balance);
  }
  PG_UNROLL
  for (int e = 0; e < S::E; ++e) {
    const Floats balanced = keep(valid, probability[e] * (Floats(balance[e]) - mean_balance));
    const Floats slope = fma(gate[e], gate_slope[e] - mean_slope, balanced);
    PG_UNROLL
    for (int f = 0; f < S::n; ++f) sums[Sum::score(e, f)] = fma(slope, x[f], sums[Sum::score(e, f)]);
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
