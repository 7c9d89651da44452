// The architecture of one toy model, and where each of its parameters lies.
#pragma once

namespace phasegrid {

// A mixture of experts over n_features inputs: every expert is an autoencoder with n_hidden units and tied weights,
// and the router sends a sample to the top_k experts of highest score. n_experts = 1 is the dense model.
// Source: paper section 3.1.
struct Shape {
  int n_features = 2;  // n
  int n_hidden = 1;    // m
  int n_experts = 1;   // E
  int top_k = 1;       // k <= E

  // Parameters of one model, stored in this order (row-major):
  //   experts W [E][n][m], biases b [E][n], router G [E][n].
  constexpr int weight_count() const { return n_experts * n_features * n_hidden; }
  constexpr int bias_count() const { return n_experts * n_features; }
  constexpr int router_count() const { return n_experts * n_features; }
  constexpr int parameter_count() const { return weight_count() + bias_count() + router_count(); }
  constexpr int bias_offset() const { return weight_count(); }
  constexpr int router_offset() const { return weight_count() + bias_count(); }

  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    return a.n_features == b.n_features && a.n_hidden == b.n_hidden && a.n_experts == b.n_experts && a.top_k == b.top_k;
  }
  friend constexpr bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }
};

}  // namespace phasegrid
