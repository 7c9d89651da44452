#include "phasegrid/constructions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

// n over a, or `most` + 1 where it is more.
std::size_t subsets_of(int n, int a, std::size_t most) {
  std::size_t count = 1;
  for (int i = 1; i <= a; ++i) {
    count = count * static_cast<std::size_t>(n - a + i) / static_cast<std::size_t>(i);  // n - a + i over i
    if (count > most) return most + 1;
  }
  return count;
}

// The next subset in lexicographic order; false after the last.
bool next_subset(std::vector<int>& subset, int n) {
  const int a = static_cast<int>(subset.size());
  int place = a - 1;
  while (place >= 0 && subset[static_cast<std::size_t>(place)] == n - a + place) --place;
  if (place < 0) return false;
  int feature = subset[static_cast<std::size_t>(place)];
  for (; place < a; ++place) subset[static_cast<std::size_t>(place)] = ++feature;
  return true;
}

// An orthonormal basis [a][d] of the space spanned by the rows of W [n][d] that `subset` names; a row that adds no
// direction leaves zeros. Gram and Schmidt's method, each row twice, which is enough for float64.
std::vector<double> basis_of(std::span<const float> W, std::size_t d, std::span<const int> subset) {
  std::vector<double> basis(subset.size() * d, 0.0);
  for (std::size_t unit = 0; unit < subset.size(); ++unit) {
    const auto row = W.subspan(static_cast<std::size_t>(subset[unit]) * d, d);
    std::vector<double> rest(row.begin(), row.end());
    double whole = 0, left = 0;
    for (double x : rest) whole += x * x;
    for (int round = 0; round < 2; ++round) {
      for (std::size_t before = 0; before < unit; ++before) {
        double along = 0;
        for (std::size_t i = 0; i < d; ++i) along += rest[i] * basis[before * d + i];
        for (std::size_t i = 0; i < d; ++i) rest[i] -= along * basis[before * d + i];
      }
    }
    for (double x : rest) left += x * x;
    if (left <= 1e-26 * whole) continue;  // rounding alone
    for (std::size_t i = 0; i < d; ++i) basis[unit * d + i] = rest[i] / std::sqrt(left);
  }
  return basis;
}

}  // namespace

SubsetMixture::SubsetMixture(int n_features, int n_hidden, int active) : n_(n_features), m_(n_hidden), a_(active) {
  if (!(1 <= active && active <= n_hidden && n_hidden <= n_features)) {
    throw InputError(
        fmt::format("a mixture over subsets needs 1 <= active <= n_hidden <= n_features, not active = {}, "
                    "n_hidden = {}, n_features = {}",
                    active, n_hidden, n_features));
  }
  const auto expert_size = static_cast<std::size_t>(n_features) * static_cast<std::size_t>(n_hidden);
  const std::size_t most = kLargest / expert_size;
  const std::size_t experts = subsets_of(n_features, active, most);
  if (experts > most) {
    throw InputError(
        fmt::format("subsets of active = {} of n_features = {} are too many: with n_hidden = {} at most "
                    "{} experts are built",
                    active, n_features, n_hidden, most));
  }
  subsets_.reserve(experts);
  std::vector<int> subset(static_cast<std::size_t>(active));
  for (int i = 0; i < active; ++i) subset[static_cast<std::size_t>(i)] = i;
  do subsets_.push_back(subset);
  while (next_subset(subset, n_features));
  encoders_.assign(experts * expert_size, 0.0);
  bias_.assign(static_cast<std::size_t>(n_features), 0.0);
}

std::span<double> SubsetMixture::part(std::vector<double>& weights, std::size_t e) const {
  const auto size = static_cast<std::size_t>(n_) * static_cast<std::size_t>(m_);
  return std::span(weights).subspan(e * size, size);
}
std::span<const double> SubsetMixture::encoder(std::size_t e) const {
  const auto size = static_cast<std::size_t>(n_) * static_cast<std::size_t>(m_);
  return std::span(encoders_).subspan(e * size, size);
}
std::span<const double> SubsetMixture::decoder(std::size_t e) const {
  const auto size = static_cast<std::size_t>(n_) * static_cast<std::size_t>(m_);
  return decoders_.empty() ? encoder(e) : std::span(decoders_).subspan(e * size, size);
}

SubsetMixture SubsetMixture::monosemantic(int n_features, int n_hidden, int active) {
  SubsetMixture mixture(n_features, n_hidden, active);
  const auto m = static_cast<std::size_t>(n_hidden);
  for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
    const auto A = mixture.part(mixture.encoders_, e);
    std::size_t unit = 0;
    for (int f : mixture.subset(e)) A[static_cast<std::size_t>(f) * m + unit++] = 1;
  }
  return mixture;
}

SubsetMixture SubsetMixture::untied(std::span<const double> matrix, std::span<const double> bias, int n_hidden,
                                    int active) {
  const std::size_t n = bias.size(), m = static_cast<std::size_t>(n_hidden);
  if (matrix.size() != n * n) throw InputError("SubsetMixture::untied: matrix must be [n][n], bias [n]");
  SubsetMixture mixture = monosemantic(static_cast<int>(n), n_hidden, active);
  mixture.decoders_.assign(mixture.encoders_.size(), 0.0);
  mixture.bias_.assign(bias.begin(), bias.end());
  for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
    const auto B = mixture.part(mixture.decoders_, e);
    for (std::size_t f = 0; f < n; ++f) {
      std::size_t unit = 0;
      for (int column : mixture.subset(e)) B[f * m + unit++] = matrix[f * n + static_cast<std::size_t>(column)];
    }
  }
  return mixture;
}

SubsetMixture SubsetMixture::tied(const ModelView& dense, int n_hidden, int active) {
  if (dense.shape.n_experts != 1) {
    throw InputError(fmt::format("a dense model has n_experts = 1, not {}", dense.shape.n_experts));
  }
  if (!dense.shape.is_papers_model()) {
    throw InputError("a tied mixture is made of a dense model with tied weights, linear hidden units, biases and a ReLU; "
                     "SubsetMixture::untied takes any matrix");
  }
  SubsetMixture mixture(dense.shape.n_features, n_hidden, active);
  const auto n = static_cast<std::size_t>(dense.shape.n_features), d = static_cast<std::size_t>(dense.shape.n_hidden);
  const auto m = static_cast<std::size_t>(n_hidden), a = static_cast<std::size_t>(active);
  const std::span<const float> W = dense.expert(0), b = dense.bias(0);
  mixture.bias_.assign(b.begin(), b.end());
  for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
    const std::vector<double> basis = basis_of(W, d, mixture.subset(e));
    const auto A = mixture.part(mixture.encoders_, e);
    for (std::size_t f = 0; f < n; ++f) {
      for (std::size_t unit = 0; unit < a; ++unit) {
        for (std::size_t i = 0; i < d; ++i) A[f * m + unit] += static_cast<double>(W[f * d + i]) * basis[unit * d + i];
      }
    }
  }
  return mixture;
}

std::size_t SubsetMixture::route(std::span<const float> input) const {
  if (input.size() != static_cast<std::size_t>(n_)) throw InputError("an input must be [n_features]");
  std::vector<bool> held(input.size());
  int count = 0;
  for (std::size_t f = 0; f < input.size(); ++f) {
    held[f] = input[f] != 0;
    count += held[f];
  }
  if (count > a_) {
    throw InputError(
        fmt::format("an input has {} active features, but this mixture has experts for at most active = "
                    "{} of n_features = {}",
                    count, a_, n_));
  }
  // The first subset that holds the support: filled up with the lowest features that are not in it.
  for (std::size_t f = 0; count < a_; ++f) {
    if (!held[f]) ++count;
    held[f] = true;
  }
  std::vector<int> subset;
  for (std::size_t f = 0; f < held.size(); ++f) {
    if (held[f]) subset.push_back(static_cast<int>(f));
  }
  return static_cast<std::size_t>(std::ranges::lower_bound(subsets_, subset) - subsets_.begin());
}

std::vector<double> SubsetMixture::reconstruct(std::span<const float> input) const {
  const std::size_t e = route(input);
  const std::size_t n = input.size(), m = static_cast<std::size_t>(m_);
  const auto A = encoder(e), B = decoder(e);
  std::vector<double> hidden(m, 0.0), output(bias_);
  for (std::size_t f = 0; f < n; ++f) {
    for (std::size_t h = 0; h < m; ++h) hidden[h] += A[f * m + h] * static_cast<double>(input[f]);
  }
  for (std::size_t f = 0; f < n; ++f) {
    for (std::size_t h = 0; h < m; ++h) output[f] += B[f * m + h] * hidden[h];
    if (output[f] < 0) output[f] = 0;
  }
  return output;
}

ConstructedModel monosemantic_model(int n_features, int n_hidden, int active) {
  const SubsetMixture mixture = SubsetMixture::monosemantic(n_features, n_hidden, active);
  ConstructedModel model;
  model.shape = {n_features, n_hidden, static_cast<int>(mixture.n_experts()), 1};
  model.parameters.assign(static_cast<std::size_t>(model.shape.parameter_count()), 0.0f);
  const auto n = static_cast<std::size_t>(n_features);
  for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
    const auto weights = mixture.encoder(e);
    std::ranges::transform(weights, model.parameters.begin() + static_cast<std::ptrdiff_t>(e * weights.size()),
                           [](double weight) { return static_cast<float>(weight); });
    float* router = model.parameters.data() + static_cast<std::size_t>(model.shape.router_offset()) + e * n;
    for (int f : mixture.subset(e)) router[f] = 1;
  }
  return model;
}

}  // namespace phasegrid
