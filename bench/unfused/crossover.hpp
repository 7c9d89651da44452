// Where along an axis fusing stops paying. Pure host code.
#pragma once

#include <string>
#include <vector>

#include "points.hpp"

namespace phasegrid::fused_moe {

// The fused kernel's throughput over the unfused pipeline's at a point.
struct Ratio {
  Point point;
  double ratio;
};

// Points that differ in one axis alone, by its rising value; at least two.
struct Line {
  AxisName axis;
  Point base;  // the first of them
  std::vector<double> values;
  std::vector<double> ratios;
};

// Every line that the points hold: for each axis, one for each setting of the others.
std::vector<Line> lines_of(const std::vector<Ratio>& ratios);

// Where the ratio passes 1 between two neighbours: straight lines between points, on logarithmic scales (the value's
// too where both neighbours are above 0).
std::vector<double> crossovers(const Line& line);

// "fused faster at all values, 2.10 to 5.00 times", "fused faster up to 13.2", ...
std::string verdict(const Line& line);

}  // namespace phasegrid::fused_moe
