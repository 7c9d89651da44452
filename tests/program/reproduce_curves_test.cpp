// Figures 1 to 4, 7 and 8 on models made by hand: known weights, known verdicts.
#include <gtest/gtest.h>

#include <cmath>

#include "support/reproduce_models.hpp"

namespace phasegrid::reproduce {
namespace {

using testing::add_results;
using testing::OwnedModel;
using testing::published;
using testing::ruling_on;
using testing::sweep_of;
using testing::sweeps_of;
using testing::verdict_on;

// ---------------------------------------------------------------- Figures 1 and 2

const std::vector<std::string> kTwoSeeds = {"axes.seed=[0, 1]"};

// Every hidden unit of every expert carries `shared` features of norm 1; W_i . W_j = 1 between those of one unit.
void fill_units(OwnedModel& model, int shared) {
  int feature = 0;
  for (int e = 0; e < model.shape.n_experts; ++e) {
    for (int h = 0; h < model.shape.n_hidden; ++h) {
      for (int i = 0; i < shared && feature < model.shape.n_features; ++i) model.W(e, feature++, h) = 1;
    }
  }
}

Trained bars(int dense_shared, int mixture_shared, float dense_losses[2]) {
  Trained trained;
  for (const Sweep& sweep : sweeps_of("fig1", kTwoSeeds)) {
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
      fill_units(model, dense_shared);
      return dense_losses[cell];
    });
  }
  for (const Sweep& sweep : sweeps_of("fig2", kTwoSeeds)) {
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t) {
      fill_units(model, mixture_shared);
      return 0.03f;
    });
  }
  return trained;
}

TEST(ReproduceFigure1, LossAmongTheSeedsAndCapacity) {
  float around[] = {0.02f, 0.04f};
  const Report report = analyse_fig1(bars(1, 1, around), published());
  EXPECT_EQ(ruling_on(report, {"authors' run lies among"}), Ruling::met);
  EXPECT_EQ(ruling_on(report, {"total capacity"}), Ruling::met);
  EXPECT_EQ(verdict_on(report, {"total capacity"}).ours, 6.0);
  EXPECT_EQ(verdict_on(report, {"most important features"}).seeds, 2);  // both represent features 1 to 6
  EXPECT_EQ(report.picture.at("panels").size(), 1u);
  EXPECT_EQ(report.picture.at("panels")[0].at("gram").size(), 20u);
  float below[] = {0.004f, 0.006f};
  EXPECT_EQ(ruling_on(analyse_fig1(bars(1, 1, below), published()), {"authors' run lies among"}), Ruling::not_met);
}

TEST(ReproduceFigure1, TheBiasesOfTheAuthorsRunAreNamedOnlyWhereOneReadingReachesTheirLoss) {
  Trained trained;
  for (const auto& [variant, low, high] :
       {std::tuple("xavier_biases", 0.004f, 0.06f), std::tuple("zero_biases", 0.004f, 0.008f)}) {
    add_results(trained, sweep_of("fig1", variant, kTwoSeeds), [&](OwnedModel& model, std::size_t cell) {
      fill_units(model, 1);
      return cell == 0 ? low : high;
    });
  }
  const Verdict& verdict = verdict_on(analyse_fig1(trained, published()), {"the authors' final loss, from biases"});
  EXPECT_EQ(verdict.ruling, Ruling::differs);
  EXPECT_NE(verdict.note.find("had Xavier biases"), std::string::npos);
}

TEST(ReproduceFigure2, InterferenceAgainstTheDenseModel) {
  float losses[] = {0.02f, 0.04f};
  // Three features a unit: each has an interference of 2. One a unit: none.
  const Report less = analyse_fig2(bars(3, 1, losses), published());
  EXPECT_EQ(ruling_on(less, {"with zero biases: its"}), Ruling::met);
  EXPECT_EQ(verdict_on(less, {"with zero biases: its"}).ours, 0.0);
  EXPECT_EQ(ruling_on(less, {"about as many features"}), Ruling::not_met);  // 6 against 18
  const Report equal = analyse_fig2(bars(2, 2, losses), published());
  EXPECT_EQ(ruling_on(equal, {"with zero biases: its"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(equal, {"about as many features"}), Ruling::met);
  EXPECT_EQ(ruling_on(equal, {"total capacity"}), Ruling::met);
  EXPECT_EQ(equal.picture.at("panels").size(), 3u);
}

// ---------------------------------------------------------------- Figures 3 and 7

// Models whose features per dimension are `published x factor`, with every expert alike, and losses given by density.
Trained curves(const std::function<double(const std::string&, double density, std::size_t seed)>& factor,
               const std::function<double(const std::string&, double density)>& loss,
               const std::vector<std::string>& set = {"axes.seed=[0, 1, 2]"}) {
  Trained trained;
  for (const Sweep& sweep : sweeps_of("fig3", set)) {
    const std::string variant = sweep.name.substr(5);
    const std::vector<double> sparsities = Grid(sweep).dimensions()[0].values;
    const std::size_t seeds = Grid(sweep).cells() / sparsities.size();
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
      const std::size_t d = cell / seeds;
      const double density = 1 - sparsities[d];
      const double features =
          published().at("fig3").at(variant)[d].get<double>() * factor(variant, density, cell % seeds);
      // sum_e p_e ||W_e||^2 / m / k = n w^2 / k.
      const double w = std::sqrt(features * model.shape.top_k / model.shape.n_features);
      for (int i = 0; i < model.shape.weight_count(); ++i)
        model.parameters[static_cast<std::size_t>(i)] = static_cast<float>(w);
      return static_cast<float>(loss(variant, density));
    });
  }
  return trained;
}

double flat(const std::string&, double, std::size_t) { return 1; }
double some_loss(const std::string& variant, double) { return variant == "dense_m20" ? 0.05 : 0.06; }

TEST(ReproduceFigure3, PublishedValuesAreMet) {
  const Report report = analyse_fig3(curves(flat, some_loss), published());
  EXPECT_EQ(ruling_on(report, {"all architectures"}), Ruling::met);
  EXPECT_EQ(verdict_on(report, {"all architectures"}).published, "120 points");
  EXPECT_EQ(verdict_on(report, {"all architectures"}).ours, "100.0 %");
  EXPECT_EQ(verdict_on(report, {"all architectures"}).seeds, 3);
  for (const auto& [k, words] : {std::pair(2, "10 experts"), std::pair(5, "20 experts")}) {
    const Verdict& verdict = verdict_on(report, {words, "without the authors' 1/k"});
    EXPECT_EQ(verdict.ruling, Ruling::differs);
    EXPECT_NEAR(verdict.ours.get<double>(), k * verdict.published.get<double>(), 1e-9);
  }
  ASSERT_EQ(report.picture.at("series").size(), 4u);
  for (std::size_t d = 0; d < 30; ++d) {
    const Json& series = report.picture.at("series")[2];
    EXPECT_NEAR(series.at("mean")[d].get<double>(), series.at("published")[d].get<double>(), 1e-5);
  }
}

TEST(ReproduceFigure3, FourPercentOrThreeDeviations) {
  const auto dense = std::vector<std::string>{"dense, m = 20: published points"};
  auto with = [&](double factor, double scatter) {
    return analyse_fig3(curves([=](const std::string&, double,
                                   std::size_t seed) { return factor + scatter * (static_cast<double>(seed) - 1); },
                               some_loss),
                        published());
  };
  EXPECT_EQ(ruling_on(with(1.035, 0), dense), Ruling::met);        // 3.4 % of ours
  EXPECT_EQ(ruling_on(with(1.06, 0), dense), Ruling::not_met);     // 5.7 %
  EXPECT_EQ(ruling_on(with(1.06, 0.03), dense), Ruling::met);      // two deviations
  EXPECT_EQ(ruling_on(with(1.10, 0.03), dense), Ruling::not_met);  // more than three
}

TEST(ReproduceFigure3, PointsOutsideAreNamedAndCounted) {
  // Two of thirty dense points off: 93 % of those, 98 % of all.
  const Report report = analyse_fig3(
      curves(
          [](const std::string& variant, double density, std::size_t) {
            return variant == "dense_m20" && (std::abs(density - 0.5) < 1e-9 || std::abs(density - 0.1) < 1e-9) ? 1.2
                                                                                                                : 1.0;
          },
          some_loss),
      published());
  const Verdict& dense = verdict_on(report, {"dense, m = 20: published points"});
  EXPECT_EQ(dense.ruling, Ruling::not_met);
  EXPECT_EQ(dense.ours, "28 within");
  EXPECT_NE(dense.note.find("p = 0.50"), std::string::npos);
  EXPECT_NE(dense.note.find("p = 0.10"), std::string::npos);
  EXPECT_EQ(ruling_on(report, {"all architectures"}), Ruling::met);
}

TEST(ReproduceFigure3, OneSeedHasNoDeviationAndIsHeldToFourPercent) {
  const Report report = analyse_fig3(curves(flat, some_loss, {"axes.seed=[0]"}), published());
  EXPECT_EQ(ruling_on(report, {"all architectures"}), Ruling::met);
}

double published_loss(const std::string& variant, double density) {
  const Json& values = published().at("fig7").at(variant);
  const std::size_t i = density > 0.75 ? 0 : density > 0.3 ? 1 : 2;
  return std::exp(values[i].get<double>());
}

TEST(ReproduceFigure7, LogLossWithinThreeHundredths) {
  const Report report = analyse_fig7(curves(flat, published_loss), published());
  int points = 0;
  for (const Verdict& verdict : report.verdicts) {
    if (verdict.claim.find("log loss at") == std::string::npos) continue;
    EXPECT_EQ(verdict.ruling, Ruling::met) << verdict.claim;
    ++points;
  }
  EXPECT_EQ(points, 12);
  EXPECT_EQ(ruling_on(report, {"dense model's loss is the lowest"}), Ruling::met);
  // The read-off curves themselves: 10 and 20 experts are below 4, but the text's 0.03 to 0.08 is not in them.
  EXPECT_EQ(ruling_on(report, {"the mixtures' losses are above"}), Ruling::differs);
  const Report high = analyse_fig7(
      curves(flat, [](const std::string& v, double d) { return 1.04 * published_loss(v, d); }), published());
  EXPECT_EQ(ruling_on(high, {"dense, m = 20: log loss at 1/p = 10"}), Ruling::not_met);
}

TEST(ReproduceFigure7, OrderOfTheCurves) {
  const auto by_experts = [](const std::string& variant, double) {
    return variant == "dense_m20"         ? 0.05
           : variant == "experts4_m5_k1"  ? 0.09
           : variant == "experts10_m2_k2" ? 0.088
                                          : 0.085;
  };
  const Report report = analyse_fig7(curves(flat, by_experts), published());
  EXPECT_EQ(ruling_on(report, {"the more experts, the closer"}), Ruling::met);
  EXPECT_EQ(ruling_on(report, {"the mixtures' losses are above"}), Ruling::met);  // by 0.035 to 0.04
  const Report swapped =
      analyse_fig7(curves(flat, [&](const std::string& v,
                                    double d) { return v == "experts20_m1_k5" && d > 0.99 ? 0.04 : by_experts(v, d); }),
                   published());
  EXPECT_EQ(ruling_on(swapped, {"dense model's loss is the lowest"}), Ruling::not_met);
  EXPECT_EQ(verdict_on(swapped, {"dense model's loss is the lowest"}).ours, "29 of 30");
}

// ---------------------------------------------------------------- Figures 4 and 8

const std::vector<std::string> kDiagram = {"restarts=1", "axes.sparsity={ start = 0.05, stop = 0.95, step = 0.05 }",
                                           "axes.last_importance={ start = 0.1, stop = 2.9, step = 0.2 }"};

// Dense: one step of the last feature's norm along importance. Mixture: `of(row, column, expert)`.
Trained diagrams(
    const std::function<double(std::size_t, std::size_t, int)>& of,
    const std::function<double(std::size_t, int)>& loss = [](std::size_t, int E) { return 0.1 / E; }) {
  Trained trained;
  for (const char* name : {"fig4_211", "fig4_212"}) {
    const Sweep sweep = sweeps_of(name, kDiagram).front();
    const std::size_t columns = Grid(sweep).extents()[1];
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
      const std::size_t r = cell / columns, c = cell % columns;
      const int E = model.shape.n_experts;
      for (int e = 0; e < E; ++e)
        model.W(e, 1, 0) = static_cast<float>(E == 1 ? (c < columns / 2 ? 0 : 1) : of(r, c, e));
      return static_cast<float>(loss(cell, E));
    });
  }
  return trained;
}

TEST(ReproduceBoundaries, AStepAGradualChangeAndARoughField) {
  const auto gradual = [](std::size_t r, std::size_t c, int) { return 0.03 * static_cast<double>(r + c); };
  const Report smooth = analyse_boundaries(diagrams(gradual));
  EXPECT_EQ(ruling_on(smooth, {"A/1 dense", "norm"}), Ruling::recorded);
  EXPECT_NEAR(verdict_on(smooth, {"A/1 dense", "norm"}).ours.get<double>(), 1, 1e-12);
  EXPECT_EQ(ruling_on(smooth, {"A/2 expert 1", "norm"}), Ruling::met);
  EXPECT_EQ(ruling_on(smooth, {"A/2 largest norm"}), Ruling::met);
  // As abrupt as the dense model.
  const Report step = analyse_boundaries(diagrams([](std::size_t, std::size_t c, int) { return c < 7 ? 0.0 : 1.0; }));
  EXPECT_EQ(ruling_on(step, {"A/2 expert 1", "norm"}), Ruling::not_met);
  // To and fro between neighbours with jumps of 2: low concentration, and not gradual at all.
  const Report rough =
      analyse_boundaries(diagrams([](std::size_t r, std::size_t c, int) { return 2.0 * ((r + c) % 2); }));
  EXPECT_EQ(ruling_on(rough, {"A/2 expert 1", "norm"}), Ruling::differs);
  EXPECT_EQ(rough.picture.at("rows").size(), 2u * 3);  // norm and interference of A/1 and both experts of A/2
}

TEST(ReproduceBoundaries, SwappedExpertNumbersAreRoughInEachExpertButNotInTheLargestNorm) {
  const auto swapped = [](std::size_t r, std::size_t c, int e) {
    return (static_cast<int>(r + c) % 2 == e ? 2.0 : 0.0) + 0.01 * static_cast<double>(r + c);
  };
  const Report report = analyse_boundaries(diagrams(swapped));
  EXPECT_EQ(ruling_on(report, {"A/2 expert 1", "norm"}), Ruling::differs);
  EXPECT_EQ(ruling_on(report, {"A/2 expert 2", "norm"}), Ruling::differs);
  EXPECT_EQ(ruling_on(report, {"A/2 largest norm"}), Ruling::met);
}

TEST(ReproduceStarved, CountsExpertsThatOnlyAllZeroInputsReach) {
  Trained trained;
  const Sweep sweep = sweeps_of("fig4_212", kDiagram).front();
  const Grid grid(sweep);
  int crowded = 0;
  add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
    const double S = grid.cell(cell).sparsity[0];
    crowded += S * S > 0.5 ? 1 : 0;
    // At high sparsity every input that is not all zero goes to the second expert; else the larger feature decides.
    for (int f = 0; f < 2; ++f) {
      model.G(0, f) = S * S <= 0.5 && f == 0 ? 1 : 0;
      model.G(1, f) = S * S > 0.5 || f == 1 ? 1 : 0;
    }
    return 0.1f;
  });
  const double share = 100.0 * crowded / static_cast<double>(grid.cells());
  const Report report = analyse_starved(trained);
  ASSERT_EQ(report.verdicts.size(), 2u);
  EXPECT_NEAR(verdict_on(report, {"212", "expert 1"}).ours.get<double>(), share, 1e-9);
  EXPECT_NE(verdict_on(report, {"212", "expert 1"}).note.find("100 % where S^n > 1/E, 0 % elsewhere"),
            std::string::npos);
  EXPECT_EQ(verdict_on(report, {"212", "expert 2"}).ours.get<double>(), 0);
  EXPECT_TRUE(analyse_starved(diagrams([](std::size_t, std::size_t, int) { return 1.0; })).verdicts.size() == 2u);
}

TEST(ReproduceFigure8, MeanLossAndItsLocalVariation) {
  const auto plain = [](std::size_t, std::size_t, int) { return 1.0; };
  const auto rough_mixture = [](std::size_t cell, int E) { return 0.1 / E + (E > 1 && cell % 2 ? 0.01 : 0); };
  const Report report = analyse_fig8(diagrams(plain, rough_mixture));
  EXPECT_EQ(ruling_on(report, {"A: the mean reconstruction loss falls"}), Ruling::met);
  EXPECT_EQ(ruling_on(report, {"A: the loss varies more"}), Ruling::met);
  const auto reverse = [](std::size_t cell, int E) { return 0.1 * E + (E == 1 && cell % 2 ? 0.01 : 0); };
  const Report other = analyse_fig8(diagrams(plain, reverse));
  EXPECT_EQ(ruling_on(other, {"A: the mean reconstruction loss falls"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(other, {"A: the loss varies more"}), Ruling::not_met);
}

TEST(ReproduceFigure8, ColoursOfAPanelDependOnItsScale) {
  // Interference of the last feature is W_1^2: 1 in the dense model's cells, a tenth in the mixture's.
  Trained trained;
  for (const auto& [name, w] : {std::pair("fig4_211", 1.0), std::pair("fig4_212", 0.3)}) {
    add_results(trained, sweeps_of(name, kDiagram).front(), [&](OwnedModel& model, std::size_t) {
      for (int e = 0; e < model.shape.n_experts; ++e) {
        model.W(e, 0, 0) = static_cast<float>(w);
        model.W(e, 1, 0) = 1;
      }
      return 0.1f;
    });
  }
  // By its own scale every panel is all red, by one scale those of the mixture are not at all.
  EXPECT_NEAR(verdict_on(analyse_fig8(trained), {"A: one colour scale"}).ours.get<double>(), 100, 1e-9);
}

}  // namespace
}  // namespace phasegrid::reproduce
