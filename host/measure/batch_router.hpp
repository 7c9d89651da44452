// Routes many inputs through one model without an allocation for each. Paper 3.1.
#pragma once

#include <span>
#include <vector>

#include "phasegrid/metrics.hpp"

namespace phasegrid {

class BatchRouter {
 public:
  explicit BatchRouter(const ModelView& model);

  // Whether every router weight is finite: not so where no model was kept.
  bool usable() const { return usable_; }

  // Routes one input [n]; what is below speaks of it until the next call. Scores are sums of float64 in the order of
  // the features. The product of two float32 is exact there, so fused or not, every compiler gives the same bits.
  void route(std::span<const float> input);
  void route(std::span<const double> input);
  std::span<const double> scores() const { return scores_; }  // [E]
  std::span<const int> experts() const { return experts_; }   // [k], by falling score, ties to the lower expert
  std::span<const double> gates() const { return gates_; }    // [k], they sum to 1
  std::span<const int> present() const { return {present_.data(), present_count_}; }  // features that are not 0

 private:
  template <class Number>
  void route_any(std::span<const Number> input);
  void choose();

  std::size_t n_experts_;
  bool usable_ = true;
  std::vector<double> router_;  // [n][E], so that the scores of one feature lie together
  std::vector<double> scores_;
  std::vector<int> experts_;
  std::vector<double> gates_;
  std::vector<int> present_;  // [n], of which the first present_count_ count
  std::size_t present_count_ = 0;
};

}  // namespace phasegrid
