// The block mapping's model: one block of a GPU, or one CPU thread, trains it; a tile of the batch at a time.
#pragma once

#include "dense.hpp"
#include "mixture_gradient.hpp"
#include "mixture_loss.hpp"
#include "common/train.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// Which models a kernel is made for: the paper's own (kPlain), all others (kGeneral: inputs, hidden units, weights, biases
// or outputs are not the paper's), or both. A GPU's kernel is compiled for a part, so that the paper's is as small as can
// be; each gives the same bits.
struct PapersModels {
  static constexpr bool kPlain = true, kGeneral = false;
};
struct GeneralModels {
  static constexpr bool kPlain = false, kGeneral = true;
};
struct AllModels {
  static constexpr bool kPlain = true, kGeneral = true;
};

template <class Models>
class BasicBlockModel {
 public:
  // `features` [n]: the cell's.
  PG_INLINE BasicBlockModel(const Shape& shape, const CellSettings& cell, const FeatureSettings* features,
                            BlockTeam team, const BlockStorage& storage)
      : shape_(shape), cell_(cell), features_(features), team_(team), s_(storage) {}

  PG_INLINE void initialise(Key key, const float* initial) {
    set_up();
    for (int p = team_.thread(); p < shape_.parameter_count(); p += team_.threads()) {
      *parameter(p) = initial == nullptr ? initial_parameter(shape_, cell_, key, p) : initial[p];
    }
    team_.barrier();
  }

  // All parameters 0, and the features' settings in place.
  PG_INLINE void set_up() {
    team_.barrier();  // the model before is done with the arena
    for (int i = team_.thread(); i < s_.l.size; i += team_.threads()) s_.arena[i] = 0.0f;
    const int states = kOptimiserStates * s_.l.parameter_floats;
    for (int i = team_.thread(); i < states; i += team_.threads()) s_.states[i] = 0.0f;
    team_.barrier();  // features are part of the arena
    for (int f = team_.thread(); f < s_.l.n_padded; f += team_.threads()) {
      const bool real = f < s_.l.n;
      s_.present_limit()[f] = real ? features_[f].law.present_limit : -2147483647 - 1;
      s_.scale()[f] = real ? features_[f].law.scale : 0.0f;
      s_.offset()[f] = real ? features_[f].law.offset : 0.0f;
      s_.importance()[f] = real ? features_[f].importance : 0.0f;
    }
  }

  // Parameter p, counted as Shape says. W is kept by columns.
  PG_INLINE float* parameter(int p) const { return at(s_.parameter_row(0, 0), p); }
  // The optimiser's state i of it.
  PG_INLINE float* state(int i, int p) const { return at(s_.states + i * s_.l.parameter_floats, p); }
  PG_INLINE float* gradient_of(int p) const { return at(s_.gradient_row(0, 0), p); }

  // With parameters this large, products may leave the range of a float and comparisons of scores their meaning.
  static constexpr float kBroken = 1e15f;

  PG_INLINE Losses loss(const Batch& batch, float scale) {
    bool broken = false;
    for (int i = team_.thread(); i < s_.l.parameter_floats; i += team_.threads()) {
      const float a = s_.parameter_row(0, 0)[i];
      broken = broken || !(a < kBroken && a > -kBroken);
    }
    if (team_.any(broken)) return {bits_float(0x7fc00000u), bits_float(0x7fc00000u)};
    if constexpr (!Models::kGeneral) {
      return loss_with(PlainOutput{}, drawn(batch), scale);
    } else {
      if constexpr (Models::kPlain) {
        if (is_plain(shape_.output, cell_.error)) return loss_with(PlainOutput{}, batch, scale);
      }
      return loss_with(GeneralOutput(shape_.output, cell_.error), batch, scale);
    }
  }

  PG_INLINE void gradient(const Batch& batch) {
    if constexpr (!Models::kGeneral) {
      gradient_with(PlainOutput{}, drawn(batch));
    } else {
      if constexpr (Models::kPlain) {
        if (is_plain(shape_.output, cell_.error)) return gradient_with(PlainOutput{}, batch);
      }
      gradient_with(GeneralOutput(shape_.output, cell_.error), batch);
    }
  }

  PG_INLINE bool update(const OptimiserStep& step) {
    const bool large = update_parameters(step, team_.thread(), team_.threads(), s_.l.parameter_floats,
                                         s_.gradient_row(0, 0), s_.parameter_row(0, 0), s_.states,
                                         [&](int p) PG_INLINE_LAMBDA {
                                           const int row = p / s_.l.n_padded % s_.l.expert_rows;
                                           return Floats(row < s_.l.bias_row() ? 1.0f : 0.0f);
                                         });
    return team_.any(large);  // a barrier too: every thread reads all parameters next
  }

  PG_INLINE void write_parameters(float* to) const {
    for (int p = team_.thread(); p < shape_.parameter_count(); p += team_.threads()) to[p] = *parameter(p);
  }

  PG_INLINE void write_states(float* to) const {
    const int count = shape_.parameter_count();
    for (int p = team_.thread(); p < kOptimiserStates * count; p += team_.threads()) to[p] = *state(p / count, p % count);
  }
  PG_INLINE void load_states(const float* from) {
    const int count = shape_.parameter_count();
    for (int p = team_.thread(); p < kOptimiserStates * count; p += team_.threads()) *state(p / count, p % count) = from[p];
    team_.barrier();  // an update reads them by vectors
  }

  PG_INLINE bool any(bool a) const { return team_.any(a); }
  PG_INLINE bool is_writer() const { return team_.thread() == 0; }

 private:
  template <class Output>
  PG_INLINE Losses loss_with(Output output, const Batch& batch, float scale) {
    if (s_.l.E > 1) return mixture_loss(s_, kind().hidden, output, cell_, batch, scale, team_);
    const float loss = dense_loss(s_, kind().hidden, output, batch, scale, team_);
    return {loss, loss};
  }
  template <class Output>
  PG_INLINE void gradient_with(Output output, const Batch& batch) {
    if (s_.l.E == 1) {
      dense_gradient(s_, kind(), output, cell_, batch, team_);
    } else {
      mixture_gradient(s_, kind(), output, cell_, batch, team_);
    }
  }

  // As shape and batch are, with what the compiler may know of them.
  PG_INLINE Shape kind() const {
    Shape kind = shape_;
    if constexpr (!Models::kGeneral) kind.tied = kind.bias = true, kind.hidden = Activation::linear;
    return kind;
  }
  PG_INLINE static Batch drawn(Batch batch) {
    batch.cell = nullptr;
    return batch;
  }

  PG_INLINE float* at(float* rows, int p) const {
    const int n = shape_.n_features, m = shape_.n_hidden;
    const PartKind kind = part_kind(shape_, p);
    const int q = p - shape_.offset(kind);
    int e, f, row;
    if (kind == PartKind::weights || kind == PartKind::decoder) {
      e = q / (n * m), f = q / m % n;
      row = kind == PartKind::weights ? s_.l.encoder_row(q % m) : s_.l.decoder_row(q % m);
    } else {
      e = q / n, f = q % n, row = kind == PartKind::biases ? s_.l.bias_row() : s_.l.router_row();
    }
    return rows + (e * s_.l.expert_rows + row) * s_.l.n_padded + f;
  }

  const Shape& shape_;
  const CellSettings& cell_;
  const FeatureSettings* features_;
  BlockTeam team_;
  const BlockStorage& s_;
};
using BlockModel = BasicBlockModel<AllModels>;

}  // namespace phasegrid::PHASEGRID_MACHINE
