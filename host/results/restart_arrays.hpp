// What results hold of every restart's model, beside its losses: the one list that files and the C interface read.
#pragma once

#include <string_view>
#include <vector>

#include "phasegrid/results.hpp"

namespace phasegrid {

struct RestartArray {
  std::string_view prefix;  // of its keys, before the name of a part: "all_" in all_expert_weights
  std::vector<float> Results::*numbers;  // [cell][restart][P]
};

inline std::vector<RestartArray> restart_arrays(Keep keep) {
  std::vector<RestartArray> arrays;
  if (keeps_all(keep)) arrays.push_back({"all_", &Results::all_parameters});
  if (!keeps_moments(keep)) return arrays;
  arrays.push_back({"first_moment_", &Results::first_moments});
  arrays.push_back({"second_moment_", &Results::second_moments});
  return arrays;
}

}  // namespace phasegrid
