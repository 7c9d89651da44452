// The gradient of a batch: its samples summed (backward.hpp), then turned into one number a parameter.
#pragma once

#include "backward.hpp"
#include "samples.hpp"
#include "loss.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Storage of one step; the caller owns it (shared memory of a warp, or a thread's stack).
template <class S>
union StepStorage {
  LaneSums<SumLayout<S>::kSize> gradient;
  LaneSums<LossLayout<S>::kSize> loss;
};

// alpha E f_e / (2 batch scale): see add_sample_top_k. f_e is needed before any sample's gradient, so a first pass over
// the same batch counts.
template <class S>
PG_INLINE void balance_slopes(const CellSettings& cell, int top_k, const Batch& batch, const float* parameters,
                              Team team, StepStorage<S>& storage, float (&slopes)[S::E]) {
  PG_UNROLL
  for (int e = 0; e < S::E; ++e) slopes[e] = 0.0f;
  if (cell.load_balance == 0.0f) return;
  sum_losses<S>(cell, top_k, batch, parameters, team, storage.loss);
  const float share = 1.0f / static_cast<float>(batch.samples);
  const float factor = cell.load_balance * static_cast<float>(S::E) * share / (2.0f * cell.loss_scale);
  PG_UNROLL
  for (int e = 0; e < S::E; ++e) slopes[e] = factor * (storage.loss.total[LossLayout<S>::count(e)] * share);
  team.barrier();  // all lanes have read the counts before the storage is used again
}

template <class S>
PG_STAGE void sum_gradients(const CellSettings& cell, int top_k, const Batch& batch, const float* parameters, Team team,
                            StepStorage<S>& storage) {
  using Sum = SumLayout<S>;
  float slopes[S::E];
  if constexpr (!S::kTop1) balance_slopes<S>(cell, top_k, batch, parameters, team, storage, slopes);
  const Weights<S> weights(parameters);
  const bool balance = cell.load_balance != 0.0f;
  team.for_each_group([&](int first_lane) PG_INLINE_LAMBDA {
    Floats sums[Sum::kSize];
    PG_UNROLL
    for (int v = 0; v < Sum::kSize; ++v) sums[v] = 0.0f;
    auto add = [&](const Floats(*x)[S::n], int count, auto valid) PG_INLINE_LAMBDA {
      if constexpr (S::E == 1) {
        add_samples_dense<S>(weights, x, count, valid, sums);
      } else if constexpr (S::kTop1) {
        add_samples_top1<S>(weights, balance, x, count, valid, sums);
      } else {
        PG_NO_UNROLL
        for (int s = 0; s < count; ++s) {
          add_sample_top_k<S>(weights, top_k, cell.importance, slopes, x[s], valid, sums);
        }
      }
    };
    if (!leaves_off<S>(batch)) for_each_stretch<S>(cell, batch, first_lane, add);
    team.deposit(storage.gradient, first_lane, sums);
  });
  team.reduce(storage.gradient);
}

// dL/dW_e. With M = sum of g x^T the chain rule through both uses of the tied weights gives (M + M^T) W: the output
// layer contributes M W, the hidden layer M^T W. g lacks its factor 2 scale I_f, which is put in here.
template <class S>
PG_INLINE float weight_gradient(const CellSettings& cell, const float* sums, const float* parameters, int e, int f,
                                int j) {
  float gradient = 0.0f;
  PG_UNROLL
  for (int other = 0; other < S::n; ++other) {
    const float symmetric = fma(cell.importance[f], sums[SumLayout<S>::outer(e, f, other)],
                                cell.importance[other] * sums[SumLayout<S>::outer(e, other, f)]);
    gradient = fma(symmetric, parameters[S::weight(e, other, j)], gradient);
  }
  return 2.0f * cell.loss_scale * gradient;
}

template <class S>
PG_INLINE float bias_gradient(const CellSettings& cell, const float* sums, int e, int f) {
  return 2.0f * cell.loss_scale * (cell.importance[f] * sums[SumLayout<S>::output(e, f)]);
}

// dL/dG_e: for k = 1 the load balance alone, alpha E / batch * sum over other experts of (f_e - f_other) times the sum
// of P_e P_other x; exactly 0 without it.
template <class S>
PG_INLINE float router_gradient(const CellSettings& cell, const float* sums, int e, int f) {
  using Sum = SumLayout<S>;
  if constexpr (S::E == 1) {
    return 0.0f;
  } else if constexpr (S::kTop1) {
    if (cell.load_balance == 0.0f) return 0.0f;
    const float batch = static_cast<float>(cell.batch);
    float count[S::E];
    count[0] = batch;
    PG_UNROLL
    for (int other = 1; other < S::E; ++other) {
      count[other] = sums[Sum::count(other)];
      count[0] = count[0] - count[other];
    }
    float mine = 0.0f;
    PG_UNROLL
    for (int other = 0; other < S::E; ++other) mine = other == e ? count[other] : mine;
    float gradient = 0.0f;
    PG_UNROLL
    for (int other = 0; other < S::E; ++other) {
      if (other != e) {
        const int pair = e < other ? S::pair(e, other) : S::pair(other, e);
        gradient = fma(mine - count[other], sums[Sum::mixing(pair, f)], gradient);
      }
    }
    return cell.load_balance * static_cast<float>(S::E) / batch / batch * gradient;
  } else {
    return 2.0f * cell.loss_scale * sums[Sum::score(e, f)];
  }
}

// The gradient of parameter p; parameters are shared out over the team.
template <class S>
PG_INLINE float gradient_of(const CellSettings& cell, const float* sums, const float* parameters, int p) {
  if (p < S::kBias) return weight_gradient<S>(cell, sums, parameters, p / (S::n * S::m), p / S::m % S::n, p % S::m);
  if (p < S::kRouter) return bias_gradient<S>(cell, sums, (p - S::kBias) / S::n, (p - S::kBias) % S::n);
  return router_gradient<S>(cell, sums, (p - S::kRouter) / S::n, (p - S::kRouter) % S::n);
}

}  // namespace phasegrid::PHASEGRID_MACHINE
