// Random members of the family of models and data, for tests of every machine.
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>

#include "block_problem.hpp"

namespace phasegrid::testing {

inline BlockTrial random_family_trial(std::mt19937& random, int most_features = 40) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto coin = [&] { return below(2) == 1; };
  Shape shape;
  shape.n_features = 1 + below(most_features);
  shape.n_hidden = 1 + below(9);
  shape.n_experts = coin() ? 1 : 2 + below(5);
  shape.top_k = 1 + below(shape.n_experts);
  shape.tied = coin();
  shape.bias = coin();
  shape.hidden = coin() ? Activation::relu : Activation::linear;
  shape.output = coin() ? Activation::relu : Activation::linear;
  const double load_balance = shape.n_experts > 1 && coin() ? 0.3 : 0.0;
  BlockTrial trial(shape, random, coin() ? Loss::mean : Loss::sum, load_balance, 20 + below(80));
  Cell& cell = trial.cell;
  InputSettings& inputs = cell.inputs;
  const int n = shape.n_features;
  inputs.target = static_cast<Target>(below(3));
  inputs.values = coin() ? ValueLaw::uniform : ValueLaw::normal;
  if (coin()) inputs.value_low = -1;
  inputs.presence = static_cast<PresenceLaw>(below(4));
  inputs.active = 1 + below(n);
  inputs.group_size = n % 3 == 0 ? 3 : n % 2 == 0 ? 2 : 1;
  if (inputs.presence != PresenceLaw::independent) {
    const double sparsity = inputs.presence == PresenceLaw::active ? 1 - static_cast<double>(inputs.active) / n : 0.7;
    cell.sparsity.assign(cell.sparsity.size(), sparsity);
  }
  inputs.samples = below(3) == 0 ? 1 + below(60) : 0;
  cell.train.loss_power = 2 + 2 * below(3);
  cell.train.load_balance_over = coin() ? BalanceOver::all : BalanceOver::nonzero;
  cell.train.optimizer = static_cast<Optimizer>(below(3));
  cell.train.momentum = 0.9;
  cell.train.weight_decay_on = coin() ? DecayOn::all : DecayOn::weights;
  cell.train.schedule = static_cast<Schedule>(below(4));
  cell.train.warmup = below(4);
  cell.train.floor = 0.1 * below(3);
  for (float& p : trial.parameters) p *= 0.5f;  // so that powers of errors stay small
  trial.update();
  return trial;
}

inline std::string name_of(const BlockTrial& trial) {
  const Shape& s = trial.shape;
  const InputSettings& in = trial.cell.inputs;
  return fmt::format("n{} m{} E{} k{} tied {} bias {} hidden {} output {} target {} values {} presence {} samples {} power "
                     "{} balance {} over {}",
                     s.n_features, s.n_hidden, s.n_experts, s.top_k, s.tied, s.bias, static_cast<int>(s.hidden),
                     static_cast<int>(s.output), static_cast<int>(in.target), static_cast<int>(in.values),
                     static_cast<int>(in.presence), in.samples, trial.cell.train.loss_power,
                     trial.cell.train.load_balance, static_cast<int>(trial.cell.train.load_balance_over));
}

}  // namespace phasegrid::testing
