// What the fused MoE benchmark measures: points of a space of eight axes, as a product of lists, as a star (a base
// point with one axis at a time varied), or the paper's own. Pure host code.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "phasegrid/architecture.hpp"

namespace phasegrid::fused_moe {

enum class AxisName { tokens, n, m, E, k, density, skew, models };
constexpr int kAxes = 8;
constexpr std::array<std::string_view, kAxes> kAxisNames = {"tokens", "n", "m", "E", "k", "density", "skew", "models"};

struct Axis {
  AxisName name;
  std::vector<double> values;
};

// One model, or many of one shape, and the batch that each sees a step. tokens: samples a step and model; density:
// share of features that are not 0; skew: share of the tokens, beyond an even 1 / E, that the router sends to expert 0
// (0: even; 0.9: nearly all).
struct Point {
  std::array<double, kAxes> values;

  double operator[](AxisName name) const { return values[static_cast<std::size_t>(name)]; }
  double& operator[](AxisName name) { return values[static_cast<std::size_t>(name)]; }
  int whole(AxisName name) const { return static_cast<int>((*this)[name]); }
  Shape shape() const { return {whole(AxisName::n), whole(AxisName::m), whole(AxisName::E), whole(AxisName::k)}; }
  friend bool operator==(const Point&, const Point&) = default;
};

// "name=v,v,...". Throws InputError naming the axis and what it allows.
Axis parse_axis(std::string_view text);

// Throws InputError where a value is outside its axis' range.
void check(const Axis& axis);

// Points with k > E are left out, as no such model exists; every point stands once, in the order of first mention.
// Axes not named in `axes` stay at the base.
std::vector<Point> product(const Point& base, const std::vector<Axis>& axes);
std::vector<Point> star(const Point& base, const std::vector<Axis>& axes);
// The shapes that all benchmarks share (cases.hpp), so many models of each at once.
std::vector<Point> paper(int tiny_models, int block_models);

// "tokens=1024 n=100 ..."
std::string to_string(const Point& point);

}  // namespace phasegrid::fused_moe
