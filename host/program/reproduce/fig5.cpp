// Figure 5: which of three experts each point of the plane is routed to, after training from three routers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"
#include "statistics.hpp"

namespace phasegrid::reproduce {
namespace {

constexpr int kRaster = 100;       // points of [0,1]^2 along each side
constexpr double kRegion = 0.005;  // share of the square from which on an expert has a region

// Share of the open square that each expert gets.
std::vector<double> shares(const ModelView& model) {
  std::vector<double> share(static_cast<std::size_t>(model.shape.n_experts));
  for (int i = 0; i < kRaster; ++i) {
    for (int j = 0; j < kRaster; ++j) {
      const float point[] = {(static_cast<float>(i) + 0.5f) / kRaster, (static_cast<float>(j) + 0.5f) / kRaster};
      share[static_cast<std::size_t>(route(model, point).experts[0])] += 1.0 / (kRaster * kRaster);
    }
  }
  return share;
}

// Experts that have a region.
int regions(const std::vector<double>& share) {
  return static_cast<int>(std::ranges::count_if(share, [](double s) { return s >= kRegion; }));
}

}  // namespace

Report analyse_fig5(const Trained& trained, const Json& published) {
  Report report;
  report.figure = "fig5";
  report.title = "Figure 5: routing of the plane from three routers";
  Json panels = Json::array();
  std::vector<double> losses;
  const std::pair<const char*, const char*> claims[] = {{"zero", "routes all inputs to one expert"},
                                                        {"xavier", "routes a small portion to a second expert"},
                                                        {"diagonal", "distributes the inputs among all three experts"}};
  for (std::size_t i = 0; i < std::size(claims); ++i) {
    const auto& [variant, claim] = claims[i];
    const Results& results = results_of(trained, std::string("fig5_") + variant);
    const int seeds = static_cast<int>(results.cells());
    std::vector<double> loss, unevenness;
    std::vector<int> counts(4);
    std::size_t median = 0;
    for (std::size_t cell = 0; cell < results.cells(); ++cell) {
      loss.push_back(static_cast<double>(results.final_losses[cell]));
      const std::vector<double> share = shares(kept_model(results, cell));
      ++counts[static_cast<std::size_t>(regions(share))];
      unevenness.push_back(standard_deviation(share) * standard_deviation(share));
    }
    std::vector<double> sorted = loss;
    std::ranges::sort(sorted);
    median = static_cast<std::size_t>(std::ranges::find(loss, sorted[sorted.size() / 2]) - loss.begin());
    if (report.device.empty()) {
      report.device = results.device;
      report.settings = settings_of(results.sweep);
    }
    const double theirs = published.at("fig5").at(variant).get<double>();
    const double low = sorted.front(), high = sorted.back();
    report.add({fmt::format("{} router: published loss lies among those of our seeds", variant), theirs, mean(loss),
                standard_deviation(loss), seeds, met_if(low <= theirs && theirs <= high),
                fmt::format("ours run from {:.4f} to {:.4f}, median {:.4f}; losses of one batch of 100; one more seed "
                            "of ours would lie outside in {:.0f} % of cases",
                            low, high, sorted[sorted.size() / 2], 200.0 / (seeds + 1))});
    const int expected = static_cast<int>(i) + 1;
    const int met = counts[static_cast<std::size_t>(expected)];
    const Interval interval = wilson_interval(met, seeds);
    const bool impossible = std::string_view(variant) == "diagonal";
    report.add({fmt::format("{} router: {}", variant, claim), fmt::format("{} regions", expected),
                fmt::format("{} of {} seeds", met, seeds),
                fmt::format("{:.0f}-{:.0f} %", 100 * interval.low, 100 * interval.high), seeds,
                met > seeds / 2 ? Ruling::met
                : impossible    ? Ruling::differs
                                : Ruling::not_met,
                fmt::format("seeds with 1, 2, 3 regions: {}, {}, {}{}", counts[1], counts[2], counts[3],
                            impossible ? "; with k = 1 no gradient reaches the router, whose third row stays 0 and so "
                                         "never wins: exact training cannot make the published third region, nor "
                                         "does rounding (experiments/rounding_residue.py)"
                                       : "")});
    // Zero and diagonal routers start the same in every seed and never learn, so their regions do not vary.
    if (const double r = correlation(unevenness, loss);
        std::string_view(variant) == "xavier" && seeds > 3 && std::isfinite(r)) {
      const Interval range = correlation_interval(r, seeds);
      report.add({fmt::format("{} router: the more even the regions, the lower the loss", variant), "a correlation", r,
                  fmt::format("{:.2f} - {:.2f}", range.low, range.high), seeds, met_if(range.low > 0),
                  "paper 5; correlation over seeds of the variance of the experts' shares of the square with the loss; "
                  "spread: 95 % interval"});
    }
    losses.push_back(mean(loss));
    const ModelView model = kept_model(results, median);
    Json router = Json::array();
    for (int e = 0; e < 3; ++e) router.push_back({model.router(e)[0], model.router(e)[1]});
    panels.push_back(
        {{"title", variant}, {"loss", number(loss[median])}, {"published_loss", theirs}, {"router", router}});
  }
  report.add({"loss falls from zero over Xavier to diagonal router", "0.08 > 0.04 > 0.025",
              fmt::format("{:.4f}, {:.4f}, {:.4f}", losses[0], losses[1], losses[2]), nullptr,
              seeds_of(results_of(trained, "fig5_zero").sweep), met_if(losses[0] > losses[1] && losses[1] > losses[2]),
              "means over seeds"});
  report.picture = {{"panels", panels}};
  return report;
}

}  // namespace phasegrid::reproduce
