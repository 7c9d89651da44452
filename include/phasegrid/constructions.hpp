// What the paper's appendix asserts, built so that it can be checked: mixtures with one expert for every subset of
// features (A.2), and the shape of the regions that a router makes (A.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phasegrid/metrics.hpp"

namespace phasegrid {

// ---------------------------------------------------------------- A.2
// A mixture of experts for inputs with at most a of n features active (not 0): one expert for every subset S of exactly
// a features, and a router that takes an expert whose subset holds the support. Expert S is
//   y = ReLU(B^S A^S^T x + b),  A^S and B^S [n][m], a <= m <= n; hidden units from a on have only zeros.
// Inputs with fewer active features go to the first subset, in lexicographic order, that holds theirs. (A.2's router
// asks for support = S; with subsets of exactly a features, which A.2 allows, no expert would answer to those inputs.)
//
// A.2 says that for any dense f(x) = ReLU(M x + b) there is a monosemantic mixture equal to f wherever at most a
// features are active. How far that is true depends on what an expert may be:
//   monosemantic  Tied (A = B), b = 0, each of a units carries one feature: its W_i is a unit vector, others are 0, and
//                 D_i^S = 1. It gives ReLU(x) exactly, which is x for x >= 0: zero loss. So it equals the dense model
//                 M = identity, b = 0, and on x >= 0 exactly those dense models that make no error with up to a active
//                 features: also W = (1, -1), b = 0 for a = 1, where the ReLU clips all interference away.
//   untied        Any M and b. A is as above, so each hidden unit is one feature and nothing else; B holds the columns
//                 S of M. Exact: M x sums the same products. Monosemantic inside, but outputs interfere as M's do.
//   tied          M = W W^T, which is every dense model of this project. W^S = W Q, the columns of Q an orthonormal
//                 basis of the span of the rows W_i, i in S. That span holds W^T x, so W Q Q^T W^T x = W W^T x: exact,
//                 to rounding. But W^S_i . W^S_j = W_i . W_j for i in S and any j: the features of S have exactly the
//                 norm, interference and dimensionality that they have in the dense model.
// So A.2 holds for every dense model, but not with tied experts that are monosemantic: they cannot repeat an
// interference that shows in the outputs. Nor does every M have tied experts: W^S W^S^T is symmetric and has no
// negative eigenvalue.
class SubsetMixture {
 public:
  // All throw InputError unless 1 <= a <= m <= n and the experts have at most kLargest weights together.
  static constexpr std::size_t kLargest = std::size_t{1} << 26;
  static SubsetMixture monosemantic(int n_features, int n_hidden, int active);
  // matrix M [n][n], bias [n].
  static SubsetMixture untied(std::span<const double> matrix, std::span<const double> bias, int n_hidden, int active);
  // dense: a model with one expert, of any number of hidden units.
  static SubsetMixture tied(const ModelView& dense, int n_hidden, int active);

  int n_features() const { return n_; }
  int n_hidden() const { return m_; }
  int active() const { return a_; }
  std::size_t n_experts() const { return subsets_.size(); }  // n over a

  std::span<const int> subset(std::size_t e) const { return subsets_[e]; }  // [a], ascending
  std::span<const double> encoder(std::size_t e) const;                     // A [n][m]
  std::span<const double> decoder(std::size_t e) const;                     // B [n][m]; A itself where they are tied

  // The expert for an input [n], and its output. Both throw InputError, naming the limit, where more than a features of
  // the input are active.
  std::size_t route(std::span<const float> input) const;
  std::vector<double> reconstruct(std::span<const float> input) const;

 private:
  SubsetMixture(int n_features, int n_hidden, int active);
  std::span<double> part(std::vector<double>& weights, std::size_t e) const;

  int n_ = 0, m_ = 0, a_ = 0;
  std::vector<std::vector<int>> subsets_;  // in lexicographic order
  std::vector<double> encoders_;           // [experts][n][m]
  std::vector<double> decoders_;           // the same, empty where tied
  std::vector<double> bias_;               // [n]
};

// SubsetMixture::monosemantic as an ordinary model of this project, tied and with k = 1: on inputs without negative
// features a linear router does what the indicator of the support does. G^S is 1 on S and 0 elsewhere, so an expert's
// score is the sum of the x_i that it holds: that of all, if S holds the support, and less if it does not. Limited by
// rounding in float64: a feature below 2^-52 of the others' sum is not seen.
struct ConstructedModel {
  Shape shape;
  std::vector<float> parameters;

  ModelView view() const { return {shape, parameters}; }
};
ConstructedModel monosemantic_model(int n_features, int n_hidden, int active);

// ---------------------------------------------------------------- A.3
// Counts over random inputs (each feature 0 with probability 1/2, else uniform in [0,1)) of when a region that the
// router makes is not closed. Two kinds of region: inputs with the same set of k experts active, and inputs with expert
// e active, whatever the other k - 1.
//   The region of a set is bounded by (G_i - G_j) x >= 0, i in the set and j not: a convex cone for every k, so nothing
//   may be counted for it. The region of an expert is a union of such cones: closed under scaling for every k, under
//   addition for k = 1 (where it is the region of a set) and k = E (where it is everything), but else in general not.
// A violation counts when an active expert falls behind by more than 1e-12 of the scores' scale: rounding makes none.
struct ConeViolations {
  std::int64_t scaled = 0;           // inputs times a positive factor, from 2^-10 to 2^10
  std::int64_t scaling = 0;          // of these, whose set is another: 0
  std::int64_t set_pairs = 0;        // pairs of inputs with the same set
  std::int64_t set_addition = 0;     // of these, whose sum has another set: 0
  std::int64_t expert_pairs = 0;     // pairs of inputs and an expert active in both
  std::int64_t expert_addition = 0;  // of these, whose sum does not have it active: 0 for k = 1 and k = E
};
// `samples` inputs; each is scaled, and added to the last one before it with the same set and the last ones before it
// with each of its experts. Throws InputError where the router has weights that are not finite.
ConeViolations cone_violations(const ModelView& model, int samples, std::uint64_t seed);

// The counter-example, k = 2, with routers G = (1, 0), (0.25, 0.25), (0, 1): the second expert is active for (1, 0),
// with the first, and for (0, 1), with the third; the sum (1, 1) goes to the first and the third.
ConstructedModel addition_counter_example();

}  // namespace phasegrid
