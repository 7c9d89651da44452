// Figures 1 and 2: how a dense model, and a mixture of three experts, represent 20 features of falling importance.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"
#include "statistics.hpp"

namespace phasegrid::reproduce {
namespace {

constexpr double kRepresented = 0.5;  // a norm from which on a feature counts as represented
constexpr int kImportant = 5;         // importance falls with the index

// One number a seed.
struct Measures {
  std::vector<double> loss, represented, interference, capacity;
  std::vector<bool> whole;  // represents each of the kImportant most important features
};

Measures measure(const Results& results) {
  Measures measures;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const ModelView model = kept_model(results, cell);
    const int n = model.shape.n_features, m = model.shape.n_hidden;
    double features = 0, pairs = 0, shared = 0;
    bool whole = true;
    for (int f = 0; f < n; ++f) {
      bool anywhere = false;
      for (int e = 0; e < model.shape.n_experts; ++e) {
        if (feature_norm(model.expert(e), n, m, f) < kRepresented) continue;
        anywhere = true;
        ++pairs;
        shared += interference(model.expert(e), n, m, f);
      }
      features += anywhere ? 1 : 0;
      whole = whole && (anywhere || f >= kImportant);
    }
    measures.loss.push_back(static_cast<double>(results.final_losses[cell]));
    measures.represented.push_back(features);
    measures.interference.push_back(pairs > 0 ? shared / pairs : 0);
    measures.capacity.push_back(total_capacity(model));
    measures.whole.push_back(whole);
  }
  return measures;
}

Report begin(const Results& results, const char* figure, const std::string& title) {
  Report report;
  report.figure = figure;
  report.title = title;
  report.device = results.device;
  report.settings = settings_of(results.sweep);
  const ModelView model = kept_model(results, 0);
  Json panels = Json::array(), indices = Json::array();
  for (int e = 0; e < model.shape.n_experts; ++e) {
    panels.push_back(expert_panel(model, e, model.shape.n_experts == 1 ? "dense" : fmt::format("expert {}", e + 1)));
    indices.push_back(e);
  }
  report.picture = {{"panels", panels},
                    {"groups", Json::array({{{"title", title + ", seed 0"}, {"panels", indices}}})}};
  return report;
}

// The other reading: biases that start at zero, as Table 1 needs them.
void add_zero_biases(Report& report, const Measures& xavier, const Measures& zero) {
  report.add(
      {"biases that start at zero instead of Xavier: final loss",
       fmt::format("{:.4f} (ours, Xavier)", mean(xavier.loss)), mean(zero.loss), standard_deviation(zero.loss),
       static_cast<int>(zero.loss.size()), Ruling::differs,
       fmt::format("represented features {:.1f} instead of {:.1f}, their mean interference {:.3f} instead of {:.3f}",
                   mean(zero.represented), mean(xavier.represented), mean(zero.interference),
                   mean(xavier.interference))});
}

void add_capacity(Report& report, const Results& results, const Measures& measures) {
  const double most = results.sweep.shape.n_experts * results.sweep.shape.n_hidden;
  const double got = mean(measures.capacity);
  report.add({"total capacity (sum of feature dimensionalities) is about E m", most, got,
              standard_deviation(measures.capacity), static_cast<int>(measures.capacity.size()),
              met_if(std::abs(got - most) <= 0.1 * most), "paper 3.2; within 10 %"});
}

}  // namespace

Report analyse_fig1(const Trained& trained, const Json& published) {
  const Results& dense = results_of(trained, "fig1_xavier_biases");
  const Measures ours = measure(dense);
  Report report = begin(dense, "fig1", "Figure 1: a dense model, n = 20, m = 6");
  const double loss = published.at("fig1").at("final_loss").get<double>();
  const double low = std::ranges::min(ours.loss), high = std::ranges::max(ours.loss);
  const int seeds = static_cast<int>(ours.loss.size());
  report.add(
      {"final loss of the authors' run lies among those of our seeds", loss, mean(ours.loss),
       standard_deviation(ours.loss), seeds, met_if(low <= loss && loss <= high),
       fmt::format("ours run from {:.4f} to {:.4f}; one more seed of ours would lie outside in {:.0f} % of cases", low,
                   high, 200.0 / (seeds + 1))});
  std::vector<double> whole, others;
  for (std::size_t i = 0; i < ours.loss.size(); ++i) (ours.whole[i] ? whole : others).push_back(ours.loss[i]);
  report.add({fmt::format("final loss of the seeds that represent all of the {} most important features", kImportant),
              nullptr, number(mean(whole)), number(standard_deviation(whole)), static_cast<int>(whole.size()),
              Ruling::recorded, fmt::format("of the {} others: {:.4f}", others.size(), mean(others))});
  add_capacity(report, dense, ours);
  const Measures zero = measure(results_of(trained, "fig1_zero_biases"));
  add_zero_biases(report, ours, zero);
  const double highest = std::ranges::max(zero.loss);
  report.add({"the authors' final loss, from biases that start at zero", loss, mean(zero.loss),
              standard_deviation(zero.loss), static_cast<int>(zero.loss.size()),
              std::ranges::min(zero.loss) <= loss && loss <= highest ? Ruling::met : Ruling::differs,
              fmt::format("ours run from {:.4f} to {:.4f}{}", std::ranges::min(zero.loss), highest,
                          loss > highest && loss <= high
                              ? ": if its other settings are these, the authors' run had Xavier biases"
                              : "")});
  return report;
}

Report analyse_fig2(const Trained& trained, const Json&) {
  const Results& moe = results_of(trained, "fig2_xavier_biases");
  const Measures mixture = measure(moe), dense = measure(results_of(trained, "fig1_xavier_biases"));
  const Measures mixture_zero = measure(results_of(trained, "fig2_zero_biases")),
                 dense_zero = measure(results_of(trained, "fig1_zero_biases"));
  Report report = begin(moe, "fig2", "Figure 2: a mixture of experts, n = 20, m = 2, E = 3, k = 1");
  const int seeds = static_cast<int>(mixture.loss.size());
  const double ratio = mean(mixture.represented) / mean(dense.represented);
  report.add({"it represents about as many features as the dense model",
              fmt::format("{:.1f} (ours, dense)", mean(dense.represented)), mean(mixture.represented),
              standard_deviation(mixture.represented), seeds, met_if(ratio > 0.75 && ratio < 4.0 / 3),
              "features of a norm of at least 0.5 in some expert; within a quarter"});
  const double less = mean(mixture.interference) / mean(dense.interference);
  report.add(
      {"its features interfere far less", fmt::format("{:.3f} (ours, dense)", mean(dense.interference)),
       mean(mixture.interference), standard_deviation(mixture.interference), seeds, met_if(less < 0.5),
       fmt::format("mean interference of represented features; {:.2f} of the dense model's, \"far less\" read as "
                   "less than half",
                   less)});
  report.add({"final loss", nullptr, mean(mixture.loss), standard_deviation(mixture.loss), seeds, Ruling::recorded,
              "not published"});
  add_capacity(report, moe, mixture);
  add_zero_biases(report, mixture, mixture_zero);
  report.add({"with zero biases: its features interfere far less",
              fmt::format("{:.3f} (ours, dense)", mean(dense_zero.interference)), mean(mixture_zero.interference),
              standard_deviation(mixture_zero.interference), seeds,
              met_if(mean(mixture_zero.interference) < 0.5 * mean(dense_zero.interference)), "the same measure"});
  return report;
}

}  // namespace phasegrid::reproduce
