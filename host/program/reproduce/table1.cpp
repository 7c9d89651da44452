// Table 1: how many features ten experts represent monosemantically, and when the router uses them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"
#include "statistics.hpp"

namespace phasegrid::reproduce {
namespace {

constexpr int kSamples = 8192;
constexpr int kMostFeatures = 5;

// Experts with so many monosemantic features: their number and mean usages in percent.
struct Row {
  std::vector<double> random, together, alone;
  std::vector<double> dense_together;  // the other reading: all features present, the chosen at 1
  int experts = 0;
};

// Usage of expert e, in percent.
double percent(const ModelView& model, std::span<const float> inputs, int e) {
  return 100 * expert_usage(model, inputs, Inputs::all).active[static_cast<std::size_t>(e)];
}

std::vector<Row> measure(const Results& results, bool other_reading) {
  std::vector<Row> rows(kMostFeatures + 1);
  const Shape& shape = results.sweep.shape;
  const auto n = static_cast<std::size_t>(shape.n_features);
  const std::vector<double> sparsity = Grid(results.sweep).cell(0).sparsity;
  const std::vector<float> random = draw_inputs(sparsity, kSamples, 1);
  // One common draw a sample, whatever the chosen features: the first column of features drawn alone.
  const int first[] = {0};
  const std::vector<float> draws = draw_inputs(sparsity, kSamples, 1, first, Presence::alone);
  const std::vector<float> full = draw_inputs(std::vector<double>(n, 0.0), kSamples, 2);
  auto with = [&](std::vector<float> inputs, const std::vector<int>& chosen, auto value) {
    for (std::size_t i = 0; i < kSamples; ++i) {
      for (int f : chosen) inputs[i * n + static_cast<std::size_t>(f)] = value(i);
    }
    return inputs;
  };
  const auto drawn = [&](std::size_t i) { return draws[i * n]; };
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const ModelView model = kept_model(results, cell);
    const ExpertUsage usage = expert_usage(model, random, Inputs::all);
    for (int e = 0; e < shape.n_experts; ++e) {
      const std::vector<int> own = monosemantic_features(model.expert(e), shape.n_features, shape.n_hidden);
      Row& row = rows[std::min<std::size_t>(own.size(), kMostFeatures)];
      ++row.experts;
      if (own.empty()) continue;
      row.random.push_back(100 * usage.active[static_cast<std::size_t>(e)]);
      row.together.push_back(percent(model, with(random, own, drawn), e));
      row.alone.push_back(percent(model, with(std::vector<float>(random.size()), own, drawn), e));
      if (other_reading) {
        row.dense_together.push_back(percent(model, with(full, own, [](std::size_t) { return 1.0f; }), e));
      }
    }
  }
  return rows;
}

// The criterion is 2 points, whatever chance allows: the note of a miss says whether the means of so many experts as
// theirs and ours may differ by as much.
void add_usage(Report& report, const std::string& what, const Json& theirs, int their_experts,
               const std::vector<double>& ours, int seeds) {
  if (theirs.is_null() || their_experts <= 50 || ours.size() < 2) return;
  const double spread = standard_deviation(ours);
  const double error = spread * std::sqrt(1.0 / their_experts + 1.0 / static_cast<double>(ours.size()));
  const double difference = std::abs(mean(ours) - theirs.get<double>());
  const bool near = difference <= 2;
  report.add({what, theirs, mean(ours), spread, seeds, met_if(near),
              near ? "within 2 percentage points; spread: over experts"
                   : fmt::format("{:.1f} points apart where 2 were asked for; the standard error of the difference is "
                                 "{:.1f}, so it is {} what chance makes of {} and {} experts in 99 % of cases",
                                 difference, error, difference <= 2.576 * error ? "within" : "beyond", their_experts,
                                 ours.size())});
}

}  // namespace

Report analyse_table1(const Trained& trained, const Json& published) {
  Report report;
  report.figure = "table1";
  report.title = "Table 1: monosemantic features and expert usage";
  Json tables = Json::array();
  std::vector<std::vector<Row>> all;
  for (const auto& [variant, title] : {std::pair("xavier", "Xavier"), std::pair("k_hot", "random k-hot")}) {
    const Results& results = results_of(trained, std::string("table1_") + variant);
    if (report.device.empty()) {
      report.device = results.device;
      report.settings = settings_of(results.sweep);
    }
    const int seeds = static_cast<int>(results.cells()), experts = seeds * results.sweep.shape.n_experts;
    const std::vector<Row> rows = measure(results, std::string_view(variant) == "k_hot");
    all.push_back(rows);
    const Json& reference = published.at("table1").at(variant);
    Json table = Json::array();
    for (int features = 0; features <= kMostFeatures; ++features) {
      const auto i = static_cast<std::size_t>(features);
      const int theirs = reference.at("experts")[i].get<int>();
      const CountRange range = compatible_counts(theirs, 1000, experts);
      const bool inside = range.low <= rows[i].experts && rows[i].experts <= range.high;
      report.add({fmt::format("{}: experts with {} monosemantic features", title, features), theirs,
                  1000.0 * rows[i].experts / experts,
                  fmt::format("{:.0f}-{:.0f}", 1000.0 * range.low / experts, 1000.0 * range.high / experts), seeds,
                  met_if(inside), "per 1,000; spread: what 99 % of equal experiments would count"});
      const std::string with = fmt::format("{}, experts with {}: usage (%)", title, features);
      add_usage(report, with + ", random inputs", reference.at("usage")[i], theirs, rows[i].random, seeds);
      add_usage(report, with + ", feature(s) active", reference.at("usage_active")[i], theirs, rows[i].together, seeds);
      add_usage(report, with + ", only feature(s) active", reference.at("usage_only")[i], theirs, rows[i].alone, seeds);
      table.push_back({features, rows[i].experts, theirs, range.low, range.high, number(mean(rows[i].random)),
                       reference.at("usage")[i], number(mean(rows[i].together)), reference.at("usage_active")[i],
                       number(mean(rows[i].alone)), reference.at("usage_only")[i]});
    }
    tables.push_back(
        {{"title", title},
         {"columns",
          {"monosemantic features", "experts", "published experts", "low", "high", "usage", "published usage",
           "usage, features active", "published", "usage, only features active", "published"}},
         {"rows", table}});
  }

  // The two readings of "feature(s) active".
  const Results& k_hot = results_of(trained, "table1_k_hot");
  for (std::size_t features = 1; features <= 2; ++features) {
    report.add(
        {fmt::format("k-hot: usage with {} feature(s) active, if all features are present and those at 1 (%)",
                     features),
         published.at("table1").at("k_hot").at("usage_active")[features], number(mean(all[1][features].dense_together)),
         nullptr, static_cast<int>(k_hot.cells()), Ruling::differs,
         fmt::format(
             "the notebook's last state; the published numbers are those of p = 0.1 and one uniform draw ({:.2f})",
             mean(all[1][features].together))});
  }
  // Biases as the public code starts them.
  const Results& zero = results_of(trained, "table1_xavier");
  const Results& biased = results_of(trained, "table1_xavier_biases");
  auto mean_loss = [](const Results& results) {
    std::vector<double> losses(results.final_losses.begin(), results.final_losses.end());
    return mean(losses);
  };
  const std::vector<Row> rows = measure(biased, false);
  const int experts = static_cast<int>(biased.cells()) * biased.sweep.shape.n_experts;
  std::string counts;
  for (const Row& row : rows)
    counts += fmt::format("{}{:.0f}", counts.empty() ? "" : ", ", 1000.0 * row.experts / experts);
  report.add({"Xavier biases instead of zero: final loss, as a multiple", "twice as high (code against log)",
              mean_loss(biased) / mean_loss(zero), nullptr, static_cast<int>(biased.cells()), Ruling::differs,
              fmt::format("loss {:.3g} against {:.3g}; experts per 1,000 with 0 to 5 monosemantic features: {}",
                          mean_loss(biased), mean_loss(zero), counts)});
  report.add({"final loss from zero biases", published.at("table1").at("final_loss"), mean_loss(zero), nullptr,
              static_cast<int>(zero.cells()),
              met_if(std::abs(mean_loss(zero) / published.at("table1").at("final_loss").get<double>() - 1) < 0.05),
              "the authors' log; within 5 %"});
  report.picture = {{"tables", tables}};
  return report;
}

}  // namespace phasegrid::reproduce
