// Figures 5 and 6, Table 1, the appendix and the findings on models made by hand: known weights, known verdicts.
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

// ---------------------------------------------------------------- Figure 5

Trained planes(const std::function<int(const std::string& variant, std::size_t cell)>& regions,
               const std::function<float(const std::string& variant, std::size_t cell)>& loss) {
  Trained trained;
  for (const Sweep& sweep : sweeps_of("fig5", {"axes.seed={ start = 0, stop = 9, step = 1 }"})) {
    const std::string variant = sweep.name.substr(5);
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
      const int count = regions(variant, cell);
      if (count >= 2) model.G(1, 0) = 1, model.G(0, 1) = 1;        // expert 2 where x_1 > x_2
      if (count >= 3) model.G(2, 0) = 0.7f, model.G(2, 1) = 0.7f;  // expert 3 between
      return loss(variant, cell);
    });
  }
  return trained;
}

float published_loss(const std::string& variant, std::size_t cell) {
  return static_cast<float>(published().at("fig5").at(variant).get<double>() +
                            0.001 * (static_cast<double>(cell) - 4.5));
}

TEST(ReproduceFigure5, AsPublished) {
  const Report report = analyse_fig5(
      planes([](const std::string& v, std::size_t) { return v == "zero"     ? 1
                                                            : v == "xavier" ? 2
                                                                            : 3; }, published_loss),
      published());
  for (const Verdict& verdict : report.verdicts) EXPECT_EQ(verdict.ruling, Ruling::met) << verdict.claim;
  EXPECT_EQ(verdict_on(report, {"diagonal router: distributes"}).ours, "10 of 10 seeds");
  ASSERT_EQ(report.picture.at("panels").size(), 3u);
  const Json& router = report.picture.at("panels")[2].at("router");
  ASSERT_EQ(router.size(), 3u);
  EXPECT_EQ(router[0], Json::parse("[0.0, 1.0]"));
  EXPECT_EQ(router[1], Json::parse("[1.0, 0.0]"));
  EXPECT_NEAR(router[2][0].get<double>(), 0.7, 1e-6);
}

TEST(ReproduceFigure5, OtherRegionsAndLosses) {
  const Report report = analyse_fig5(planes(
                                         [](const std::string& v, std::size_t cell) {
                                           return v == "zero" ? 1 : v == "xavier" ? (cell < 4 ? 2 : 1) : 2;
                                         },
                                         [](const std::string&, std::size_t) { return 0.05f; }),
                                     published());
  EXPECT_EQ(ruling_on(report, {"zero router: routes all"}), Ruling::met);
  EXPECT_EQ(ruling_on(report, {"xavier router: routes a small"}), Ruling::not_met);
  EXPECT_EQ(verdict_on(report, {"xavier router: routes a small"}).ours, "4 of 10 seeds");
  EXPECT_EQ(ruling_on(report, {"diagonal router: distributes"}), Ruling::differs);
  EXPECT_EQ(ruling_on(report, {"zero router: published loss"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(report, {"loss falls from zero"}), Ruling::not_met);
}

TEST(ReproduceFigure5, EvenRegionsAndLowLosses) {
  const auto regions = [](const std::string& v, std::size_t cell) {
    return v == "xavier" ? (cell % 2 == 0 ? 2 : 1) : 1;
  };
  const auto with = [&](float even, float odd) {
    return analyse_fig5(planes(regions,
                               [=](const std::string&, std::size_t cell) {
                                 return (cell % 2 == 0 ? even : odd) + 0.001f * static_cast<float>(cell);
                               }),
                        published());
  };
  EXPECT_EQ(ruling_on(with(0.02f, 0.09f), {"the more even the regions"}), Ruling::met);
  EXPECT_EQ(ruling_on(with(0.09f, 0.02f), {"the more even the regions"}), Ruling::not_met);
}

// ---------------------------------------------------------------- Figure 6

using Fill = std::function<void(OwnedModel&, const std::vector<double>& importance)>;

// Puts `features` on hidden units of their own in expert e.
void represent(OwnedModel& model, int e, const std::vector<int>& features) {
  for (std::size_t h = 0; h < features.size(); ++h) model.W(e, features[h], static_cast<int>(h)) = 1;
}

std::vector<int> five_from(int first) { return {first, first + 1, first + 2, first + 3, first + 4}; }

Trained router_inits(const std::map<std::string, Fill>& fills) {
  Trained trained;
  for (const Sweep& sweep : sweeps_of("fig6", {"axes.seed=[0, 1, 2, 3]"})) {
    const std::vector<double> importance = Grid(sweep).cell(0).importance;
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t) {
      const std::string variant = sweep.name.substr(5);
      for (int e = 0; e < 4; ++e) {
        if (variant == "a_diagonal") model.G(e, e) = 1;
        if (variant == "b_described" || variant == "c_random" || variant == "d_uniform") {
          for (int f : five_from(5 * e)) model.G(e, f) = 1;
        }
      }
      if (const auto fill = fills.find(variant); fill != fills.end()) fill->second(model, importance);
      return 0.01f;
    });
  }
  return trained;
}

int most_important(const std::vector<double>& importance, int e) {
  const auto first = importance.begin() + 5 * e;
  return static_cast<int>(std::max_element(first, first + 5) - importance.begin());
}

TEST(ReproduceFigure6, AsTheTextSays) {
  const Fill own = [](OwnedModel& m, const std::vector<double>&) {
    for (int e = 0; e < 4; ++e) represent(m, e, {e});
  };
  const Fill four = [](OwnedModel& m, const std::vector<double>&) { represent(m, 0, {0, 1, 2, 3}); };
  const Fill best = [](OwnedModel& m, const std::vector<double>& importance) {
    for (int e = 0; e < 4; ++e) represent(m, e, {most_important(importance, e)});
  };
  const Report report = analyse_fig6(
      router_inits({{"a_diagonal", own}, {"b_described", four}, {"b_published", four}, {"c_random", best}}),
      published());
  for (const char* claim :
       {"(a) each expert", "(a) and no other", "(b) as described: expert 1", "(b) as described: the others",
        "(b) as published (zero router)", "(b) as published: the others", "(c) each expert", "(c) and only that one",
        "(c) the same, counted", "all features are in superposition"}) {
    EXPECT_EQ(ruling_on(report, {claim}), Ruling::met) << claim;
  }
  EXPECT_EQ(verdict_on(report, {"(a) each expert"}).ours, "4 of 4 seeds");
  EXPECT_EQ(report.picture.at("panels").size(), 16u);
  EXPECT_EQ(report.picture.at("panels")[1].at("start")[1], 1.0);
  EXPECT_EQ(report.picture.at("panels")[1].at("start")[0], 0.0);
}

TEST(ReproduceFigure6, MissesAreCounted) {
  // (a) a second feature beside its own; (b) the others represent one of their own; (c) the wrong feature.
  const Fill second = [](OwnedModel& m, const std::vector<double>&) {
    for (int e = 0; e < 4; ++e) represent(m, e, {e, e + 8});
  };
  const Fill three = [](OwnedModel& m, const std::vector<double>&) {
    represent(m, 0, {0, 1, 2});
    represent(m, 1, {5});
  };
  const Fill wrong = [](OwnedModel& m, const std::vector<double>& importance) {
    for (int e = 0; e < 4; ++e) represent(m, e, {(most_important(importance, e) + 5) % 20});
  };
  const Report report = analyse_fig6(
      router_inits({{"a_diagonal", second}, {"b_described", three}, {"c_random", wrong}, {"d_uniform", second}}),
      published());
  EXPECT_EQ(ruling_on(report, {"(a) each expert"}), Ruling::met);
  EXPECT_EQ(ruling_on(report, {"(a) and no other"}), Ruling::not_met);
  // The published reading does not show four either, so the zero router explains nothing.
  EXPECT_EQ(ruling_on(report, {"(b) as described: expert 1"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(report, {"(b) as published (zero router)"}), Ruling::not_met);
  // This one it does explain.
  EXPECT_EQ(ruling_on(report, {"(b) as described: the others"}), Ruling::differs);
  EXPECT_EQ(ruling_on(report, {"(c) each expert"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(report, {"(c) the same, counted"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(report, {"all features are in superposition"}), Ruling::not_met);
}

TEST(ReproduceFigure6, ASharedUnitIsNotMonosemantic) {
  const Fill shared = [](OwnedModel& m, const std::vector<double>&) {
    for (int e = 0; e < 4; ++e) {
      m.W(e, e, 0) = 1;
      m.W(e, e + 4, 0) = 0.3f;  // interference 0.09: polysemanticity 0.3
    }
  };
  EXPECT_EQ(ruling_on(analyse_fig6(router_inits({{"a_diagonal", shared}}), published()), {"(a) each expert"}),
            Ruling::not_met);
}

// ---------------------------------------------------------------- Table 1

// `features` of the expert on units of their own from `first` on, all others together on the last unit.
void specialise(OwnedModel& model, int e, int first, int features) {
  for (int f = 0; f < 100; ++f) model.W(e, f, 9) = 1;
  for (int i = 0; i < features; ++i) {
    model.W(e, first + i, 9) = 0;
    model.W(e, first + i, i) = 1;
  }
}

// Numbers of monosemantic features of 200 experts in the proportions of a list per 1,000.
std::vector<int> in_proportion(const Json& experts) {
  std::vector<int> features;
  for (std::size_t i = 0; i < experts.size(); ++i) {
    features.insert(features.end(), static_cast<std::size_t>(std::lround(experts[i].get<double>() / 5)),
                    static_cast<int>(i));
  }
  features.resize(200, 0);
  return features;
}

// wins(i): whether expert number i is the one that its own features are routed to.
Trained table(const std::vector<int>& xavier, const std::vector<int>& k_hot,
              const std::function<bool(std::size_t)>& wins) {
  Trained trained;
  for (const Sweep& sweep : sweeps_of("table1", {"axes.seed={ start = 0, stop = 19, step = 1 }"})) {
    const bool is_k_hot = sweep.name == "table1_k_hot";
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
      for (int e = 0; e < 10; ++e) {
        const std::size_t number = 10 * cell + static_cast<std::size_t>(e);
        const int features = (is_k_hot ? k_hot : xavier)[number];
        specialise(model, e, 10 * e, features);
        for (int f = 10 * e; f < 10 * e + 10; ++f) model.G(is_k_hot || wins(number) ? e : (e + 1) % 10, f) = 1;
      }
      return sweep.name == "table1_xavier_biases" ? 0.001f : 0.00046f;
    });
  }
  return trained;
}

TEST(ReproduceTable1, CountsAsPublished) {
  const Json& reference = published().at("table1");
  const Report report =
      analyse_table1(table(in_proportion(reference.at("xavier").at("experts")),
                           in_proportion(reference.at("k_hot").at("experts")), [](std::size_t) { return true; }),
                     published());
  for (const char* title : {"Xavier: experts with ", "random k-hot: experts with "}) {
    for (int features = 0; features <= 5; ++features) {
      EXPECT_EQ(ruling_on(report, {title + std::to_string(features)}), Ruling::met) << title << features;
    }
  }
  EXPECT_EQ(ruling_on(report, {"final loss from zero biases"}), Ruling::met);
  EXPECT_NEAR(verdict_on(report, {"Xavier biases instead of zero"}).ours.get<double>(), 0.001 / 0.00046, 1e-3);
  // k-hot: geometry alone decides, as in the paper.
  for (const char* words : {"random inputs", ", feature(s) active", "only feature(s) active"}) {
    EXPECT_EQ(ruling_on(report, {"random k-hot, experts with 1", words}), Ruling::met) << words;
    EXPECT_EQ(ruling_on(report, {"random k-hot, experts with 2", words}), Ruling::met) << words;
  }
  EXPECT_EQ(verdict_on(report, {"random k-hot, experts with 1", "only feature(s) active"}).ours, 100.0);
  // Rows of 50 published experts or fewer have no usage verdict.
  for (const Verdict& verdict : report.verdicts)
    EXPECT_EQ(verdict.claim.find("experts with 3: usage"), std::string::npos);
  ASSERT_EQ(report.picture.at("tables").size(), 2u);
  EXPECT_EQ(report.picture.at("tables")[0].at("rows")[0].size(), 11u);
}

TEST(ReproduceTable1, OtherCountsAreNotMet) {
  const Report report = analyse_table1(
      table(std::vector<int>(200, 2), std::vector<int>(200, 0), [](std::size_t) { return true; }), published());
  EXPECT_EQ(ruling_on(report, {"Xavier: experts with 0"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(report, {"Xavier: experts with 2"}), Ruling::not_met);
  EXPECT_EQ(ruling_on(report, {"Xavier: experts with 5"}), Ruling::met);  // none published, none of ours
  EXPECT_EQ(ruling_on(report, {"random k-hot: experts with 1"}), Ruling::not_met);
}

// 2 points is what was asked for. That chance would explain a miss is said, and changes nothing.
TEST(ReproduceTable1, AUsageThreePointsOffIsNotMetThoughChanceWouldAllowIt) {
  // Alone, a feature goes to its own expert or to the next: usage is 100 or 0. 128 of 200 is 64 % against 67.18 %.
  const Report report = analyse_table1(
      table(std::vector<int>(200, 1), std::vector<int>(200, 1), [](std::size_t i) { return i < 128; }), published());
  const Verdict& verdict = verdict_on(report, {"Xavier, experts with 1", "only feature(s) active"});
  EXPECT_NEAR(verdict.ours.get<double>(), 64, 1e-9);
  EXPECT_EQ(verdict.ruling, Ruling::not_met);
  EXPECT_NE(verdict.note.find("within what chance makes"), std::string::npos) << verdict.note;
  // 134 of 200: 67 %.
  const Report near = analyse_table1(
      table(std::vector<int>(200, 1), std::vector<int>(200, 1), [](std::size_t i) { return i < 134; }), published());
  EXPECT_EQ(ruling_on(near, {"Xavier, experts with 1", "only feature(s) active"}), Ruling::met);
}

// ---------------------------------------------------------------- appendix

TEST(ReproduceAppendix, ConstructionsAreExact) {
  const Report report = analyse_a2();
  int differ = 0;
  for (const Verdict& verdict : report.verdicts) {
    EXPECT_NE(verdict.ruling, Ruling::not_met) << verdict.claim;
    differ += verdict.ruling == Ruling::differs ? 1 : 0;
  }
  EXPECT_EQ(differ, 1);
}

TEST(ReproduceAppendix, ConesOfRandomRouters) {
  Trained trained;
  for (const char* file : {"fig3", "table1"}) {
    const std::vector<std::string> set = std::string(file) == "fig3"
                                             ? std::vector<std::string>{"axes.seed=[0]", "axes.sparsity=[0, 0.5]"}
                                             : std::vector<std::string>{"axes.seed=[0]"};
    for (const Sweep& sweep : sweeps_of(file, set)) {
      add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
        model.parameters = testing::random_weights(model.parameters.size(), static_cast<unsigned>(cell) + 5);
        return 0.1f;
      });
    }
  }
  for (const Verdict& verdict : analyse_a3(trained).verdicts) EXPECT_EQ(verdict.ruling, Ruling::met) << verdict.claim;
}

// ---------------------------------------------------------------- findings

TEST(ReproduceFindings, LearningAndSelection) {
  Trained trained;
  for (const Sweep& sweep : sweeps_of("findings", {"axes.seed=[0, 1]"})) {
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
      model.parameters = testing::random_weights(model.parameters.size(), static_cast<unsigned>(cell));
      return 0.01f;
    });
  }
  // The snapshot of k = 2 has another router; that of k = 1 is the model itself, but for its size.
  Results& k2 = trained.at("findings_k2");
  for (float& value : k2.snapshot_parameters) value = -value;
  Results& k1 = trained.at("findings_k1");
  for (float& value : k1.snapshot_parameters) value *= 1.1f;
  // Classes of the last feature: by the last batch the seeds differ in every cell, by a fresh one in none.
  for (const Sweep& sweep : sweeps_of("selection", {"restarts=1", "axes.seed=[0, 1]", "axes.sparsity=[0.1, 0.5]"})) {
    const bool fair = sweep.name == "selection_evaluation";
    add_results(trained, sweep, [&](OwnedModel& model, std::size_t cell) {
      model.W(0, 2, 0) = fair || cell % 2 == 0 ? 1.0f : 0.1f;
      return fair ? 0.033f : 0.03f;
    });
  }
  const Report report = analyse_findings(trained);
  EXPECT_EQ(ruling_on(report, {"k = 1: inputs that training moves"}), Ruling::differs);
  EXPECT_EQ(verdict_on(report, {"k = 1: inputs that training moves"}).ours, 0.0);
  EXPECT_EQ(ruling_on(report, {"k = 2: inputs that training moves"}), Ruling::met);
  EXPECT_GT(verdict_on(report, {"k = 2: inputs that training moves"}).ours.get<double>(), 50);
  EXPECT_NEAR(verdict_on(report, {"mean kept loss rises by"}).ours.get<double>(), 10, 1e-3);
  const Verdict& agreement = verdict_on(report, {"two seeds agree"});
  EXPECT_EQ(agreement.ours, 1.0);
  EXPECT_EQ(agreement.published, "0.000 (ours, last batch)");
}

}  // namespace
}  // namespace phasegrid::reproduce
