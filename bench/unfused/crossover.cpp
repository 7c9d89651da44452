#include "crossover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace phasegrid::fused_moe {

std::vector<Line> lines_of(const std::vector<Ratio>& ratios) {
  std::vector<Line> lines;
  for (int a = 0; a < kAxes; ++a) {
    const auto axis = static_cast<AxisName>(a);
    std::vector<bool> used(ratios.size(), false);
    for (std::size_t first = 0; first < ratios.size(); ++first) {
      std::vector<Ratio> members;
      for (std::size_t i = first; i < ratios.size(); ++i) {
        Point moved = ratios[i].point;
        moved[axis] = ratios[first].point[axis];
        if (used[i] || moved != ratios[first].point) continue;
        used[i] = true;
        members.push_back(ratios[i]);
      }
      if (members.size() < 2) continue;
      std::ranges::sort(members, {}, [&](const Ratio& r) { return r.point[axis]; });
      Line line{axis, members.front().point, {}, {}};
      for (const Ratio& member : members) {
        line.values.push_back(member.point[axis]);
        line.ratios.push_back(member.ratio);
      }
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::vector<double> crossovers(const Line& line) {
  std::vector<double> found;
  for (std::size_t i = 1; i < line.values.size(); ++i) {
    const double before = std::log(line.ratios[i - 1]), after = std::log(line.ratios[i]);
    if ((before >= 0) == (after >= 0)) continue;
    const double share = before / (before - after), from = line.values[i - 1], to = line.values[i];
    found.push_back(from > 0 ? from * std::pow(to / from, share) : from + (to - from) * share);
  }
  return found;
}

std::string verdict(const Line& line) {
  const auto [least, most] = std::ranges::minmax(line.ratios);
  const std::vector<double> at = crossovers(line);
  const std::string span = fmt::format("{:.2f} to {:.2f} times", least, most);
  if (at.empty()) return (line.ratios.front() >= 1 ? "fused faster" : "unfused faster") + (" at all values, " + span);
  const char* first = line.ratios.front() >= 1 ? "fused" : "unfused";
  if (at.size() == 1) return fmt::format("{} faster up to {:.4g}; fused is {}", first, at[0], span);
  return fmt::format("{} faster first, then changing at {:.4g}; fused is {}", first, fmt::join(at, ", "), span);
}

}  // namespace phasegrid::fused_moe
