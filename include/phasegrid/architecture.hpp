// What one toy model is, and the parts of its parameters: the one place that says where each of them lies. For host and
// kernels alike.
#pragma once

namespace phasegrid {

// What becomes of a number between two layers.
enum class Activation { linear, relu };

// The kinds of parameters, in the order in which they are stored.
enum class PartKind { weights, decoder, biases, router };
constexpr PartKind kPartKinds[] = {PartKind::weights, PartKind::decoder, PartKind::biases, PartKind::router};
constexpr int kMostParts = 4;

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
  Part list[kMostParts];
  int count = 0;
  constexpr const Part* begin() const { return list; }
  constexpr const Part* end() const { return list + count; }
};

// A mixture of experts over n_features inputs: every expert is an autoencoder with n_hidden units,
//   h = hidden(W^T x),  x' = output(D h + b),  with D = W where weights are tied,
// and the router sends a sample to the top_k experts of highest score. n_experts = 1 is the dense model. The defaults are
// the paper's model (section 3.1); the others are those of the field's toy models.
struct Architecture {
  int n_features = 2;  // n
  int n_hidden = 1;    // m
  int n_experts = 1;   // E
  int top_k = 1;       // k <= E
  bool tied = true;    // false: a decoder D of its own for every expert
  Activation hidden = Activation::linear;
  Activation output = Activation::relu;  // of each expert, before the gates combine them
  bool bias = true;                      // false: no b at all

  // Numbers of a kind of parameters: experts W and decoders D [E][n][m], biases b [E][n], router G [E][n].
  constexpr int count(PartKind kind) const {
    switch (kind) {
      case PartKind::weights:
        return n_experts * n_features * n_hidden;
      case PartKind::decoder:
        return tied ? 0 : n_experts * n_features * n_hidden;
      case PartKind::biases:
        return bias ? n_experts * n_features : 0;
      case PartKind::router:
        break;
    }
    return n_experts * n_features;
  }
  constexpr int offset(PartKind kind) const {
    int offset = 0;
    for (int before = 0; before < static_cast<int>(kind); ++before) offset += count(static_cast<PartKind>(before));
    return offset;
  }
  constexpr int parameter_count() const { return offset(PartKind::router) + count(PartKind::router); }

  constexpr Part part(PartKind kind) const {
    const bool weights = kind == PartKind::weights || kind == PartKind::decoder;
    Part part;
    part.kind = kind;
    part.name = kind == PartKind::weights   ? "expert_weights"
                : kind == PartKind::decoder ? "decoder_weights"
                : kind == PartKind::biases  ? "biases"
                                            : "router_weights";
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
  // Those that this architecture has.
  constexpr Parts parts() const {
    Parts parts;
    for (PartKind kind : kPartKinds) {
      if (count(kind) > 0) parts.list[parts.count++] = part(kind);
    }
    return parts;
  }

  // Tied weights, linear hidden units, ReLU outputs and biases.
  constexpr bool is_papers_model() const {
    return tied && bias && hidden == Activation::linear && output == Activation::relu;
  }

  constexpr int weight_count() const { return count(PartKind::weights); }
  constexpr int bias_count() const { return count(PartKind::biases); }
  constexpr int router_count() const { return count(PartKind::router); }
  constexpr int bias_offset() const { return offset(PartKind::biases); }
  constexpr int router_offset() const { return offset(PartKind::router); }

  friend constexpr bool operator==(const Architecture& a, const Architecture& b) {
    return a.n_features == b.n_features && a.n_hidden == b.n_hidden && a.n_experts == b.n_experts &&
           a.top_k == b.top_k && a.tied == b.tied && a.hidden == b.hidden && a.output == b.output && a.bias == b.bias;
  }
  friend constexpr bool operator!=(const Architecture& a, const Architecture& b) { return !(a == b); }
};

using Shape = Architecture;

}  // namespace phasegrid
