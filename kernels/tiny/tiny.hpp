// The tiny mapping: which functions a machine offers for a shape, and how a run-time shape finds them.
#pragma once

#include "common/job.hpp"
#include "phasegrid/shape.hpp"

namespace phasegrid {

// The functions of one shape on one CPU instruction set.
struct TinyCpuKernels {
  // Trains model `index` of the job, writes its loss and parameters and returns its status: kStopped when it was
  // stopped before the end.
  int32_t (*train)(const Job& job, int index) = nullptr;

  // For tests and tools: the inputs [samples][n] of a training batch; its losses; the gradient [parameter_count].
  void (*draw_batch)(const CellSettings& cell, int restart, int step, float* inputs) = nullptr;
  Losses (*loss)(const CellSettings& cell, int top_k, int restart, int step, const float* parameters) = nullptr;
  void (*gradient)(const CellSettings& cell, int top_k, int restart, int step, const float* parameters,
                   float* gradient) = nullptr;
  void (*initial)(const CellSettings& cell, int restart, float* parameters) = nullptr;
};

// True where the tiny mapping is compiled for a shape.
constexpr bool is_tiny(const Shape& shape) {
  return shape.n_features <= kMaxTinyFeatures && shape.n_hidden <= kMaxTinyHidden &&
         shape.n_experts <= kMaxTinyExperts;
}

// Calls visit.template operator()<n, m, E, top1>() for a run-time shape with n features. One function a shape, so that
// adding a shape is one number in job.hpp.
template <int n, int m, class Visit>
void visit_experts(const Shape& shape, Visit& visit) {
  switch (shape.n_experts * 2 + (shape.top_k == 1 ? 1 : 0)) {
    case 3: return visit.template operator()<n, m, 1, true>();
    case 5: return visit.template operator()<n, m, 2, true>();
    case 4: return visit.template operator()<n, m, 2, false>();
    case 7: return visit.template operator()<n, m, 3, true>();
    case 6: return visit.template operator()<n, m, 3, false>();
    case 9: return visit.template operator()<n, m, 4, true>();
    case 8: return visit.template operator()<n, m, 4, false>();
  }
}
template <int n, class Visit>
void visit_shape(const Shape& shape, Visit& visit) {
  switch (shape.n_hidden) {
    case 1: return visit_experts<n, 1>(shape, visit);
    case 2: return visit_experts<n, 2>(shape, visit);
    case 3: return visit_experts<n, 3>(shape, visit);
  }
}

}  // namespace phasegrid
