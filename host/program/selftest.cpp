#include "selftest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <utility>

namespace phasegrid {
namespace {

Sweep short_sweep(std::string name, const Shape& shape) {
  Sweep sweep;
  sweep.name = std::move(name);
  sweep.shape = shape;
  sweep.restarts = 2;
  sweep.train.steps = 12;
  sweep.train.batch = 96;
  sweep.train.load_balance = shape.n_experts > 1 ? 0.01 : 0;
  sweep.train.keep = Keep::last_batch;
  sweep.axes = {{AxisName::sparsity, {0.2, 0.8}}};
  return sweep;
}

std::string name_of(const Shape& s) {
  return fmt::format("n{}_m{}_E{}_k{}", s.n_features, s.n_hidden, s.n_experts, s.top_k);
}

// Every shape of the tiny mapping. k = 1 has a kernel of its own; all other k share one.
void add_tiny(std::vector<Sweep>& sweeps) {
  for (int n = 1; n <= 4; ++n) {
    for (int m = 1; m <= 3; ++m) {
      for (int E = 1; E <= 4; ++E) {
        for (int k = 1; k <= std::min(E, 2); ++k) sweeps.push_back(short_sweep(name_of({n, m, E, k}), {n, m, E, k}));
      }
    }
  }
}

void add_block(std::vector<Sweep>& sweeps) {
  const Shape shapes[] = {{5, 2, 1, 1},  {20, 6, 1, 1},  {100, 20, 1, 1}, {130, 40, 1, 1}, {20, 4, 2, 1}, {20, 4, 8, 3},
                          {9, 3, 4, 4},  {33, 5, 40, 1}, {33, 5, 40, 7},  {64, 8, 4, 2},   {2, 5, 5, 1}};
  for (const Shape& shape : shapes) sweeps.push_back(short_sweep(name_of(shape), shape));
}

// Settings that take another way through the code, each on a shape of both mappings.
void add_corners(std::vector<Sweep>& sweeps) {
  for (const Shape& shape : {Shape{3, 2, 3, 1}, Shape{3, 2, 3, 2}, Shape{12, 3, 4, 1}, Shape{12, 3, 4, 2}}) {
    auto add = [&](const char* what, auto&& change) {
      Sweep sweep = short_sweep(fmt::format("{}_{}", name_of(shape), what), shape);
      change(sweep);
      sweeps.push_back(std::move(sweep));
    };
    add("ties", [](Sweep& s) { s.init.router = RouterInit::zero; });
    add("no_balance", [](Sweep& s) { s.train.load_balance = 0; });
    add("evaluation", [](Sweep& s) { s.train.keep = Keep::evaluation; });
    add("snapshots", [](Sweep& s) { s.train.snapshots = {0, 5, 12}; });
    add("cosine", [](Sweep& s) { s.train.schedule = Schedule::cosine, s.train.loss = Loss::sum; });
    add("drop_and_stop", [](Sweep& s) { s.train.drop_below = 10, s.train.stop_below = 1e-3, s.train.steps = 60; });
    add("divergence", [](Sweep& s) { s.train.learning_rate = 1e9, s.train.loss = Loss::sum; });
    add("in_two_parts", [](Sweep& s) { s.train.keep = Keep::training_state; });
    add("odd_batch", [](Sweep& s) { s.train.batch = 77; });
    add("sparsities", [](Sweep& s) {
      s.axes = {{AxisName::last_importance, {0.5, 2}}};
      for (int f = 0; f < s.shape.n_features; ++f) s.data.feature_sparsity.push_back(0.05 * f);
    });
  }
}

// Models and data other than the paper's, and models that fit no shared memory: a GPU has kernels of their own for them.
void add_family(std::vector<Sweep>& sweeps) {
  for (const Shape& shape : {Shape{12, 3, 1, 1}, Shape{12, 3, 4, 1}, Shape{12, 3, 4, 2}}) {
    auto add = [&](const char* what, auto&& change) {
      Sweep sweep = short_sweep(fmt::format("{}_{}", name_of(shape), what), shape);
      change(sweep);
      sweeps.push_back(std::move(sweep));
    };
    add("untied", [](Sweep& s) { s.shape.tied = false, s.shape.hidden = Activation::relu; });
    add("linear", [](Sweep& s) { s.shape.output = Activation::linear, s.shape.bias = false; });
    add("target", [](Sweep& s) { s.data.inputs.target = Target::absolute, s.train.loss_power = 4; });
    add("normal", [](Sweep& s) { s.data.inputs.values = ValueLaw::normal; });
    add("correlated", [](Sweep& s) { s.data.inputs.presence = PresenceLaw::correlated, s.data.inputs.group_size = 3; });
    add("active", [](Sweep& s) {
      s.axes = {{AxisName::active, {1, 3}}};
      s.train.load_balance_over = BalanceOver::nonzero;
    });
    add("data_set", [](Sweep& s) { s.data.inputs.samples = 40; });
    add("adam", [](Sweep& s) { s.train.optimizer = Optimizer::adam, s.train.warmup = 3; });
    add("sgd", [](Sweep& s) { s.train.optimizer = Optimizer::sgd, s.train.momentum = 0.9; });
  }
  for (const Shape& shape : {Shape{700, 120, 1, 1}, Shape{600, 60, 4, 2}}) {
    sweeps.push_back(short_sweep(name_of(shape), shape));
    sweeps.back().train.steps = 3;
  }
}

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}
bool same(std::int32_t a, std::int32_t b) { return a == b; }

}  // namespace

std::vector<Sweep> selftest_sweeps() {
  std::vector<Sweep> sweeps;
  add_tiny(sweeps);
  add_block(sweeps);
  add_corners(sweeps);
  add_family(sweeps);
  return sweeps;
}

Results trained_in_two_parts(const Sweep& sweep, const TrainOptions& options) {
  Sweep half = sweep;
  half.train.steps /= 2;
  const std::vector<Results> shorter = {train(half, options)};
  TrainOptions goes_on = options;
  goes_on.shorter = shorter;
  return train(sweep, goes_on);
}

std::string first_difference_in_bits(const Results& a, const Results& b) {
  std::string found;
  auto compare = [&](const char* what, const auto& ours, const auto& theirs) {
    if (!found.empty()) return;
    if (ours.size() != theirs.size()) found = fmt::format("{}: {} numbers against {}", what, ours.size(), theirs.size());
    for (std::size_t i = 0; i < ours.size() && found.empty(); ++i) {
      if (!same(ours[i], theirs[i])) found = fmt::format("{}[{}]: {} against {}", what, i, ours[i], theirs[i]);
    }
  };
  compare("status", a.status, b.status);
  compare("snapshot_losses", a.snapshot_losses, b.snapshot_losses);
  compare("all_losses", a.all_losses, b.all_losses);
  compare("all_reconstruction_losses", a.all_reconstruction_losses, b.all_reconstruction_losses);
  compare("kept", a.kept, b.kept);
  compare("snapshot_parameters", a.snapshot_parameters, b.snapshot_parameters);
  compare("parameters", a.parameters, b.parameters);
  compare("all_parameters", a.all_parameters, b.all_parameters);
  compare("first_moments", a.first_moments, b.first_moments);
  compare("second_moments", a.second_moments, b.second_moments);
  return found;
}

}  // namespace phasegrid
