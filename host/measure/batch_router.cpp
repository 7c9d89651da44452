#include "batch_router.hpp"

#include <algorithm>
#include <cmath>

namespace phasegrid {

BatchRouter::BatchRouter(const ModelView& model)
    : n_experts_(static_cast<std::size_t>(model.shape.n_experts)),
      router_(static_cast<std::size_t>(model.shape.router_count())),
      scores_(n_experts_),
      experts_(static_cast<std::size_t>(model.shape.top_k)),
      gates_(experts_.size()),
      present_(static_cast<std::size_t>(model.shape.n_features)) {
  for (std::size_t e = 0; e < n_experts_; ++e) {
    const auto weights = model.router(static_cast<int>(e));
    for (std::size_t f = 0; f < weights.size(); ++f) {
      router_[f * n_experts_ + e] = static_cast<double>(weights[f]);
      usable_ = usable_ && std::isfinite(weights[f]);
    }
  }
}

void BatchRouter::route(std::span<const float> input) { route_any(input); }
void BatchRouter::route(std::span<const double> input) { route_any(input); }

// Inputs are sparse, so what is not 0 is found first, without a branch, and only that is multiplied.
template <class Number>
void BatchRouter::route_any(std::span<const Number> input) {
  present_count_ = 0;
  for (std::size_t f = 0; f < input.size(); ++f) {
    present_[present_count_] = static_cast<int>(f);
    present_count_ += input[f] != 0;
  }
  std::ranges::fill(scores_, 0.0);
  for (int f : present()) {
    const double x = static_cast<double>(input[static_cast<std::size_t>(f)]);
    const double* weights = &router_[static_cast<std::size_t>(f) * n_experts_];
    for (std::size_t e = 0; e < n_experts_; ++e) scores_[e] += weights[e] * x;
  }
  choose();
}

void BatchRouter::choose() {
  if (experts_.size() == 1) {
    experts_[0] = static_cast<int>(std::ranges::max_element(scores_) - scores_.begin());
    gates_[0] = 1;
    return;
  }
  // Insertion into the k best so far; an equal score stays behind the lower expert.
  std::size_t filled = 0;
  for (std::size_t e = 0; e < n_experts_; ++e) {
    const auto score_of = [&](std::size_t rank) { return scores_[static_cast<std::size_t>(experts_[rank])]; };
    if (filled == experts_.size() && !(scores_[e] > score_of(filled - 1))) continue;
    std::size_t rank = filled < experts_.size() ? filled++ : filled - 1;
    for (; rank > 0 && scores_[e] > score_of(rank - 1); --rank) experts_[rank] = experts_[rank - 1];
    experts_[rank] = static_cast<int>(e);
  }
  const double top = scores_[static_cast<std::size_t>(experts_[0])];
  double sum = 0;
  for (std::size_t rank = 0; rank < experts_.size(); ++rank) {
    sum += gates_[rank] = std::exp(scores_[static_cast<std::size_t>(experts_[rank])] - top);
  }
  for (double& gate : gates_) gate /= sum;
}

}  // namespace phasegrid
