// A model's shape as compile-time numbers, so that weights live in registers and every loop unrolls.
#pragma once

#include "common/activation.hpp"
#include "machine/machine.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// kTop1: one expert a sample (k = 1, or a dense model). Otherwise k is read at run time.
template <int kFeatures, int kHidden, int kExperts, bool kTop1Only>
struct StaticShape {
  static constexpr int n = kFeatures;
  static constexpr int m = kHidden;
  static constexpr int E = kExperts;
  static constexpr bool kTop1 = kTop1Only;
  using Output = PlainOutput;

  static constexpr Shape kShape{n, m, E, 1};
  static constexpr int kParameters = kShape.parameter_count();
  static constexpr int kBias = kShape.bias_offset();
  static constexpr int kRouter = kShape.router_offset();
  static constexpr int kPairs = E * (E - 1) / 2;  // pairs of experts i < j

  // Position of a parameter.
  PG_INLINE static constexpr int weight(int e, int f, int j) { return (e * n + f) * m + j; }
  PG_INLINE static constexpr int bias(int e, int f) { return kBias + e * n + f; }
  PG_INLINE static constexpr int router(int e, int f) { return kRouter + e * n + f; }
  PG_INLINE static constexpr int pair(int i, int j) { return i * E - i * (i + 1) / 2 + j - i - 1; }
};

// What a batch is summed to; gradient.hpp turns these sums into the gradient.
//   outer  [E][n][n]  sum of g_f x_f', where g_f is the gradient with respect to an expert's output before its ReLU
//   output [E][n]     sum of g_f
// and for the router, when k = 1,
//   mixing [pairs][n] sum of P_i P_j x_f: what the load balance needs
//   count  [E - 1]    samples routed to experts 1 ..
// or, when k > 1,
//   score  [E][n]     sum of (dL/ds_e) x_f
template <class S>
struct SumLayout {
  static constexpr int kOuter = 0;
  static constexpr int kOutput = S::E * S::n * S::n;
  static constexpr int kMixing = kOutput + S::E * S::n;
  static constexpr int kCount = kMixing + S::kPairs * S::n;
  static constexpr int kScore = kMixing;
  static constexpr int kSize = S::kTop1 ? kCount + S::E - 1 : kScore + S::E * S::n;

  PG_INLINE static constexpr int outer(int e, int f, int g) { return kOuter + (e * S::n + f) * S::n + g; }
  PG_INLINE static constexpr int output(int e, int f) { return kOutput + e * S::n + f; }
  PG_INLINE static constexpr int mixing(int pair, int f) { return kMixing + pair * S::n + f; }
  PG_INLINE static constexpr int count(int e) { return kCount + e - 1; }  // 1 <= e < E
  PG_INLINE static constexpr int score(int e, int f) { return kScore + e * S::n + f; }
};

}  // namespace phasegrid::PHASEGRID_MACHINE
