// Which experts of Figure 4's mixtures see features at all. All-zero inputs score every expert 0 and go to the first,
// so where S^n is large an expert may hold its share of the batch and hardly see an input that is not all zero. The
// paper colours such an expert like any other.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"

namespace phasegrid::reproduce {
namespace {

constexpr int kSamples = 16384;  // inputs drawn for each sparsity

// Cells in which an expert is starved, of those where the all-zero inputs alone are more than its share 1/E, and of the
// others.
struct Count {
  int starved = 0, cells = 0;
  double share() const { return cells > 0 ? static_cast<double>(starved) / cells : 0; }
};
struct Counts {
  Count crowded, others;
  double share() const {
    return static_cast<double>(crowded.starved + others.starved) / (crowded.cells + others.cells);
  }
};

// [E]
std::vector<Counts> count(const Results& results) {
  const Grid grid(results.sweep);
  const Shape& shape = results.sweep.shape;
  const std::size_t columns = grid.extents()[1];
  std::vector<Counts> experts(static_cast<std::size_t>(shape.n_experts));
  std::vector<float> inputs;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const std::vector<double> sparsity = grid.cell(cell).sparsity;
    if (cell % columns == 0) inputs = draw_inputs(sparsity, kSamples, cell / columns);
    if (results.kept[cell] < 0) continue;
    const ExpertUsage usage = expert_usage(kept_model(results, cell), inputs, Inputs::nonzero);
    double all_zero = 1;
    for (const double S : sparsity) all_zero *= S;
    for (std::size_t e = 0; e < experts.size(); ++e) {
      Count& here = all_zero * shape.n_experts > 1 ? experts[e].crowded : experts[e].others;
      ++here.cells;
      here.starved += usage.active[e] < kStarvedShare ? 1 : 0;
    }
  }
  return experts;
}

}  // namespace

Report analyse_starved(const Trained& trained) {
  Report report;
  report.figure = "starved";
  report.title = "Figure 4: experts that hardly see a feature";
  for (const auto& [name, results] : trained) {
    if (!name.starts_with("fig4_") || results.sweep.shape.n_experts < 2) continue;
    report.device = results.device;
    report.settings = settings_of(results.sweep);
    const std::vector<Counts> experts = count(results);
    for (std::size_t e = 0; e < experts.size(); ++e) {
      report.add({fmt::format("{}: cells in which expert {} gets under 1 % of the inputs that are not all zero (%)",
                              name.substr(5), e + 1),
                  nullptr, 100 * experts[e].share(), nullptr, 1, Ruling::recorded,
                  fmt::format("{:.0f} % where S^n > 1/E, {:.0f} % elsewhere{}", 100 * experts[e].crowded.share(),
                              100 * experts[e].others.share(),
                              e == 0 ? ": there all-zero inputs alone fill its share, and the load balance takes the "
                                       "others away"
                                     : "")});
    }
  }
  return report;
}

}  // namespace phasegrid::reproduce
