#include <cmath>
#include <stdexcept>

#include "figures.hpp"

namespace phasegrid::reproduce {

const Results& results_of(const Trained& trained, const std::string& name) {
  const auto found = trained.find(name);
  if (found == trained.end()) throw std::logic_error("not trained: " + name);
  return found->second;
}

int seeds_of(const Sweep& sweep) {
  for (const Axis& axis : sweep.axes) {
    if (axis.name == AxisName::seed) return static_cast<int>(axis.values.size());
  }
  return sweep.restarts;
}

Json settings_of(const Sweep& sweep) {
  return {{"n_features", sweep.shape.n_features},
          {"n_hidden", sweep.shape.n_hidden},
          {"n_experts", sweep.shape.n_experts},
          {"top_k", sweep.shape.top_k},
          {"steps", sweep.train.steps},
          {"batch", sweep.train.batch},
          {"seeds", seeds_of(sweep)}};
}

Json expert_panel(const ModelView& model, int expert, const std::string& title) {
  const int n = model.shape.n_features, m = model.shape.n_hidden;
  const auto W = model.expert(expert);
  auto dot = [&](int i, int j) {
    double sum = 0;
    for (int h = 0; h < m; ++h) {
      sum += static_cast<double>(W[static_cast<std::size_t>(i * m + h)]) *
             static_cast<double>(W[static_cast<std::size_t>(j * m + h)]);
    }
    return sum;
  };
  std::vector<double> norm, shared;
  Json gram = Json::array();
  for (int i = 0; i < n; ++i) {
    norm.push_back(feature_norm(W, n, m, i));
    shared.push_back(polysemanticity(W, n, m, i));
    std::vector<double> row;
    for (int j = 0; j < n; ++j) row.push_back(norm.back() > 0 ? dot(i, j) / norm.back() : 0);
    gram.push_back(numbers(row));
  }
  return {{"title", title}, {"norm", numbers(norm)}, {"polysemanticity", numbers(shared)}, {"gram", gram}};
}

}  // namespace phasegrid::reproduce
