// Random weights and models for tests, and a router by its definition with nothing in common with host/.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "phasegrid/metrics.hpp"

namespace phasegrid::testing {

inline std::vector<float> random_weights(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> weights(count);
  for (float& weight : weights) weight = normal(random);
  return weights;
}

// A model that owns its parameters.
struct OwnedModel {
  Shape shape;
  std::vector<float> parameters;

  explicit OwnedModel(const Shape& of) : shape(of), parameters(static_cast<std::size_t>(of.parameter_count()), 0.0f) {}
  OwnedModel(const Shape& of, unsigned seed)
      : shape(of), parameters(random_weights(static_cast<std::size_t>(of.parameter_count()), seed)) {}

  ModelView view() const { return {shape, parameters}; }
  float& W(int e, int f, int h) { return at((e * shape.n_features + f) * shape.n_hidden + h); }
  float& b(int e, int f) { return at(shape.bias_offset() + e * shape.n_features + f); }
  float& G(int e, int f) { return at(shape.router_offset() + e * shape.n_features + f); }

 private:
  float& at(int i) { return parameters[static_cast<std::size_t>(i)]; }
};

// The experts in the order of their scores, and the gate of each expert (0 where it is not active).
struct DefinedRouting {
  std::vector<int> order;     // [E]
  std::vector<double> gates;  // [E]
};
inline DefinedRouting route_by_definition(OwnedModel model, std::span<const float> input) {
  const int E = model.shape.n_experts;
  std::vector<double> score(static_cast<std::size_t>(E));
  for (int e = 0; e < E; ++e) {
    for (int f = 0; f < model.shape.n_features; ++f) {
      score[static_cast<std::size_t>(e)] +=
          static_cast<double>(model.G(e, f)) * static_cast<double>(input[static_cast<std::size_t>(f)]);
    }
  }
  DefinedRouting routing{std::vector<int>(score.size()), std::vector<double>(score.size())};
  std::iota(routing.order.begin(), routing.order.end(), 0);
  std::ranges::stable_sort(routing.order, [&](int a, int b) {
    return score[static_cast<std::size_t>(a)] > score[static_cast<std::size_t>(b)];
  });
  double sum = 0;
  for (int rank = 0; rank < model.shape.top_k; ++rank) {
    const auto e = static_cast<std::size_t>(routing.order[static_cast<std::size_t>(rank)]);
    sum += routing.gates[e] = std::exp(score[e]);
  }
  for (double& gate : routing.gates) gate /= sum;
  return routing;
}

}  // namespace phasegrid::testing
