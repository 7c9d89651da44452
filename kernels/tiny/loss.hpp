// The losses of a batch: reconstruction, scale * sum of I_f (x'_f - x_f)^2, and training, that and for E > 1
// alpha E sum_e f_e mean(P_e), f_e being the share of the batch dispatched to expert e. Training needs gradients alone,
// so the loss is computed only where it is asked for: at the last step, and at a step whose parameters have grown
// suspiciously large.
#pragma once

#include "samples.hpp"
#include "expert.hpp"
#include "router.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// What a batch is summed to: weighted squared error, samples routed to each expert, probabilities of each expert.
template <class S>
struct LossLayout {
  static constexpr int kError = 0;
  static constexpr int kSize = 1 + 2 * S::E;
  PG_INLINE static constexpr int count(int e) { return 1 + e; }
  PG_INLINE static constexpr int probability(int e) { return 1 + S::E + e; }
};

template <class S, class Valid>
PG_INLINE void add_sample_loss(const Weights<S>& weights, int k, const float* importance, const Floats (&x)[S::n],
                               Valid valid, Floats (&sums)[LossLayout<S>::kSize]) {
  using Sum = LossLayout<S>;
  Floats score[S::E], gate[S::E], probability[S::E], output[S::n];
  Mask active[S::E];
  route_scores<S>(weights, x, score);
  if constexpr (S::kTop1) {
    Floats z[S::n];
    if constexpr (S::E > 1) {
      Floats best;
      choose_top1<S::E>(score, valid, active, best);
      softmax<S::E>(score, best, probability);
    } else {
      active[0] = both(valid, not_less_equal(Floats(1.0f), Floats(0.0f)));
      probability[0] = 1.0f;
    }
    chosen_expert_output<S>(weights, active, x, z);
    PG_UNROLL
    for (int f = 0; f < S::n; ++f) output[f] = S::Output::value(z[f]);
  } else {
    choose_top_k<S::E>(score, k, active, gate, probability);
    PG_UNROLL
    for (int f = 0; f < S::n; ++f) output[f] = 0.0f;
    PG_UNROLL
    for (int e = 0; e < S::E; ++e) {
      Floats z[S::n];
      expert_output<S>(weights.w[e], weights.b[e], x, z);
      PG_UNROLL
      for (int f = 0; f < S::n; ++f) output[f] = fma(gate[e], S::Output::value(z[f]), output[f]);
    }
  }
  PG_UNROLL
  for (int f = 0; f < S::n; ++f) {
    const Floats error = keep(valid, output[f] - x[f]);
    sums[Sum::kError] = fma(Floats(importance[f]) * error, error, sums[Sum::kError]);
  }
  PG_UNROLL
  for (int e = 0; e < S::E; ++e) {
    sums[Sum::count(e)] = add_if(both(valid, active[e]), Floats(1.0f), sums[Sum::count(e)]);
    sums[Sum::probability(e)] = sums[Sum::probability(e)] + keep(valid, probability[e]);
  }
}

// Sums a batch into storage.total, laid out as LossLayout says.
template <class S>
PG_STAGE void sum_losses(const CellSettings& cell, int top_k, const Batch& batch, const float* parameters, Team team,
                          LaneSums<LossLayout<S>::kSize>& storage) {
  const Weights<S> weights(parameters);
  team.for_each_group([&](int first_lane) PG_INLINE_LAMBDA {
    Floats sums[LossLayout<S>::kSize];
    PG_UNROLL
    for (int v = 0; v < LossLayout<S>::kSize; ++v) sums[v] = 0.0f;
    auto add = [&](const Floats(&x)[S::n], auto valid) PG_INLINE_LAMBDA {
      add_sample_loss<S>(weights, top_k, cell.importance, x, valid, sums);
    };
    if (!leaves_off<S>(batch)) for_each_sample<S>(cell, batch, first_lane, add);
    team.deposit(storage, first_lane, sums);
  });
  team.reduce(storage);
}

template <class S>
PG_INLINE Losses batch_loss(const CellSettings& cell, int top_k, const Batch& batch, float scale,
                           const float* parameters, Team team, LaneSums<LossLayout<S>::kSize>& storage) {
  using Sum = LossLayout<S>;
  sum_losses<S>(cell, top_k, batch, parameters, team, storage);
  const float reconstruction = storage.total[Sum::kError] * scale;
  if constexpr (S::E == 1) {
    return {reconstruction, reconstruction};
  } else {
    const float share = 1.0f / static_cast<float>(batch.samples);
    float balance = 0.0f;
    PG_UNROLL
    for (int e = 0; e < S::E; ++e) {
      balance = fma(storage.total[Sum::count(e)] * share, storage.total[Sum::probability(e)] * share, balance);
    }
    return {fma(cell.load_balance * static_cast<float>(S::E), balance, reconstruction), reconstruction};
  }
}

}  // namespace phasegrid::PHASEGRID_MACHINE
