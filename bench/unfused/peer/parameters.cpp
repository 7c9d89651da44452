#include "parameters.hpp"

#include <cmath>
#include <random>

namespace phasegrid::unfused {
namespace {

// visit(position in Shape's order, position in the peer's) for every parameter of every model.
template <class Visit>
void for_each_parameter(const Shape& shape, int models, Visit&& visit) {
  const int n = shape.n_features, m = shape.n_hidden, E = shape.n_experts;
  const int count = shape.parameter_count(), expert_size = (m + 1) * n;
  for (int model = 0; model < models; ++model) {
    for (int e = 0; e < E; ++e) {
      const int expert = model * E + e;
      for (int f = 0; f < n; ++f) {
        for (int j = 0; j < m; ++j) visit(model * count + (e * n + f) * m + j, expert * expert_size + j * n + f);
        visit(model * count + shape.bias_offset() + e * n + f, expert * expert_size + m * n + f);
        visit(model * count + shape.router_offset() + e * n + f, models * E * expert_size + expert * n + f);
      }
    }
  }
}

}  // namespace

std::vector<float> to_peer(const Shape& shape, int models, const std::vector<float>& parameters) {
  std::vector<float> out(parameters.size());
  for_each_parameter(shape, models, [&](int ours, int peers) {
    out[static_cast<std::size_t>(peers)] = parameters[static_cast<std::size_t>(ours)];
  });
  return out;
}

std::vector<float> from_peer(const Shape& shape, int models, const std::vector<float>& parameters) {
  std::vector<float> out(parameters.size());
  for_each_parameter(shape, models, [&](int ours, int peers) {
    out[static_cast<std::size_t>(ours)] = parameters[static_cast<std::size_t>(peers)];
  });
  return out;
}

std::vector<float> xavier(const Shape& shape, int models, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  const float others = std::sqrt(2.0f / static_cast<float>(shape.n_features + shape.n_experts));
  const float weights = others / std::sqrt(static_cast<float>(shape.n_hidden));
  std::vector<float> out(static_cast<std::size_t>(models) * static_cast<std::size_t>(shape.parameter_count()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int p = static_cast<int>(i % static_cast<std::size_t>(shape.parameter_count()));
    out[i] = (p < shape.bias_offset() ? weights : others) * normal(random);
  }
  return out;
}

}  // namespace phasegrid::unfused
