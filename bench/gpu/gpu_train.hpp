// Training through the library, timed: what gpu_train's parts share.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "cases.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::bench {

// Wall-clock time around train(), which on a GPU includes planning, transfers and the read-back of every result.
struct Timing {
  double seconds = 0;
  double models = 0, samples = 0;
};
Timing time_training(std::span<const Sweep> sweeps, const TrainOptions& options);

// One cell of a case's shape.
Sweep sweep_of(const Case& c, int models, int steps);

// The best of `trials` trainings of `models` models, of so many steps that each takes about `seconds`.
Timing best_training(const Case& c, int models, double seconds, int trials, const TrainOptions& options);

// Models a second at `steps` steps: from 1 to `most_models` models of one shape, and by the number of features.
nlohmann::json growth_by_models(const TrainOptions& options, int most_models, int steps);
nlohmann::json growth_by_features(const TrainOptions& options, int models, double seconds);

}  // namespace phasegrid::bench
