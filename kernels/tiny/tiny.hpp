// The tiny mapping: which functions a machine offers for a shape, and how a run-time shape finds them.
#pragma once

#include <type_traits>

#include "common/job.hpp"
#include "phasegrid/architecture.hpp"
#include "phasegrid/status.hpp"

namespace phasegrid {

// The functions of one shape on one CPU instruction set.
struct TinyCpuKernels {
  // Trains model `index` of the job, writes its loss and parameters and returns its status: kNotTrained when it was
  // stopped before the end.
  int32_t (*train)(const Job& job, int index) = nullptr;

  // For tests and tools: the inputs [samples][n] of a training batch; its losses; the gradient [parameter_count].
  void (*draw_batch)(const CellSettings& cell, int restart, int step, float* inputs) = nullptr;
  Losses (*loss)(const CellSettings& cell, int top_k, int restart, int step, const float* parameters) = nullptr;
  void (*gradient)(const CellSettings& cell, int top_k, int restart, int step, const float* parameters,
                   float* gradient) = nullptr;
  void (*initial)(const CellSettings& cell, int restart, float* parameters) = nullptr;
};

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
