// The block mapping's model: one block of a GPU, or one CPU thread, trains it; a tile of the batch at a time.
#pragma once

#include "dense.hpp"
#include "mixture_gradient.hpp"
#include "mixture_loss.hpp"
#include "common/train.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

class BlockModel {
 public:
  // `features` [n]: the cell's.
  PG_INLINE BlockModel(const Shape& shape, const CellSettings& cell, const FeatureSettings* features, BlockTeam team,
                       const BlockStorage& storage)
      : shape_(shape), cell_(cell), features_(features), team_(team), s_(storage) {}

  PG_INLINE void initialise(Key key) {
    set_up();
    for (int p = team_.thread(); p < shape_.parameter_count(); p += team_.threads()) {
      *parameter(p) = initial_parameter(shape_, cell_, key, p);
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
    return with_output(shape_.output, [&](auto output) PG_INLINE_LAMBDA {
      using Output = decltype(output);
      if (s_.l.E > 1) return mixture_loss<Output>(s_, cell_, batch, scale, team_);
      const float loss = dense_loss<Output>(s_, batch, scale, team_);
      return Losses{loss, loss};
    });
  }

  PG_INLINE void gradient(const Batch& batch) {
    with_output(shape_.output, [&](auto output) PG_INLINE_LAMBDA {
      using Output = decltype(output);
      if (s_.l.E == 1) {
        dense_gradient<Output>(s_, cell_, batch, team_);
      } else {
        mixture_gradient<Output>(s_, cell_, batch, team_);
      }
    });
  }

  PG_INLINE bool update(const OptimiserStep& step) {
    const bool large = update_parameters(step, team_.thread(), team_.threads(), s_.l.parameter_floats,
                                         s_.gradient_row(0, 0), s_.parameter_row(0, 0), s_.states);
    return team_.any(large);  // a barrier too: every thread reads all parameters next
  }

  PG_INLINE void write_parameters(float* to) const {
    for (int p = team_.thread(); p < shape_.parameter_count(); p += team_.threads()) to[p] = *parameter(p);
  }

  PG_INLINE bool any(bool a) const { return team_.any(a); }
  PG_INLINE bool is_writer() const { return team_.thread() == 0; }

 private:
  PG_INLINE float* at(float* rows, int p) const {
    const int n = shape_.n_features, m = shape_.n_hidden;
    int e, f, row;
    if (p < shape_.bias_offset()) {
      e = p / (n * m), f = p / m % n, row = s_.l.encoder_row(p % m);
    } else {
      const int q = p - shape_.bias_offset();
      e = q / n % shape_.n_experts, f = q % n, row = q < shape_.bias_count() ? s_.l.bias_row() : s_.l.router_row();
    }
    return rows + (e * s_.l.expert_rows + row) * s_.l.n_padded + f;
  }

  const Shape& shape_;
  const CellSettings& cell_;
  const FeatureSettings* features_;
  BlockTeam team_;
  const BlockStorage& s_;
};

}  // namespace phasegrid::PHASEGRID_MACHINE
