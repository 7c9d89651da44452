#include "number_rule.hpp"

#include <fmt/format.h>

#include <cmath>

namespace phasegrid {

bool obeys(const NumberRule& rule, double value) {
  return (rule.above_lowest ? value > rule.lowest : value >= rule.lowest) &&
         (rule.below_highest ? value < rule.highest : value <= rule.highest) &&
         (!rule.whole || value == std::floor(value));
}

std::string allowed(const NumberRule& rule) {
  const auto shown = [](double limit) {
    if (limit == 0x1p63) return std::string("9223372036854775807");  // 2^63 - 1, which a double cannot hold
    return limit == std::floor(limit) ? fmt::format("{:.0f}", limit) : fmt::format("{}", limit);
  };
  return fmt::format("{} from {}{} to {}{}", rule.whole ? "a whole number" : "a number",
                     rule.above_lowest ? "above " : "", shown(rule.lowest), rule.below_highest ? "below " : "",
                     shown(rule.highest));
}

}  // namespace phasegrid
