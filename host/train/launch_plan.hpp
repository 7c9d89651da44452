// Which models share a launch: those of one shape and with equal snapshots, whatever sweeps of the call they come from.
// So a call is one launch a shape and GPU, also where it is hundreds of sweeps of one cell each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan.hpp"

namespace phasegrid {

// Model `model` of sweep `sweep` of the call.
struct ModelOrigin {
  std::size_t sweep;
  std::size_t model;

  friend bool operator==(const ModelOrigin&, const ModelOrigin&) = default;
};

// A launch's models, the longest training first: a queue that ends with short ones leaves no processor waiting for
// long.
struct LaunchPlan : PlannedModels {
  std::vector<ModelOrigin> origins;  // [models]
};

// Every model of the sweeps that are `on_gpu`, in one launch a kind; launches with the most work first. No sweep without models is in
// one.
std::vector<LaunchPlan> plan_launches(std::span<const PlannedSweep> sweeps);

// Part `index` of `count`: every count-th model, so that each GPU gets as many long trainings as the others.
LaunchPlan part_of(const LaunchPlan& plan, std::size_t index, std::size_t count);

// Gives the models of a plan, or of a part, the steps that they have behind them in their sweeps.
void go_on(std::span<const PlannedSweep> sweeps, LaunchPlan& plan);

}  // namespace phasegrid
