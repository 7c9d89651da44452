// How cost grows: with the number of models, and with the number of features. And the timing it rests on.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "gpu_train.hpp"

namespace phasegrid::bench {

Timing time_training(std::span<const Sweep> sweeps, const TrainOptions& options) {
  Timing timing;
  for (const Sweep& sweep : sweeps) {
    const Grid grid(sweep);
    timing.models += 1.0 * static_cast<double>(grid.cells()) * sweep.restarts;
    for (std::size_t i = 0; i < grid.cells(); ++i) {
      const TrainSettings train = grid.cell(i).train;
      timing.samples += 1.0 * sweep.restarts * train.steps * train.batch;
    }
  }
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Results> results = train(sweeps, options);
  timing.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return timing;
}

Sweep sweep_of(const Case& c, int models, int steps) {
  Sweep sweep;
  sweep.name = c.name;
  sweep.shape = c.shape;
  sweep.restarts = models;
  sweep.train.steps = steps;
  sweep.train.batch = c.batch;
  sweep.train.load_balance = c.load_balance;
  sweep.train.keep = Keep::last_batch;  // steps alone are timed
  sweep.data.sparsity = 1 - c.density;
  return sweep;
}

Timing best_training(const Case& c, int models, double seconds, int trials, const TrainOptions& options) {
  // A first training tells what a step costs, and warms up.
  constexpr int kMostSteps = 20'000;
  int steps = 20;
  Timing timing = time_training(std::vector{sweep_of(c, models, steps)}, options);
  while (timing.seconds < seconds / 4 && steps < kMostSteps) {
    const double wanted = steps * seconds / std::max(timing.seconds, seconds / 50);
    steps = std::clamp(static_cast<int>(wanted), 2 * steps, kMostSteps);
    timing = time_training(std::vector{sweep_of(c, models, steps)}, options);
  }
  Timing best = timing;
  for (int trial = 1; trial < trials; ++trial) {
    timing = time_training(std::vector{sweep_of(c, models, steps)}, options);
    if (timing.seconds < best.seconds) best = timing;
  }
  return best;
}

nlohmann::json growth_by_models(const TrainOptions& options, int most_models, int steps) {
  nlohmann::json rows = nlohmann::json::array();
  for (int decade = 1; decade <= most_models; decade *= 10) {
    for (const Case& c : {kTinyCases[0], kTinyCases[6]}) {
      const Timing timing = time_training(std::vector{sweep_of(c, decade, steps)}, options);
      fmt::print("{:10} {:>9} models {:10.3f} s {:12.1f} models/s\n", c.name, decade, timing.seconds,
                 timing.models / timing.seconds);
      rows.push_back({{"case", c.name},
                      {"models", decade},
                      {"steps", steps},
                      {"batch", c.batch},
                      {"seconds", timing.seconds},
                      {"models_per_second", timing.models / timing.seconds},
                      {"samples_per_second", timing.samples / timing.seconds}});
    }
    if (decade > most_models / 10) break;  // the next would not fit an int
  }
  return rows;
}

nlohmann::json growth_by_features(const TrainOptions& options, int models, double seconds) {
  constexpr int kBatch = 1024, kPaperSteps = 5000;
  nlohmann::json rows = nlohmann::json::array();
  for (int n = 2; n <= 256; n *= 2) {
    const int m = std::max(1, n / 5);
    const Case dense{"dense", {n, m, 1, 1}, 0.5, kBatch, 0};
    const Case experts{"experts4", {n, std::max(1, m / 4), 4, 1}, 0.5, kBatch, 0};
    for (const Case& c : {dense, experts}) {
      const Timing timing = best_training(c, models, seconds, 2, options);
      const double samples_per_second = timing.samples / timing.seconds;
      const double models_per_second = samples_per_second / (1.0 * kBatch * kPaperSteps);
      fmt::print("{:10} n {:>3} m {:>2} E {} {:10.2f} ns a sample {:12.3f} models/s at {} steps\n", c.name, n,
                 c.shape.n_hidden, c.shape.n_experts, 1e9 / samples_per_second, models_per_second, kPaperSteps);
      rows.push_back({{"case", c.name},
                      {"n", n},
                      {"m", c.shape.n_hidden},
                      {"E", c.shape.n_experts},
                      {"k", 1},
                      {"batch", kBatch},
                      {"models", models},
                      {"steps", kPaperSteps},
                      {"models_per_second", models_per_second},
                      {"samples_per_second", samples_per_second}});
    }
  }
  return rows;
}

}  // namespace phasegrid::bench
