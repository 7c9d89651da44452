// A sweep driver in C++: at which sparsity does a model begin to represent its last feature? Bisection asks for one
// cell after another; the bisections of all importances go side by side, and each round of cells is one call of
// train().
#include <cstdio>
#include <exception>
#include <vector>

#include "phasegrid/phasegrid.hpp"

namespace {

struct Bisection {
  double last_importance;
  double low = 0.0, high = 0.98;  // sparsities: not represented at low, represented at high

  phasegrid::Sweep cell() const {
    phasegrid::Sweep sweep;
    sweep.shape = {.n_features = 2, .n_hidden = 1, .n_experts = 1, .top_k = 1};
    sweep.restarts = 5;
    sweep.train.steps = 1000;
    sweep.data.sparsity = (low + high) / 2;
    sweep.data.last_importance = last_importance;
    return sweep;
  }
  void take(const phasegrid::Results& results) {
    const bool represented = phasegrid::feature_metrics(results).norm.back() > 0.5f;
    (represented ? high : low) = *results.sweep.data.sparsity;
  }
};

int run() {
  std::vector<Bisection> bisections;
  for (double importance : phasegrid::range(0.1, 0.9, 0.1)) bisections.push_back({importance});
  phasegrid::TrainOptions options;
  options.progress = [](const phasegrid::Progress& progress) {
    if (progress.share_done == 1)
      std::printf("%d models in %.2f s\n", static_cast<int>(progress.models_done), progress.seconds);
  };
  for (int round = 0; round < 6; ++round) {
    std::vector<phasegrid::Sweep> cells;
    for (const Bisection& bisection : bisections) cells.push_back(bisection.cell());
    const std::vector<phasegrid::Results> results = phasegrid::train(cells, options);
    for (std::size_t i = 0; i < bisections.size(); ++i) bisections[i].take(results[i]);
  }
  for (const Bisection& bisection : bisections) {
    std::printf("last importance %.1f: represented from sparsity %.3f on\n", bisection.last_importance, bisection.high);
  }
  return 0;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {  // phasegrid::InputError has one sentence that names what is allowed
    std::fprintf(stderr, "phase_boundary: %s\n", error.what());
    return 1;
  }
}
