// What one toy model is, and the parts of its parameters: the one place that says where each of them lies. For host and
// kernels alike.
#pragma once

namespace phasegrid {

// What becomes of a number between two layers.
enum class Activation { relu };

// The kinds of parameters, in the order in which they are stored.
enum class PartKind { weights, biases, router };
constexpr PartKind kPartKinds[] = {PartKind::weights, PartKind::biases, PartKind::router};

// A part of a model's parameters: an array, row-major.
struct Part {
  PartKind kind = PartKind::weights;
  const char* name = "";  // in results
  int rank = 0;
  int extents[3] = {1, 1, 1};  // the first `rank` of them: experts, features, hidden units
  int offset = 0;              // among all parameters
  // Xavier's: the variance of a starting value is 2 / (fan_in + fan_out) / field.
  int fan_in = 0, fan_out = 0, field = 1;
  bool decays = true;  // where only weights decay

  constexpr int size() const { return extents[0] * extents[1] * extents[2]; }
  constexpr int end() const { return offset + size(); }
};

// The parts that a model has.
struct Parts {
  Part list[3];
  int count = 0;
  constexpr const Part* begin() const { return list; }
  constexpr const Part* end() const { return list + count; }
};

// A mixture of experts over n_features inputs: every expert is an autoencoder with n_hidden linear units and tied
// weights, a bias and a ReLU at its outputs, and the router sends a sample to the top_k experts of highest score.
// n_experts = 1 is the dense model. Source: paper section 3.1.
struct Architecture {
  int n_features = 2;  // n
  int n_hidden = 1;    // m
  int n_experts = 1;   // E
  int top_k = 1;       // k <= E

  // The same for every model so far.
  static constexpr Activation output = Activation::relu;

  // Numbers of a kind of parameters: experts W [E][n][m], biases b [E][n], router G [E][n].
  constexpr int count(PartKind kind) const {
    return kind == PartKind::weights ? n_experts * n_features * n_hidden : n_experts * n_features;
  }
  constexpr int offset(PartKind kind) const {
    int offset = 0;
    for (int before = 0; before < static_cast<int>(kind); ++before) offset += count(static_cast<PartKind>(before));
    return offset;
  }
  constexpr int parameter_count() const { return offset(PartKind::router) + count(PartKind::router); }

  constexpr Part part(PartKind kind) const {
    const bool weights = kind == PartKind::weights;
    Part part;
    part.kind = kind;
    part.name = weights ? "expert_weights" : kind == PartKind::biases ? "biases" : "router_weights";
    part.rank = weights ? 3 : 2;
    part.extents[0] = n_experts;
    part.extents[1] = n_features;
    if (weights) part.extents[2] = part.field = n_hidden;
    part.offset = offset(kind);
    part.fan_in = n_features;
    part.fan_out = n_experts;
    part.decays = weights;
    return part;
  }
  constexpr Parts parts() const {
    Parts parts;
    for (PartKind kind : kPartKinds) parts.list[parts.count++] = part(kind);
    return parts;
  }

  // What parameter p is.
  constexpr PartKind kind_of(int p) const {
    return p < offset(PartKind::biases)   ? PartKind::weights
           : p < offset(PartKind::router) ? PartKind::biases
                                          : PartKind::router;
  }

  constexpr int weight_count() const { return count(PartKind::weights); }
  constexpr int bias_count() const { return count(PartKind::biases); }
  constexpr int router_count() const { return count(PartKind::router); }
  constexpr int bias_offset() const { return offset(PartKind::biases); }
  constexpr int router_offset() const { return offset(PartKind::router); }

  friend constexpr bool operator==(const Architecture& a, const Architecture& b) {
    return a.n_features == b.n_features && a.n_hidden == b.n_hidden && a.n_experts == b.n_experts && a.top_k == b.top_k;
  }
  friend constexpr bool operator!=(const Architecture& a, const Architecture& b) { return !(a == b); }
};

using Shape = Architecture;

}  // namespace phasegrid
