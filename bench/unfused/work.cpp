#include "work.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace phasegrid::fused_moe {
namespace {

constexpr std::size_t kSamples = 4096;

// Routers of random directions, each with a multiple of the sum of the features added, found so that the experts'
// shares of first choices are as asked for: an expert with too few samples gets more of the sum.
void set_routers(const Point& point, std::mt19937& random, Problem& problem) {
  const auto n = static_cast<std::size_t>(problem.shape.n_features),
             E = static_cast<std::size_t>(problem.shape.n_experts);
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(n)));
  float* router = problem.parameters.data() + problem.shape.router_offset();
  for (std::size_t i = 0; i < E * n; ++i) router[i] = normal(random);

  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<float> scores(kSamples * E), sums(kSamples);
  for (std::size_t sample = 0; sample < kSamples; ++sample) {
    for (std::size_t f = 0; f < n; ++f) {
      const float x = uniform(random) < static_cast<float>(point[AxisName::density]) ? uniform(random) : 0.0f;
      sums[sample] += x;
      for (std::size_t e = 0; e < E; ++e) scores[sample * E + e] += router[e * n + f] * x;
    }
  }
  std::vector<double> target(E, (1 - point[AxisName::skew]) / static_cast<double>(E));
  target[0] += point[AxisName::skew];
  std::vector<float> more(E, 0.0f), best(E, 0.0f);
  double least = 1e30;
  for (int round = 0; round < 300; ++round) {
    std::vector<double> shares(E, 0.0);
    for (std::size_t sample = 0; sample < kSamples; ++sample) {
      std::size_t winner = 0;
      auto score = [&](std::size_t e) { return scores[sample * E + e] + more[e] * sums[sample]; };
      for (std::size_t e = 1; e < E; ++e) winner = score(e) > score(winner) ? e : winner;
      shares[winner] += 1.0 / static_cast<double>(kSamples);
    }
    double distance = 0;
    for (std::size_t e = 0; e < E; ++e) distance += std::abs(shares[e] - target[e]);
    if (distance < least) {
      least = distance;
      best = more;
      problem.shares = shares;
    }
    const double pace = 0.3 / std::sqrt(static_cast<double>(n)) / (1 + round / 30);
    for (std::size_t e = 0; e < E; ++e) {
      const double wanted = std::log((target[e] + 1e-3) / (shares[e] + 1e-3));
      more[e] += static_cast<float>(pace * std::clamp(wanted, -1.0, 1.0));
    }
  }
  for (std::size_t e = 0; e < E; ++e) {
    for (std::size_t f = 0; f < n; ++f) router[e * n + f] += best[e];
  }
}

}  // namespace

double multiply_adds(const Shape& shape, Mode mode) {
  const double n = shape.n_features, m = shape.n_hidden, E = shape.n_experts, k = shape.top_k;
  const double forward = 2 * n * m * k + (E > 1 ? n * E : 0) + (k > 1 ? n * k : 0);
  return mode == Mode::forward ? forward : forward + 3 * n * m * k + (k > 1 ? 2 * n * k : 0);
}

Problem problem_of(const Point& point) {
  std::mt19937 random(20);
  Problem problem;
  problem.shape = point.shape();
  problem.models = point.whole(AxisName::models);
  const auto n = static_cast<std::size_t>(problem.shape.n_features);
  problem.cell.sparsity.assign(n, 1 - point[AxisName::density]);
  problem.cell.importance.assign(n, 1.0);
  problem.cell.train.batch = point.whole(AxisName::tokens);
  problem.cell.train.learning_rate = 0;
  problem.cell.train.load_balance = 0;
  problem.settings = cell_settings(problem.shape, problem.cell);
  problem.features = feature_settings(problem.shape, problem.cell);
  problem.parameters.resize(static_cast<std::size_t>(problem.shape.parameter_count()));
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(problem.shape.n_hidden)));
  for (float& parameter : problem.parameters) parameter = normal(random);
  if (problem.shape.n_experts > 1) {
    set_routers(point, random, problem);
  } else {
    problem.shares = {1.0};
  }
  return problem;
}

}  // namespace phasegrid::fused_moe
