#include "points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cases.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid::fused_moe {
namespace {

struct Range {
  double least, most;
  bool whole;
  const char* allowed;
};
constexpr std::array<Range, kAxes> kRanges = {{
    {1, 1 << 24, true, "whole numbers from 1 to 16777216"},
    {1, 256, true, "whole numbers from 1 to 256"},
    {1, 64, true, "whole numbers from 1 to 64"},
    {1, 64, true, "whole numbers from 1 to 64"},
    {1, 64, true, "whole numbers from 1 to 64"},
    {1e-3, 1, false, "numbers from 0.001 to 1"},
    {0, 0.99, false, "numbers from 0 to 0.99"},
    {1, 1 << 20, true, "whole numbers from 1 to 1048576"},
}};

std::string_view name_of(AxisName name) { return kAxisNames[static_cast<std::size_t>(name)]; }

void add(std::vector<Point>& points, const Point& point) {
  if (point[AxisName::k] > point[AxisName::E]) return;
  if (std::ranges::find(points, point) == points.end()) points.push_back(point);
}

}  // namespace

void check(const Axis& axis) {
  const Range& range = kRanges[static_cast<std::size_t>(axis.name)];
  for (double value : axis.values) {
    if (!(value >= range.least && value <= range.most) || (range.whole && value != std::floor(value))) {
      throw InputError(fmt::format("axis {} takes {}, not {}", name_of(axis.name), range.allowed, value));
    }
  }
}

Axis parse_axis(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto found = std::ranges::find(kAxisNames, name);
  if (found == kAxisNames.end() || equals == std::string_view::npos) {
    throw InputError(fmt::format("an axis is NAME=VALUE,VALUE,... with NAME one of {}, not '{}'",
                                 fmt::join(kAxisNames, ", "), text));
  }
  Axis axis{static_cast<AxisName>(found - kAxisNames.begin()), {}};
  for (std::string_view rest = text.substr(equals + 1);;) {
    const std::string_view number = rest.substr(0, rest.find(','));
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size()) {
      throw InputError(fmt::format("axis {} takes {}, not '{}'", name,
                                   kRanges[static_cast<std::size_t>(axis.name)].allowed, number));
    }
    axis.values.push_back(value);
    if (number.size() == rest.size()) break;
    rest.remove_prefix(number.size() + 1);
  }
  check(axis);
  return axis;
}

std::vector<Point> product(const Point& base, const std::vector<Axis>& axes) {
  std::vector<Point> all = {base};  // k > E may still be mended by a later axis, so points are dropped at the end
  for (const Axis& axis : axes) {
    std::vector<Point> longer;
    for (const Point& point : all) {
      for (double value : axis.values) {
        longer.push_back(point);
        longer.back()[axis.name] = value;
      }
    }
    all = std::move(longer);
  }
  std::vector<Point> points;
  for (const Point& point : all) add(points, point);
  return points;
}

std::vector<Point> star(const Point& base, const std::vector<Axis>& axes) {
  std::vector<Point> points;
  for (const Axis& axis : axes) {
    for (const Point& point : product(base, {axis})) add(points, point);
  }
  return points;
}

std::vector<Point> paper(int tiny_models, int block_models) {
  std::vector<Point> points;
  auto add_case = [&](const bench::Case& c, int models) {
    const Shape& s = c.shape;
    add(points, {{1.0 * c.batch, 1.0 * s.n_features, 1.0 * s.n_hidden, 1.0 * s.n_experts, 1.0 * s.top_k, c.density, 0,
                  1.0 * models}});
  };
  for (const bench::Case& c : bench::kTinyCases) add_case(c, tiny_models);
  for (const bench::Case& c : bench::kBlockCases) add_case(c, block_models);
  return points;
}

std::string to_string(const Point& point) {
  std::string text;
  for (std::size_t i = 0; i < kAxisNames.size(); ++i) {
    text += fmt::format("{}{}={}", i == 0 ? "" : " ", kAxisNames[i], point.values[i]);
  }
  return text;
}

}  // namespace phasegrid::fused_moe
