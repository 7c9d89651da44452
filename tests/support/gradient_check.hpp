// Gradients of the block mapping against central differences of the definition in float64.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "block_problem.hpp"
#include "reference_model.hpp"

namespace phasegrid::testing {

// Holds a random part of the gradient to central differences; returns how many parameters were checked. Where a step
// of the difference crosses a kink (an expert or a ReLU changes), there is no derivative to compare.
inline int check_gradient(BlockTrial& trial, std::mt19937& random, int most, const std::string& what) {
  const std::vector<float> inputs = trial.inputs(InstructionSet::baseline);
  const std::vector<double> at(trial.parameters.begin(), trial.parameters.end());
  std::vector<std::vector<float>> gradients;
  for (InstructionSet set : machines()) gradients.push_back(trial.gradient(set));
  struct Difference {
    std::size_t parameter;
    double slope;
  };
  std::vector<Difference> differences;
  double largest = 0;
  for (int i = 0; i < most; ++i) {
    const std::size_t p =
        at.size() <= static_cast<std::size_t>(most) ? static_cast<std::size_t>(i) : random() % at.size();
    if (p >= at.size()) break;
    constexpr double kStep = 1e-5;
    std::vector<double> above = at, below = at;
    above[p] += kStep;
    below[p] -= kStep;
    const ReferenceLoss up = reference_loss(trial.reference(), above, inputs);
    const ReferenceLoss down = reference_loss(trial.reference(), below, inputs);
    if (up.pattern != down.pattern) continue;
    differences.push_back({p, (up.loss - down.loss) / (2 * kStep)});
    largest = std::max(largest, std::abs(differences.back().slope));
  }
  for (const Difference& d : differences) {
    for (const auto& gradient : gradients) {
      EXPECT_NEAR(gradient[d.parameter], d.slope, 1e-4 * std::max(std::abs(d.slope), 0.01 * largest) + 1e-9)
          << what << " parameter " << d.parameter;
    }
  }
  return static_cast<int>(differences.size());
}

}  // namespace phasegrid::testing
