// Figures 3 and 7: features per dimension and loss against feature density, for four architectures.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "figures.hpp"
#include "statistics.hpp"

namespace phasegrid::reproduce {
namespace {

constexpr int kUsageSamples = 4096;

struct Architecture {
  const char *variant, *label;
};
constexpr Architecture kArchitectures[] = {{"dense_m20", "dense, m = 20"},
                                           {"experts4_m5_k1", "4 experts, m = 5, k = 1"},
                                           {"experts10_m2_k2", "10 experts, m = 2, k = 2"},
                                           {"experts20_m1_k5", "20 experts, m = 1, k = 5"}};

// One architecture: [density][seed].
struct Series {
  std::vector<double> density;
  std::vector<std::vector<double>> features, features_without_k, loss;
};

Series measure(const Results& results) {
  const Grid grid(results.sweep);
  const std::vector<double>& sparsities = grid.dimensions()[0].values;
  const std::size_t seeds = results.cells() / sparsities.size();
  Series series;
  for (std::size_t s = 0; s < sparsities.size(); ++s) {
    series.density.push_back(1 - sparsities[s]);
    series.features.emplace_back();
    series.features_without_k.emplace_back();
    series.loss.emplace_back();
    const Cell cell = grid.cell(s * seeds);
    const std::vector<float> inputs = draw_inputs(cell.sparsity, kUsageSamples, s);
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      const ModelView model = kept_model(results, s * seeds + seed);
      const ExpertUsage usage = expert_usage(model, inputs, Inputs::all);
      series.features.back().push_back(features_per_dimension(model, usage.gate, true));
      series.features_without_k.back().push_back(features_per_dimension(model, usage.gate, false));
      series.loss.back().push_back(static_cast<double>(results.final_losses[s * seeds + seed]));
    }
  }
  return series;
}

Report begin(const Trained& trained, const char* figure, const char* title) {
  const Results& first = results_of(trained, std::string("fig3_") + kArchitectures[0].variant);
  Report report;
  report.figure = figure;
  report.title = title;
  report.device = first.device;
  report.settings = {{"n_features", 100},
                     {"steps", first.sweep.train.steps},
                     {"batch", first.sweep.train.batch},
                     {"seeds", seeds_of(first.sweep)}};
  return report;
}

std::vector<double> inverse(const std::vector<double>& densities) {
  std::vector<double> values;
  for (double density : densities) values.push_back(1 / density);
  return values;
}

// The published number of a density, NaN where there is none.
double published_at(const Json& densities, const Json& values, double density) {
  for (std::size_t i = 0; i < densities.size(); ++i) {
    if (std::abs(densities[i].get<double>() - density) < 1e-6) return values[i].get<double>();
  }
  return std::nan("");
}

}  // namespace

Report analyse_fig3(const Trained& trained, const Json& published) {
  Report report = begin(trained, "fig3", "Figure 3: features per dimension");
  const Json& reference = published.at("fig3");
  Json series_json = Json::array();
  int within_all = 0, points_all = 0, seeds = 0;
  for (const Architecture& architecture : kArchitectures) {
    const Results& results = results_of(trained, std::string("fig3_") + architecture.variant);
    const Series series = measure(results);
    std::vector<double> means, deviations, without, theirs;
    std::string outside;
    int within = 0, points = 0;
    for (std::size_t i = 0; i < series.density.size(); ++i) {
      means.push_back(mean(series.features[i]));
      deviations.push_back(standard_deviation(series.features[i]));
      without.push_back(mean(series.features_without_k[i]));
      theirs.push_back(
          published_at(reference.at("feature_density"), reference.at(architecture.variant), series.density[i]));
      if (std::isnan(theirs.back())) continue;
      ++points;
      const double allowed = std::fmax(3 * deviations.back(), 0.04 * means.back());  // one seed has no deviation
      if (std::abs(theirs.back() - means.back()) <= allowed) {
        ++within;
      } else {
        outside += fmt::format("{}p = {:.2f}: {:.3f} against {:.3f} +- {:.3f}", outside.empty() ? "" : "; ",
                               series.density[i], theirs.back(), means.back(), deviations.back());
      }
    }
    seeds = static_cast<int>(series.features[0].size());
    report.add({fmt::format("{}: published points within 3 sd or 4 %", architecture.label),
                fmt::format("{} points", points), fmt::format("{} within", within), nullptr, seeds,
                met_if(within >= 0.95 * points), outside.empty() ? "" : "outside: " + outside});
    within_all += within;
    points_all += points;
    const int k = results.sweep.shape.top_k;
    if (k > 1) {
      report.add(
          {fmt::format("{}: without the authors' 1/k the curve stands {} times as high", architecture.label, k),
           means.back(), without.back(), nullptr, seeds, Ruling::differs,
           fmt::format("features per dimension at p = {:.2f}, with and without; the paper calls above 1 superposition",
                       series.density.back())});
    }
    series_json.push_back({{"label", architecture.label},
                           {"published", numbers(theirs)},
                           {"mean", numbers(means)},
                           {"sd", numbers(deviations)},
                           {"mean_without_1_k", numbers(without)},
                           {"without_1_k_differs", k > 1}});
    if (report.picture.is_null()) report.picture = {{"inverse_density", numbers(inverse(series.density))}};
  }
  report.add({"all architectures: at least 95 % of the points", fmt::format("{} points", points_all),
              fmt::format("{:.1f} %", 100.0 * within_all / std::max(points_all, 1)), nullptr, seeds,
              met_if(within_all >= 0.95 * points_all), ""});
  report.picture["series"] = series_json;
  return report;
}

Report analyse_fig7(const Trained& trained, const Json& published) {
  Report report = begin(trained, "fig7", "Figure 7: log loss");
  const Json& reference = published.at("fig7");
  Json series_json = Json::array();
  std::vector<std::vector<double>> losses;  // [architecture][density]: mean over seeds
  int seeds = 0;
  for (const Architecture& architecture : kArchitectures) {
    const Series series = measure(results_of(trained, std::string("fig3_") + architecture.variant));
    const std::vector<double> inverses = inverse(series.density);
    seeds = static_cast<int>(series.loss[0].size());
    std::vector<double> logs, deviations;
    losses.emplace_back();
    for (const std::vector<double>& loss : series.loss) {
      logs.push_back(std::log(mean(loss)));
      losses.back().push_back(mean(loss));
      deviations.push_back(standard_deviation(loss) / mean(loss));  // of the logarithm, to first order
    }
    const Json& at = reference.at("inverse_density");
    const Json& theirs = reference.at(architecture.variant);
    for (std::size_t i = 0; i < at.size(); ++i) {
      for (std::size_t d = 0; d < inverses.size(); ++d) {
        if (std::abs(inverses[d] - at[i].get<double>()) > 1e-6) continue;
        report.add({fmt::format("{}: log loss at 1/p = {:.4g}", architecture.label, inverses[d]), theirs[i], logs[d],
                    deviations[d], seeds, met_if(std::abs(logs[d] - theirs[i].get<double>()) <= 0.03), ""});
      }
    }
    series_json.push_back({{"label", architecture.label},
                           {"log_loss", numbers(logs)},
                           {"sd", numbers(deviations)},
                           {"published", {{"inverse_density", at}, {"log_loss", theirs}}}});
    if (report.picture.is_null()) report.picture = {{"inverse_density", numbers(inverses)}};
  }
  int lowest = 0;
  const int densities = static_cast<int>(losses[0].size());
  for (std::size_t d = 0; d < losses[0].size(); ++d) {
    lowest += std::ranges::all_of(losses, [&](const auto& l) { return losses[0][d] <= l[d]; }) ? 1 : 0;
  }
  report.add({"the dense model's loss is the lowest at every density", fmt::format("{} of {}", densities, densities),
              fmt::format("{} of {}", lowest, densities), nullptr, seeds, met_if(lowest == densities),
              "paper 3.2 and A.1"});
  // [1] to [3] have 4, 10 and 20 experts.
  int ordered = 0;
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  for (std::size_t d = 0; d < losses[0].size(); ++d) {
    ordered += losses[1][d] >= losses[2][d] && losses[2][d] >= losses[3][d] ? 1 : 0;
    for (std::size_t a = 1; a < losses.size(); ++a) {
      least = std::min(least, losses[a][d] - losses[0][d]);
      largest = std::max(largest, losses[a][d] - losses[0][d]);
    }
  }
  report.add({"the more experts, the closer the loss to the dense model's, at every density",
              fmt::format("{} of {}", densities, densities), fmt::format("{} of {}", ordered, densities), nullptr,
              seeds, met_if(ordered == densities), "paper, Figure 7; 4, 10 and 20 experts"});
  const double low = reference.at("least_difference").get<double>(),
               high = reference.at("largest_difference").get<double>();
  // What the published curves themselves say, where they were read off.
  double published_largest = 0;
  const Json& read_off = reference.at(kArchitectures[0].variant);
  for (std::size_t a = 1; a < std::size(kArchitectures); ++a) {
    const Json& theirs = reference.at(kArchitectures[a].variant);
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      published_largest =
          std::max(published_largest, std::exp(theirs[i].get<double>()) - std::exp(read_off[i].get<double>()));
    }
  }
  const bool as_stated = low <= least && largest <= high;
  report.add(
      {"the mixtures' losses are above the dense model's by", fmt::format("{} - {}", low, high),
       fmt::format("{:.4f} - {:.4f}", least, largest), nullptr, seeds,
       as_stated                  ? Ruling::met
       : published_largest < high ? Ruling::differs
                                  : Ruling::not_met,
       fmt::format("paper 3.2; the largest difference of the published curves, where read off, is {:.4f}, so the "
                   "text does not describe these curves there",
                   published_largest)});
  report.picture["series"] = series_json;
  return report;
}

}  // namespace phasegrid::reproduce
