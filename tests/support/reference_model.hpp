// The model by its definition (paper section 3.1; shared by every test that needs an answer to hold the kernels
// against): plain loops in float64, no tricks, nothing in common with kernels/.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "phasegrid/architecture.hpp"
#include "phasegrid/choices.hpp"

namespace phasegrid::testing {

struct ReferenceSettings {
  Shape shape;
  std::vector<double> importance;
  double load_balance = 0;
  bool mean_loss = true;
  int loss_power = 2;
  Target target = Target::identity;
  BalanceOver balance_over = BalanceOver::all;
};

// The training loss of a batch of inputs [samples][n] and its part without load balance, and which pieces it is made
// of: experts active and ReLUs open.
struct ReferenceLoss {
  double loss = 0, reconstruction = 0;
  // [sample] x (E active flags, then of every expert m open flags of hidden units and n of outputs, where active)
  std::vector<bool> pattern;
};

inline ReferenceLoss reference_loss(const ReferenceSettings& settings, const std::vector<double>& parameters,
                                    const std::vector<float>& inputs) {
  const Shape& s = settings.shape;
  const int n = s.n_features, m = s.n_hidden, E = s.n_experts;
  auto at = [&](int p) { return parameters[static_cast<std::size_t>(p)]; };
  auto W = [&](int e, int f, int j) { return at((e * n + f) * m + j); };
  auto D = [&](int e, int f, int j) { return at((s.tied ? 0 : s.offset(PartKind::decoder)) + (e * n + f) * m + j); };
  auto b = [&](int e, int f) { return s.bias ? at(s.bias_offset() + e * n + f) : 0.0; };
  auto opens = [](Activation activation, double z) { return activation == Activation::linear || z > 0; };
  auto target = [&](double x) {
    return settings.target == Target::absolute ? std::abs(x) : settings.target == Target::relu ? std::max(x, 0.0) : x;
  };
  auto G = [&](int e, int f) { return parameters[static_cast<std::size_t>(s.router_offset() + e * n + f)]; };
  const std::size_t samples = inputs.size() / static_cast<std::size_t>(n);
  std::vector<double> dispatched(static_cast<std::size_t>(E)), probability_sum(static_cast<std::size_t>(E));
  ReferenceLoss result;
  double error = 0, counted = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    auto x = [&](int f) {
      return static_cast<double>(inputs[i * static_cast<std::size_t>(n) + static_cast<std::size_t>(f)]);
    };
    std::vector<double> score(static_cast<std::size_t>(E)), P(static_cast<std::size_t>(E));
    double sum = 0;
    for (int e = 0; e < E; ++e) {
      for (int f = 0; f < n; ++f) score[static_cast<std::size_t>(e)] += G(e, f) * x(f);
    }
    const double top = *std::max_element(score.begin(), score.end());
    for (std::size_t e = 0; e < P.size(); ++e) sum += P[e] = std::exp(score[e] - top);
    for (double& p : P) p /= sum;
    std::vector<std::size_t> order(P.size());
    for (std::size_t e = 0; e < order.size(); ++e) order[e] = e;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t c) { return score[a] > score[c]; });
    std::vector<bool> active(P.size(), false);
    double active_sum = 0;
    for (std::size_t rank = 0; rank < static_cast<std::size_t>(s.top_k); ++rank) {
      active[order[rank]] = true;
      active_sum += P[order[rank]];
    }
    std::vector<double> output(static_cast<std::size_t>(n));
    bool counts = settings.balance_over == BalanceOver::all;
    for (int f = 0; f < n; ++f) counts = counts || x(f) != 0;
    counted += counts ? 1 : 0;
    for (int e = 0; e < E; ++e) {
      const auto ee = static_cast<std::size_t>(e);
      probability_sum[ee] += counts ? P[ee] : 0;
      dispatched[ee] += counts && active[ee] ? 1 : 0;
      result.pattern.push_back(active[ee]);
      std::vector<double> h(static_cast<std::size_t>(m));
      for (int j = 0; j < m; ++j) {
        double& unit = h[static_cast<std::size_t>(j)];
        for (int f = 0; f < n; ++f) unit += W(e, f, j) * x(f);
        const bool open = opens(s.hidden, unit);
        result.pattern.push_back(active[ee] && open);
        if (!open) unit = 0;
      }
      for (int f = 0; f < n; ++f) {
        double z = b(e, f);
        for (int j = 0; j < m; ++j) z += D(e, f, j) * h[static_cast<std::size_t>(j)];
        const bool open = active[ee] && opens(s.output, z);
        result.pattern.push_back(open);
        if (open) output[static_cast<std::size_t>(f)] += P[ee] / active_sum * z;
      }
    }
    for (int f = 0; f < n; ++f) {
      const double d = output[static_cast<std::size_t>(f)] - target(x(f));
      error += settings.importance[static_cast<std::size_t>(f)] * std::pow(d, settings.loss_power);
    }
  }
  const double count = static_cast<double>(samples);
  double balance = 0;
  for (std::size_t e = 0; e < dispatched.size() && counted > 0; ++e) {
    balance += dispatched[e] / counted * probability_sum[e] / counted;
  }
  result.reconstruction = error / count / (settings.mean_loss ? n : 1);
  result.loss = result.reconstruction + (E > 1 ? settings.load_balance * E * balance : 0);
  return result;
}

}  // namespace phasegrid::testing
