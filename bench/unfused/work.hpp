// What a point costs, and the model it trains. Pure host code.
#pragma once

#include <vector>

#include "train/plan.hpp"
#include "points.hpp"

namespace phasegrid::fused_moe {

enum class Mode { forward, step };
constexpr std::string_view to_string(Mode mode) { return mode == Mode::forward ? "forward" : "step"; }

// Fused multiply-adds that one sample needs when only inactive experts are skipped. Forward: scores, h = W^T x, W h.
// A step adds dL/dh and the two outer products, and for k > 1 the gates' slopes and the router's gradient.
double multiply_adds(const Shape& shape, Mode mode);

// The same model for every contestant: parameters in Shape's order, cell and features as phasegrid's step takes them.
// The learning rate is 0, so that a step costs what it costs and the routing stays as skewed as it was asked for.
struct Problem {
  Shape shape;
  int models;
  Cell cell;
  CellSettings settings;
  std::vector<FeatureSettings> features;  // [n]
  std::vector<float> parameters;          // [parameter_count], all models alike; their batches differ
  std::vector<double> shares;             // [E] of 4,096 samples whose highest score is expert e's
};
Problem problem_of(const Point& point);

}  // namespace phasegrid::fused_moe
