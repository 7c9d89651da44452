// The tiny mapping: which shapes it is compiled for, and how a run-time shape finds its functions.
#pragma once

#include <type_traits>

#include "common/job.hpp"
#include "phasegrid/architecture.hpp"
#include "phasegrid/status.hpp"

namespace phasegrid {

// The one gate: what the tiny mapping is compiled for. All features must be present alike, too.
constexpr bool serves_tiny(const Shape& shape, bool features_alike = true) {
  return features_alike && shape.is_papers_model() && shape.n_features <= kMaxTinyFeatures &&
         shape.n_hidden <= kMaxTinyHidden && shape.n_experts <= kMaxTinyExperts;
}

// visit(std::integral_constant<int, number>) for a number of 1 .. kMost; whether it is one.
template <int kMost, class Visit>
bool visit_number(int number, Visit&& visit) {
  if constexpr (kMost > 0) {
    if (number != kMost) return visit_number<kMost - 1>(number, visit);
    visit(std::integral_constant<int, kMost>{});
    return true;
  } else {
    return false;
  }
}

// visit.template operator()<n, m, E, top1>() for a run-time shape with n features that serves_tiny(); whether it does.
template <int n, class Visit>
bool visit_shape(const Shape& shape, Visit& visit) {
  return visit_number<kMaxTinyHidden>(shape.n_hidden, [&](auto hidden) {
    constexpr int m = decltype(hidden)::value;
    visit_number<kMaxTinyExperts>(shape.n_experts, [&](auto experts) {
      constexpr int E = decltype(experts)::value;
      if (shape.top_k == 1) return visit.template operator()<n, m, E, true>();
      if constexpr (E > 1) visit.template operator()<n, m, E, false>();
    });
  });
}

}  // namespace phasegrid
