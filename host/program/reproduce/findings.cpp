// Readings on which paper, public code and exact training part, beyond those that stand with their figures.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"
#include "statistics.hpp"

namespace phasegrid::reproduce {
namespace {

constexpr int kSamples = 4096;

std::vector<double> losses_of(const Results& results) {
  return {results.final_losses.begin(), results.final_losses.end()};
}

// ---------------------------------------------------------------- routers that never learn

// Share of inputs that the model before the first step sends to other experts than the trained one, in percent, by
// seed.
std::vector<double> moved(const Results& results) {
  std::vector<double> shares;
  const auto n = static_cast<std::size_t>(results.sweep.shape.n_features);
  const std::vector<float> inputs = draw_inputs(Grid(results.sweep).cell(0).sparsity, kSamples, 11);
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const ModelView after = kept_model(results, cell);
    const ModelView before{results.sweep.shape, results.snapshot(cell, 0)};
    int changed = 0;
    for (std::size_t first = 0; first < inputs.size(); first += n) {
      const std::span<const float> x = std::span(inputs).subspan(first, n);
      std::vector<int> was = route(before, x).experts, is = route(after, x).experts;
      std::ranges::sort(was);
      std::ranges::sort(is);
      changed += was != is ? 1 : 0;
    }
    shares.push_back(100.0 * changed / kSamples);
  }
  return shares;
}

void add_learning(Report& report, const Trained& trained) {
  constexpr std::pair<const char*, const char*> kVariants[] = {
      {"findings_k1", "k = 1"}, {"findings_k1_balanced", "k = 1 with load balance"}, {"findings_k2", "k = 2"}};
  for (const auto& [name, label] : kVariants) {
    const Results& results = results_of(trained, name);
    const std::vector<double> shares = moved(results), loss = losses_of(results);
    const bool still = std::ranges::max(shares) < 0.1;
    report.add(
        {fmt::format("{}: inputs that training moves to other experts (%)", label), "a learned router", mean(shares),
         standard_deviation(shares), static_cast<int>(shares.size()), still ? Ruling::differs : Ruling::met,
         fmt::format("final loss {:.4f} +- {:.4f}{}{}", mean(loss), standard_deviation(loss),
                     results.sweep.train.load_balance > 0 ? ", load balance included" : "",
                     still ? "; the renormalised gate is 1, so no gradient reaches the router, which only shrinks: "
                             "its routing is that of its first step"
                           : "")});
  }
}

// ---------------------------------------------------------------- selection by a noisy batch

// Class of the last feature, with the thresholds of `phasegrid compare`: 0 ignored, 1 superposed, 2 monosemantic.
int class_of(const Results& results, std::size_t cell) {
  const Shape& s = results.sweep.shape;
  const auto W = kept_model(results, cell).expert(0);
  if (feature_norm(W, s.n_features, s.n_hidden, s.n_features - 1) < 0.5) return 0;
  return interference(W, s.n_features, s.n_hidden, s.n_features - 1) >= 0.25 ? 1 : 2;
}

// Share of the cells in which two seeds have one class, for every pair of seeds; the seed is the last axis.
std::vector<double> agreements(const Results& results) {
  const auto seeds = static_cast<std::size_t>(seeds_of(results.sweep));
  std::vector<double> shares;
  for (std::size_t a = 0; a < seeds; ++a) {
    for (std::size_t b = a + 1; b < seeds; ++b) {
      int same = 0;
      for (std::size_t first = 0; first < results.cells(); first += seeds) {
        same += class_of(results, first + a) == class_of(results, first + b) ? 1 : 0;
      }
      shares.push_back(static_cast<double>(same) * static_cast<double>(seeds) / static_cast<double>(results.cells()));
    }
  }
  return shares;
}

// Mean kept loss of each seed.
std::vector<double> seed_losses(const Results& results) {
  const auto seeds = static_cast<std::size_t>(seeds_of(results.sweep));
  std::vector<std::vector<double>> by_seed(seeds);
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    by_seed[cell % seeds].push_back(static_cast<double>(results.final_losses[cell]));
  }
  std::vector<double> means;
  for (const std::vector<double>& losses : by_seed) means.push_back(mean(losses));
  return means;
}

void add_selection(Report& report, const Trained& trained) {
  const Results &last = results_of(trained, "selection_last_batch"),
                &fair = results_of(trained, "selection_evaluation");
  const std::vector<double> lucky = seed_losses(last), honest = seed_losses(fair);
  std::vector<double> excess;
  for (std::size_t s = 0; s < lucky.size(); ++s) excess.push_back(100 * (honest[s] / lucky[s] - 1));
  const int seeds = static_cast<int>(excess.size());
  report.add(
      {"restarts compared on a large fresh batch instead of their last training batch: mean kept loss rises by (%)",
       "last batch", mean(excess), standard_deviation(excess), seeds, Ruling::differs,
       fmt::format("n = 3, m = 2, dense, {} restarts a cell: the best of so many last batches is a lucky one. Spread "
                   "over seeds",
                   last.sweep.restarts)});
  const std::vector<double> by_last = agreements(last), by_fair = agreements(fair);
  report.add({"the same: cells in which two seeds agree on the last feature's class",
              fmt::format("{:.3f} (ours, last batch)", mean(by_last)), mean(by_fair), standard_deviation(by_fair),
              seeds, Ruling::differs,
              fmt::format("ignored, superposed or monosemantic; means over {} pairs of seeds{}", by_fair.size(),
                          by_last.size() > 1
                              ? fmt::format(", with a deviation of {:.3f} by last batches", standard_deviation(by_last))
                              : "")});
}

}  // namespace

Report analyse_findings(const Trained& trained) {
  const Results& first = results_of(trained, "findings_k1");
  Report report;
  report.figure = "findings";
  report.title = "Findings: routers and selection";
  report.device = first.device;
  report.settings = settings_of(first.sweep);
  add_learning(report, trained);
  add_selection(report, trained);
  return report;
}

}  // namespace phasegrid::reproduce
