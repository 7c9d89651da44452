// The common case in ten lines: where does a dense model with two features and one hidden unit superpose them?
#include <cstdio>

#include "phasegrid/phasegrid.hpp"

int main() {
  phasegrid::Sweep sweep;
  sweep.shape = {.n_features = 2, .n_hidden = 1, .n_experts = 1, .top_k = 1};
  sweep.train.steps = 2000;
  sweep.axes = {{phasegrid::AxisName::sparsity, phasegrid::range(0.1, 0.9, 0.2)}};
  const phasegrid::Results results = phasegrid::train(sweep);
  const phasegrid::FeatureMetrics metrics = phasegrid::feature_metrics(results);
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    std::printf("S %.1f  loss %.4f  norm %.2f  interference %.2f\n", sweep.axes[0].values[cell],
                static_cast<double>(results.reconstruction_losses[cell]),
                static_cast<double>(metrics.norm[2 * cell + 1]),
                static_cast<double>(metrics.interference[2 * cell + 1]));
  }
}
