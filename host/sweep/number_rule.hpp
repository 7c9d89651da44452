// What a number may be, as a rule that checks it and says itself.
#pragma once

#include <string>

namespace phasegrid {

struct NumberRule {
  double lowest = 0, highest = 1e9;
  bool whole = false;
  bool above_lowest = false, below_highest = false;  // the lowest or highest value itself is not allowed
};

bool obeys(const NumberRule& rule, double value);
// "a whole number from 1 to 1000000".
std::string allowed(const NumberRule& rule);

// Sparsities: also those of single features, and of functions that take some.
constexpr NumberRule kSparsityRule = {.lowest = 0, .highest = 1, .below_highest = true};

}  // namespace phasegrid
