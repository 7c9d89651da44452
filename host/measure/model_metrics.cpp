#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "batch_router.hpp"
#include "phasegrid/error.hpp"
#include "phasegrid/metrics.hpp"
#include "random_words.hpp"

namespace phasegrid {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// What a part of the parameters has for one expert.
std::span<const float> part_of(const ModelView& model, PartKind kind, int expert) {
  if (model.shape.count(kind) == 0) return {};
  const Part part = model.shape.part(kind);
  const int count = part.size() / part.extents[0];
  return model.parameters.subspan(static_cast<std::size_t>(part.offset + expert * count),
                                  static_cast<std::size_t>(count));
}

// A NaN stays one.
double activated(Activation activation, double z) { return activation == Activation::relu && z < 0 ? 0 : z; }

std::vector<double> nans(int count) { return std::vector<double>(static_cast<std::size_t>(count), kNan); }

// body() after each of inputs [samples][n] was routed.
template <class Body>
void for_each_routed(BatchRouter& router, const ModelView& model, std::span<const float> inputs, Body&& body) {
  const auto n = static_cast<std::size_t>(model.shape.n_features);
  if (inputs.size() % n != 0) throw InputError("inputs must be [samples][n_features]");
  for (std::size_t first = 0; first < inputs.size(); first += n) {
    router.route(inputs.subspan(first, n));
    body();
  }
}

// A direction of the positive orthant: absolute values of independent normal numbers, by Box and Muller's method with
// its angle kept in the first quadrant. Its length does not matter to a router.
void draw_direction(std::uint64_t seed, std::uint32_t sample, std::span<double> x) {
  for (std::size_t first = 0; first < x.size(); first += 2) {
    const auto words = random_words(seed, MeasureStream::direction, sample, static_cast<std::uint32_t>(first / 2));
    const double radius = std::sqrt(-2 * std::log(open_uniform(words[0])));
    const double angle = std::numbers::pi / 2 * open_uniform(words[1]);
    x[first] = radius * std::cos(angle);
    if (first + 1 < x.size()) x[first + 1] = radius * std::sin(angle);
  }
}

}  // namespace

std::span<const float> ModelView::expert(int e) const {
  return part_of(*this, PartKind::weights, e);
}
std::span<const float> ModelView::decoder(int e) const {
  return part_of(*this, shape.tied ? PartKind::weights : PartKind::decoder, e);
}
std::span<const float> ModelView::bias(int e) const {
  return part_of(*this, PartKind::biases, e);
}
std::span<const float> ModelView::router(int e) const {
  return part_of(*this, PartKind::router, e);
}

ModelView kept_model(const Results& results, std::size_t cell) {
  if (cell >= results.cells()) throw InputError("kept_model: no such cell");
  const Shape shape = results.shape(cell);
  const auto room = static_cast<std::size_t>(results.sweep.shape.parameter_count());
  return {shape, std::span(results.parameters).subspan(cell * room, static_cast<std::size_t>(shape.parameter_count()))};
}

Routing route(const ModelView& model, std::span<const float> input) {
  if (input.size() != static_cast<std::size_t>(model.shape.n_features)) {
    throw InputError("an input must be [n_features]");
  }
  BatchRouter router(model);
  router.route(input);
  return {{router.experts().begin(), router.experts().end()}, {router.gates().begin(), router.gates().end()}};
}

std::vector<double> reconstruct(const ModelView& model, std::span<const float> input) {
  const auto n = static_cast<std::size_t>(model.shape.n_features), m = static_cast<std::size_t>(model.shape.n_hidden);
  const Routing routing = route(model, input);
  std::vector<double> output(n, 0.0), hidden(m);
  for (std::size_t rank = 0; rank < routing.experts.size(); ++rank) {
    const auto W = model.expert(routing.experts[rank]), D = model.decoder(routing.experts[rank]);
    const auto b = model.bias(routing.experts[rank]);
    std::ranges::fill(hidden, 0.0);
    for (std::size_t f = 0; f < n; ++f) {
      for (std::size_t h = 0; h < m; ++h) {
        hidden[h] += static_cast<double>(W[f * m + h]) * static_cast<double>(input[f]);
      }
    }
    for (double& h : hidden) h = activated(model.shape.hidden, h);
    for (std::size_t f = 0; f < n; ++f) {
      double sum = b.empty() ? 0.0 : static_cast<double>(b[f]);
      for (std::size_t h = 0; h < m; ++h) sum += static_cast<double>(D[f * m + h]) * hidden[h];
      output[f] += routing.gates[rank] * activated(model.shape.output, sum);
    }
  }
  return output;
}

double total_capacity(const ModelView& model) {
  double sum = 0;
  for (int e = 0; e < model.shape.n_experts; ++e) {
    for (int f = 0; f < model.shape.n_features; ++f) {
      sum += feature_dimensionality(model.expert(e), model.shape.n_features, model.shape.n_hidden, f);
    }
  }
  return sum;
}

ExpertUsage expert_usage(const ModelView& model, std::span<const float> inputs, Inputs which) {
  BatchRouter router(model);
  if (!router.usable()) return {nans(model.shape.n_experts), nans(model.shape.n_experts)};
  ExpertUsage usage{std::vector<double>(static_cast<std::size_t>(model.shape.n_experts)), {}};
  usage.active = usage.gate;
  double samples = 0;
  for_each_routed(router, model, inputs, [&] {
    if (which == Inputs::nonzero && router.present().empty()) return;
    samples += 1;
    for (std::size_t rank = 0; rank < router.experts().size(); ++rank) {
      const auto e = static_cast<std::size_t>(router.experts()[rank]);
      usage.gate[e] += router.gates()[rank];
      usage.active[e] += 1;
    }
  });
  for (double& share : usage.gate) share /= samples;
  for (double& share : usage.active) share /= samples;
  return usage;
}

double features_per_dimension(const ModelView& model, std::span<const double> gate, bool divide_by_k) {
  if (gate.size() != static_cast<std::size_t>(model.shape.n_experts)) {
    throw InputError("features_per_dimension: gate must be [n_experts]");
  }
  double sum = 0;
  for (int e = 0; e < model.shape.n_experts; ++e) {
    double square = 0;
    for (float weight : model.expert(e)) square += static_cast<double>(weight) * static_cast<double>(weight);
    sum += gate[static_cast<std::size_t>(e)] * square / model.shape.n_hidden;
  }
  return divide_by_k ? sum / model.shape.top_k : sum;
}

std::vector<double> global_feature_dimensionality(const ModelView& model, std::span<const float> inputs) {
  BatchRouter router(model);
  if (!router.usable()) return nans(model.shape.n_features);
  const auto n = static_cast<std::size_t>(model.shape.n_features);
  std::vector<double> with_feature(n), active_with(n * static_cast<std::size_t>(model.shape.n_experts));  // [E][n]
  for_each_routed(router, model, inputs, [&] {
    for (int f : router.present()) with_feature[static_cast<std::size_t>(f)] += 1;
    for (int e : router.experts()) {
      double* counts = active_with.data() + static_cast<std::size_t>(e) * n;
      for (int f : router.present()) counts[f] += 1;
    }
  });
  std::vector<double> dimensionality(n, 0.0);
  for (int e = 0; e < model.shape.n_experts; ++e) {
    for (std::size_t f = 0; f < n; ++f) {
      const double share = active_with[static_cast<std::size_t>(e) * n + f] / with_feature[f];
      dimensionality[f] += share * feature_dimensionality(model.expert(e), model.shape.n_features, model.shape.n_hidden,
                                                          static_cast<int>(f));
    }
  }
  return dimensionality;
}

std::vector<double> cone_shares(const ModelView& model, int samples, std::uint64_t seed) {
  if (samples < 1) throw InputError(fmt::format("samples must be 1 or more, not {}", samples));
  BatchRouter router(model);
  if (!router.usable()) return nans(model.shape.n_experts);
  std::vector<double> shares(static_cast<std::size_t>(model.shape.n_experts), 0.0);
  std::vector<double> x(static_cast<std::size_t>(model.shape.n_features));
  for (int i = 0; i < samples; ++i) {
    draw_direction(seed, static_cast<std::uint32_t>(i), x);
    router.route(std::span<const double>(x));
    shares[static_cast<std::size_t>(router.experts().front())] += 1;
  }
  for (double& share : shares) share /= samples;
  return shares;
}

TrainingHealth training_health(const Results& results) {
  TrainingHealth health;
  const auto restarts = static_cast<std::size_t>(results.sweep.restarts);
  const auto found = [](std::int64_t& count, std::size_t& first, std::size_t cell) {
    if (count++ == 0) first = cell;
  };
  for (std::size_t i = 0; i < results.status.size(); ++i) {
    if (results.status[i] > 0) found(health.diverged, health.first_diverged, i / restarts);
  }
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    if (results.kept[cell] < 0) {
      const auto statuses = std::span(results.status).subspan(cell * restarts, restarts);
      const bool trained = std::ranges::none_of(statuses, [](std::int32_t s) { return s < kTrained; });
      if (trained) found(health.empty, health.first_empty, cell);
      continue;
    }
    const ModelView model = kept_model(results, cell);
    bool alive = false;
    const Shape& shape = model.shape;
    for (int e = 0; e < shape.n_experts && !alive; ++e) {
      for (int f = 0; f < shape.n_features && !alive; ++f) {
        alive = feature_norm(model.expert(e), shape.n_features, shape.n_hidden, f) > kDeadNorm;
      }
    }
    if (!alive) found(health.dead, health.first_dead, cell);
  }
  return health;
}

}  // namespace phasegrid
