#include "launch_plan.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace phasegrid {
namespace {

constexpr std::size_t kMostModels = std::numeric_limits<std::int32_t>::max();  // Job::n_models

bool fits(const LaunchPlan& plan, const PlannedSweep& sweep) {
  return plan.shape == sweep.shape && plan.mapping == sweep.mapping && plan.snapshots == sweep.snapshots &&
         plan.initial.empty() == sweep.initial.empty() && plan.keeps_moments == sweep.keeps_moments &&
         plan.models.size() + sweep.models.size() <= kMostModels;
}

void append(const PlannedSweep& sweep, std::size_t number, LaunchPlan& plan) {
  const auto first_cell = static_cast<std::int32_t>(plan.cells.size());
  plan.load_balance = plan.load_balance || sweep.load_balance;
  plan.plain = plan.plain && sweep.plain;
  plan.largest_batch = std::max(plan.largest_batch, sweep.largest_batch);
  plan.most_steps = std::max(plan.most_steps, sweep.most_steps);
  plan.cells.insert(plan.cells.end(), sweep.cells.begin(), sweep.cells.end());
  for (std::size_t cell = plan.cells.size() - sweep.cells.size(); cell < plan.cells.size(); ++cell) {
    std::int32_t& betas = plan.cells[cell].optimizer.betas;
    betas = place_of(plan.betas, sweep.betas[static_cast<std::size_t>(betas)]);
  }
  plan.initial.insert(plan.initial.end(), sweep.initial.begin(), sweep.initial.end());
  plan.features.insert(plan.features.end(), sweep.features.begin(), sweep.features.end());
  for (std::size_t model = 0; model < sweep.models.size(); ++model) {
    plan.models.push_back({first_cell + sweep.models[model].cell, sweep.models[model].restart});
    plan.origins.push_back({number, model});
  }
}

double samples(const LaunchPlan& plan, const ModelId& model) {
  const CellSettings& cell = plan.cells[static_cast<std::size_t>(model.cell)];
  return static_cast<double>(cell.steps) * cell.batch;
}

void sort_longest_first(LaunchPlan& plan) {
  std::vector<std::size_t> order(plan.models.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return samples(plan, plan.models[i]); });
  LaunchPlan sorted;
  for (const std::size_t i : order) {
    sorted.models.push_back(plan.models[i]);
    sorted.origins.push_back(plan.origins[i]);
  }
  plan.models = std::move(sorted.models);
  plan.origins = std::move(sorted.origins);
}

double work(const LaunchPlan& plan) {
  double sum = 0;
  for (const ModelId& model : plan.models) sum += samples(plan, model);
  return sum * plan.shape.parameter_count();
}

}  // namespace

std::vector<LaunchPlan> plan_launches(std::span<const PlannedSweep> sweeps) {
  std::vector<LaunchPlan> plans;
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    if (!sweeps[s].on_gpu || sweeps[s].models.empty()) continue;
    auto plan = std::ranges::find_if(plans, [&](const LaunchPlan& p) { return fits(p, sweeps[s]); });
    if (plan == plans.end()) {
      plans.emplace_back();
      plan = plans.end() - 1;
      plan->shape = sweeps[s].shape;
      plan->mapping = sweeps[s].mapping;
      plan->snapshots = sweeps[s].snapshots;
      plan->keeps_moments = sweeps[s].keeps_moments;
    }
    append(sweeps[s], s, *plan);
  }
  for (LaunchPlan& plan : plans) sort_longest_first(plan);
  std::ranges::stable_sort(plans, std::greater{}, work);
  return plans;
}

void go_on(std::span<const PlannedSweep> sweeps, LaunchPlan& plan) {
  const auto has_begun = [&](const ModelOrigin& origin) { return !sweeps[origin.sweep].first_steps.empty(); };
  if (std::ranges::none_of(plan.origins, has_begun)) return;
  const std::size_t size = (1 + kOptimiserStates) * static_cast<std::size_t>(plan.shape.parameter_count());
  plan.first_steps.assign(plan.models.size(), 0);
  plan.begun.assign(plan.models.size() * size, 0.0f);
  for (std::size_t i = 0; i < plan.models.size(); ++i) {
    const ModelOrigin& origin = plan.origins[i];
    if (!has_begun(origin)) continue;
    const PlannedSweep& sweep = sweeps[origin.sweep];
    plan.first_steps[i] = sweep.first_steps[origin.model];
    std::ranges::copy(std::span(sweep.begun).subspan(origin.model * size, size),
                      plan.begun.begin() + static_cast<std::ptrdiff_t>(i * size));
  }
}

LaunchPlan part_of(const LaunchPlan& plan, std::size_t index, std::size_t count) {
  LaunchPlan part = plan;
  part.models.clear();
  part.origins.clear();
  for (std::size_t i = index; i < plan.models.size(); i += count) {
    part.models.push_back(plan.models[i]);
    part.origins.push_back(plan.origins[i]);
  }
  return part;
}

}  // namespace phasegrid
