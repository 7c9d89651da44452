#include "sweep_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

// All values of a number that may be an axis.
std::vector<double> values_of(const Sweep& sweep, AxisName name, double otherwise) {
  const Axis* axis = find_axis(sweep, name);
  return axis == nullptr ? std::vector<double>{otherwise} : axis->values;
}

void check_model(const Sweep& sweep) {
  if (sweep.shape.tied && sweep.init.decoder != DecoderInit::independent) {
    throw InputError("init.decoder is of models with model.tied = false; tied weights have no decoder of their own");
  }
  if (!sweep.shape.bias && sweep.init.bias == BiasInit::normal) {
    throw InputError("init.bias = { normal } needs biases; model.bias is false");
  }
}

void check_data(const Sweep& sweep) {
  const InputSettings& inputs = sweep.data.inputs;
  if (inputs.presence == PresenceLaw::anticorrelated) {
    for (double sparsity : values_of(sweep, AxisName::sparsity, sweep.data.sparsity.value_or(0))) {
      if ((1 - sparsity) * inputs.group_size <= 1 + 1e-9) continue;
      throw InputError(fmt::format("data.groups: one feature of {0} is present with probability {0} (1 - sparsity), which "
                                   "must be at most 1: sparsity must be from {1}, not {2}",
                                   inputs.group_size, 1 - 1.0 / inputs.group_size, sparsity));
    }
  }
  const Axis* active = find_axis(sweep, AxisName::active);
  if (active == nullptr) return;
  if (inputs.presence != PresenceLaw::independent && inputs.presence != PresenceLaw::active) {
    throw InputError("axes.active and data.groups exclude each other; one must be taken out");
  }
  if (const double most = std::ranges::max(active->values); most > sweep.shape.n_features) {
    throw InputError(
        fmt::format("axes.active must be at most model.n_features = {}, not {}", sweep.shape.n_features, most));
  }
}

void check_training(const Sweep& sweep) {
  const TrainSettings& train = sweep.train;
  const TrainSettings plain;
  const bool sgd = train.optimizer == Optimizer::sgd;
  const auto differs = [&](AxisName name, double value, double otherwise) {
    return std::ranges::any_of(values_of(sweep, name, value), [&](double one) { return one != otherwise; });
  };
  const auto refuse = [&](const char* name, const char* of) {
    throw InputError(fmt::format("train.{} is a number of {}; it would have no effect with the optimizer of this sweep",
                                 name, of));
  };
  if (!sgd && differs(AxisName::momentum, train.momentum, plain.momentum)) refuse("momentum", "optimizer \"sgd\"");
  if (sgd && differs(AxisName::beta1, train.beta1, plain.beta1)) refuse("beta1", "adamw and adam");
  if (sgd && differs(AxisName::beta2, train.beta2, plain.beta2)) refuse("beta2", "adamw and adam");
  if (sgd && differs(AxisName::epsilon, train.epsilon, plain.epsilon)) refuse("epsilon", "adamw and adam");
  if (train.schedule == Schedule::constant && differs(AxisName::floor, train.floor, plain.floor)) {
    throw InputError("train.floor is where a schedule ends; train.schedule is \"constant\"");
  }
}

}  // namespace

const Axis* find_axis(const Sweep& sweep, AxisName name) {
  const auto found = std::ranges::find(sweep.axes, name, &Axis::name);
  return found == sweep.axes.end() ? nullptr : &*found;
}

bool has_exact_count(const Sweep& sweep) {
  return sweep.data.inputs.presence == PresenceLaw::active || find_axis(sweep, AxisName::active) != nullptr;
}

bool gives_sparsity(const DataSettings& data) {
  return data.sparsity || data.sparsity_power || !data.feature_sparsity.empty();
}

void check_combinations(const Sweep& sweep) {
  check_model(sweep);
  check_data(sweep);
  check_training(sweep);
}

}  // namespace phasegrid
