// What `phasegrid reproduce` concludes: its statistics against known values, and its verdicts on models made by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "program/reproduce/fig4_fig8.hpp"
#include "program/reproduce/figures.hpp"
#include "program/reproduce/reproduction.hpp"
#include "program/reproduce/statistics.hpp"
#include "support/test_files.hpp"

namespace phasegrid::reproduce {
namespace {

// ---------------------------------------------------------------- statistics

TEST(Statistics, MeanAndDeviation) {
  const std::vector<double> values = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(mean(values), 2.5);
  EXPECT_DOUBLE_EQ(standard_deviation(values), std::sqrt(5.0 / 3));
  EXPECT_TRUE(std::isnan(standard_deviation(std::vector<double>{1})));
}

TEST(Statistics, FishersExactTest) {
  EXPECT_NEAR(fisher_p_value(3, 4, 1, 4), 0.4857143,
              1e-6);  // the lady tasting tea, R: fisher.test(matrix(c(3,1,1,3),2))
  // By hand: C(12, x) C(14, 12 - x) of x = 0, 1, 10, 11, 12, out of C(26, 12).
  EXPECT_NEAR(fisher_p_value(10, 12, 2, 14), (91 + 4368 + 6006 + 168 + 1) / 9657700.0, 1e-9);
  EXPECT_NEAR(fisher_p_value(5, 10, 5, 10), 1.0, 1e-12);
  EXPECT_NEAR(fisher_p_value(0, 5, 5, 5), 2.0 / 252, 1e-9);  // both extremes
}

TEST(Statistics, CompatibleCountsHoldTheirOwn) {
  const CountRange range = compatible_counts(461, 1000, 1000);
  EXPECT_LT(range.low, 461);
  EXPECT_GT(range.high, 461);
  // About 2.576 standard deviations of the difference of two binomials: 57.
  EXPECT_NEAR(range.high - 461, 57, 3);
  EXPECT_NEAR(461 - range.low, 57, 3);
  EXPECT_LT(fisher_p_value(461, 1000, range.low - 1, 1000), 0.01);
  EXPECT_GE(fisher_p_value(461, 1000, range.low, 1000), 0.01);
  EXPECT_EQ(compatible_counts(0, 1000, 1000).low, 0);
  EXPECT_EQ(compatible_counts(10, 10, 10).high, 10);
}

TEST(Statistics, WilsonInterval) {
  const Interval interval = wilson_interval(8, 10);
  EXPECT_NEAR(interval.low, 0.4902, 1e-3);
  EXPECT_NEAR(interval.high, 0.9433, 1e-3);
  EXPECT_EQ(wilson_interval(0, 10).low, 0);
}

// ---------------------------------------------------------------- verdicts on models made by hand

// One result a seed, every model the same.
Results results_of_models(const std::string& name, const Shape& shape, int seeds, const std::vector<float>& model,
                          float loss, double sparsity = 0.9) {
  Sweep sweep;
  sweep.name = name;
  sweep.shape = shape;
  sweep.restarts = 1;
  sweep.data.sparsity = sparsity;
  Axis axis{AxisName::seed, {}};
  for (int i = 0; i < seeds; ++i) axis.values.push_back(i);
  sweep.axes = {axis};
  Results results(sweep);
  for (std::size_t cell = 0; cell < results.cells(); ++cell) results.take(cell, 0, {loss, loss}, kTrained, model);
  return results;
}

const Verdict& verdict(const Report& report, const std::string& part) {
  for (const Verdict& v : report.verdicts) {
    if (v.claim.find(part) != std::string::npos) return v;
  }
  throw std::runtime_error("no verdict about " + part);
}

std::vector<float> model_of(const Shape& shape) {
  return std::vector<float>(static_cast<std::size_t>(shape.parameter_count()));
}
void set_weight(std::vector<float>& model, const Shape& s, int e, int f, int j, float value) {
  model[static_cast<std::size_t>((e * s.n_features + f) * s.n_hidden + j)] = value;
}
void set_router(std::vector<float>& model, const Shape& s, int e, int f, float value) {
  model[static_cast<std::size_t>(s.router_offset() + e * s.n_features + f)] = value;
}

TEST(Figure1, LossAmongTheSeedsOrNot) {
  const Shape shape{20, 6, 1, 1};
  std::vector<float> model = model_of(shape);
  for (int f = 0; f < 6; ++f) set_weight(model, shape, 0, f, f, 1);
  const Json published = {{"fig1", {{"final_loss", 0.03125}}}};
  Trained trained;
  trained["fig1_zero_biases"] = results_of_models("fig1_zero_biases", shape, 3, model, 0.01f);
  trained["fig1_xavier_biases"] = results_of_models("fig1_xavier_biases", shape, 3, model, 0.01f);
  EXPECT_EQ(verdict(analyse_fig1(trained, published), "final loss").ruling, Ruling::not_met);
  EXPECT_EQ(verdict(analyse_fig1(trained, published), "total capacity").ruling, Ruling::met);  // six features alone: 6
  trained["fig1_xavier_biases"] = results_of_models("fig1_xavier_biases", shape, 3, model, 0.03125f);
  EXPECT_EQ(verdict(analyse_fig1(trained, published), "final loss").ruling, Ruling::met);
}

TEST(Figure2, InterferenceAgainstTheDenseModel) {
  const Shape one{20, 6, 1, 1}, three{20, 2, 3, 1};
  std::vector<float> dense = model_of(one), mixture = model_of(three);
  for (int f = 0; f < 6; ++f) set_weight(dense, one, 0, f, f / 2, f % 2 == 0 ? 1.0f : -1.0f);  // pairs: interference 1
  for (int f = 0; f < 6; ++f) set_weight(mixture, three, f / 2, f, f % 2, 1);                  // alone: 0
  Trained trained;
  for (const char* bias : {"_xavier_biases", "_zero_biases"}) {
    trained[std::string("fig1") + bias] = results_of_models("fig1", one, 2, dense, 0.02f);
    trained[std::string("fig2") + bias] = results_of_models("fig2", three, 2, mixture, 0.02f);
  }
  const Report good = analyse_fig2(trained, Json::object());
  EXPECT_EQ(verdict(good, "its features interfere").ruling, Ruling::met);
  EXPECT_EQ(verdict(good, "represents about").ruling, Ruling::met);
  std::swap(trained["fig1_xavier_biases"], trained["fig1_zero_biases"]);
  for (int f = 0; f < 6; ++f) set_weight(mixture, three, 0, f, 0, 1);  // now they share a dimension
  trained["fig2_xavier_biases"] = results_of_models("fig2", three, 2, mixture, 0.02f);
  EXPECT_EQ(verdict(analyse_fig2(trained, Json::object()), "its features interfere").ruling, Ruling::not_met);
}

TEST(Figure3, PointsWithinThreeDeviationsOrFourPercent) {
  const std::pair<const char*, Shape> variants[] = {{"fig3_dense_m20", {100, 20, 1, 1}},
                                                    {"fig3_experts4_m5_k1", {100, 5, 4, 1}},
                                                    {"fig3_experts10_m2_k2", {100, 2, 10, 2}},
                                                    {"fig3_experts20_m1_k5", {100, 1, 20, 5}}};
  Trained trained;
  for (const auto& [name, shape] : variants) {
    std::vector<float> model = model_of(shape);
    std::fill(model.begin(), model.begin() + shape.weight_count(),
              0.1f);  // ||W||^2 / m = 100 * 0.01 = 1 for each expert
    trained[name] = results_of_models(name, shape, 2, model, std::exp(-2.5f), 0.5);
  }
  Json published;
  published["fig3"] = {{"feature_density", {0.5}},
                       {"dense_m20", {1.0}},         // equal
                       {"experts4_m5_k1", {1.03}},   // within 4 %
                       {"experts10_m2_k2", {0.5}},   // with the 1/k
                       {"experts20_m1_k5", {0.3}}};  // far: ours is 0.2
  published["fig7"] = {{"least_difference", 0.03}, {"largest_difference", 0.08}, {"inverse_density", {2}},
                       {"dense_m20", {-2.5}},      {"experts4_m5_k1", {-2.52}},  {"experts10_m2_k2", {-2.56}},
                       {"experts20_m1_k5", {-2.5}}};
  const Report report = analyse_fig3(trained, published);
  EXPECT_EQ(verdict(report, "dense, m = 20: published").ruling, Ruling::met);
  EXPECT_EQ(verdict(report, "4 experts, m = 5, k = 1: published").ruling, Ruling::met);
  EXPECT_EQ(verdict(report, "10 experts, m = 2, k = 2: published").ruling, Ruling::met);
  EXPECT_EQ(verdict(report, "20 experts, m = 1, k = 5: published").ruling, Ruling::not_met);
  EXPECT_NE(verdict(report, "20 experts, m = 1, k = 5: published").note.find("p = 0.50: 0.300 against 0.200"),
            std::string::npos);
  EXPECT_EQ(verdict(report, "all architectures").ruling, Ruling::not_met);  // 3 of 4
  EXPECT_NEAR(verdict(report, "10 experts, m = 2, k = 2: without").ours.get<double>(), 1.0, 1e-6);
  EXPECT_NEAR(report.picture["series"][2]["mean"][0].get<double>(), 0.5, 1e-6);
  EXPECT_EQ(report.picture["inverse_density"][0], 2.0);
  const Report loss = analyse_fig7(trained, published);
  EXPECT_EQ(verdict(loss, "dense, m = 20: log loss").ruling, Ruling::met);
  EXPECT_EQ(verdict(loss, "4 experts, m = 5, k = 1: log loss").ruling, Ruling::met);
  EXPECT_EQ(verdict(loss, "10 experts, m = 2, k = 2: log loss").ruling, Ruling::not_met);
  EXPECT_EQ(verdict(loss, "lowest at every density").ruling, Ruling::met);
}

TEST(Figure5, RegionsAreCounted) {
  const Shape shape{2, 1, 3, 1};
  const Json published = {{"fig5", {{"zero", 0.08}, {"xavier", 0.04}, {"diagonal", 0.025}}}};
  std::vector<float> nothing = model_of(shape), two = nothing, three = nothing;
  set_router(two, shape, 1, 0, 1.0f);  // expert 2 where x_1 > 0: everywhere
  set_router(two, shape, 0, 1, 1.0f);  // expert 1 where x_2 > x_1
  three = two;
  set_router(three, shape, 2, 0, 0.8f);
  set_router(three, shape, 2, 1, 0.8f);  // expert 3 around the diagonal
  Trained trained;
  trained["fig5_zero"] = results_of_models("fig5_zero", shape, 4, nothing, 0.08f);
  trained["fig5_xavier"] = results_of_models("fig5_xavier", shape, 4, two, 0.05f);
  trained["fig5_diagonal"] = results_of_models("fig5_diagonal", shape, 4, three, 0.025f);
  const Report report = analyse_fig5(trained, published);
  EXPECT_EQ(verdict(report, "zero router: routes all").ours, "4 of 4 seeds");
  EXPECT_EQ(verdict(report, "xavier router: routes a small").ours, "4 of 4 seeds");
  EXPECT_EQ(verdict(report, "diagonal router: distributes").ours, "4 of 4 seeds");
  EXPECT_EQ(verdict(report, "xavier router: published loss").ruling, Ruling::not_met);
  EXPECT_EQ(verdict(report, "loss falls").ruling, Ruling::met);
  trained["fig5_diagonal"] = results_of_models("fig5_diagonal", shape, 4, two, 0.09f);
  const Report other = analyse_fig5(trained, published);
  EXPECT_EQ(verdict(other, "diagonal router: distributes").ruling, Ruling::differs);
  EXPECT_EQ(verdict(other, "loss falls").ruling, Ruling::not_met);
}

TEST(Figure6, SentencesAsCounts) {
  const Shape shape{20, 5, 4, 1};
  std::vector<float> own = model_of(shape);
  for (int e = 0; e < 4; ++e) {
    set_router(own, shape, e, e, 1);
    set_weight(own, shape, e, e, 0, 1);  // expert e: its feature alone
  }
  std::vector<float> ordered = model_of(shape);
  for (int e = 0; e < 4; ++e) {
    for (int f = 5 * e; f < 5 * e + 5; ++f) set_router(ordered, shape, e, f, 0.9f);
  }
  for (int f = 0; f < 4; ++f) set_weight(ordered, shape, 0, f, f, 1);
  Trained trained;
  trained["fig6_a_diagonal"] = results_of_models("a", shape, 3, own, 0.1f);
  trained["fig6_b_described"] = results_of_models("b", shape, 3, ordered, 0.1f);
  trained["fig6_b_published"] = results_of_models("b", shape, 3, model_of(shape), 0.1f);
  Results random = results_of_models("c", shape, 3, ordered, 0.1f);
  random.sweep.data.importance_rule = ImportanceRule::geometric;
  random.sweep.data.importance_ratio = 0.7;  // so the most important of expert e's features is 5 e
  trained["fig6_c_random"] = random;
  trained["fig6_d_uniform"] = results_of_models("d", shape, 3, ordered, 0.1f);
  const Json published = {{"fig6", {{"polysemanticity_of_own_in_deviations", -1.03}}}};
  const Report report = analyse_fig6(trained, published);
  EXPECT_EQ(verdict(report, "(a) each expert").ours, "3 of 3 seeds");
  EXPECT_EQ(verdict(report, "(a) and no other").ours, "3 of 3 seeds");
  EXPECT_EQ(verdict(report, "as described: expert 1").ours, "3 of 3 seeds");
  EXPECT_EQ(verdict(report, "as described: the others").ours, "3 of 3 seeds");
  EXPECT_EQ(verdict(report, "as published (zero router): expert 1").ours, "0 of 3 seeds");
  EXPECT_EQ(verdict(report, "(c) each expert represents").ours, "0 of 3 seeds");  // experts 2 to 4 represent nothing
  EXPECT_EQ(verdict(report, "counted by experts").ours, "3 and 0 of 12");
  set_weight(own, shape, 0, 7, 1, 1);  // a second feature beside expert 1's own
  trained["fig6_a_diagonal"] = results_of_models("a", shape, 3, own, 0.1f);
  const Report more = analyse_fig6(trained, published);
  EXPECT_EQ(verdict(more, "(a) each expert").ours, "3 of 3 seeds");
  EXPECT_EQ(verdict(more, "(a) and no other").ours, "0 of 3 seeds");
  EXPECT_EQ(more.picture["panels"][0]["start"][0], 1.0);
  EXPECT_EQ(more.picture["groups"].size(), 4u);
}

TEST(Table1, CountsAndUsage) {
  const Shape shape{100, 10, 10, 1};
  std::vector<float> model = model_of(shape);
  for (int e = 0; e < 10; ++e) {
    for (int f = 10 * e; f < 10 * e + 10; ++f) set_router(model, shape, e, f, 1);
    for (int f = 0; f < 100; ++f) set_weight(model, shape, e, f, 0, 0.5f);  // all superposed in one dimension
    set_weight(model, shape, e, 10 * e, 0, 0);                              // but one
    set_weight(model, shape, e, 10 * e, 1, 1);
  }
  Trained trained;
  for (const char* name : {"table1_xavier", "table1_k_hot", "table1_xavier_biases"}) {
    trained[name] = results_of_models(name, shape, 6, model, 0.00046f);
  }
  Json side = {{"experts", {0, 1000, 0, 0, 0, 0}},
               {"usage", {nullptr, 10.0, nullptr, nullptr, nullptr, nullptr}},
               {"usage_active", {nullptr, 23.98, nullptr, nullptr, nullptr, nullptr}},
               {"usage_only", {nullptr, 100.0, nullptr, nullptr, nullptr, nullptr}}};
  Json published = {{"table1", {{"xavier", side}, {"k_hot", side}, {"final_loss", 0.00046}}}};
  const Report report = analyse_table1(trained, published);
  for (const Verdict& v : report.verdicts) EXPECT_NE(v.ruling, Ruling::not_met) << v.claim << " " << v.note;
  EXPECT_EQ(verdict(report, "Xavier: experts with 1").ours, 1000.0);
  EXPECT_NEAR(verdict(report, "random k-hot, experts with 1: usage (%), feature(s) active").ours.get<double>(), 23.98,
              1.0);
  EXPECT_NEAR(verdict(report, "k-hot: usage with 1 feature(s) active, if all").ours.get<double>(), 20.3, 1.0);
  published["table1"]["xavier"]["experts"] = {500, 500, 0, 0, 0, 0};
  published["table1"]["k_hot"]["usage_active"][1] = 40.0;
  const Report off = analyse_table1(trained, published);
  EXPECT_EQ(verdict(off, "Xavier: experts with 0").ruling, Ruling::not_met);
  EXPECT_EQ(verdict(off, "random k-hot, experts with 1: usage (%), feature(s) active").ruling, Ruling::not_met);
}

TEST(Boundaries, AStepIsSharperThanARamp) {
  Trained trained;
  for (const char* name : {"fig4_211", "fig4_212", "fig4_311", "fig4_321"}) {
    Sweep sweep;
    sweep.name = name;
    sweep.restarts = 1;
    const int n = name[5] - '0', E = name[7] - '0';
    sweep.shape = {n, name[6] - '0', E, 1};
    sweep.axes = {{AxisName::sparsity, range(0, 0.9, 0.1)}, {AxisName::last_importance, range(1, 10, 1)}};
    Results results(sweep);
    for (std::size_t cell = 0; cell < results.cells(); ++cell) {
      std::vector<float> model(static_cast<std::size_t>(sweep.shape.parameter_count()));
      const auto column = static_cast<float>(cell % 10), row = static_cast<float>(cell / 10);
      const float value = E == 1 ? (column + row > 9 ? 1.0f : 0.0f) : (column + row) / 18;
      for (int e = 0; e < E; ++e) set_weight(model, sweep.shape, e, n - 1, 0, value);
      results.take(cell, 0, {0.1f, 0.1f}, kTrained, model);
    }
    trained[name] = results;
  }
  const Report report = analyse_boundaries(trained);
  EXPECT_GT(verdict(report, "A/1 dense").ours.get<double>(), 0.99);
  EXPECT_EQ(verdict(report, "A/2 expert 1").ruling, Ruling::met);
  EXPECT_LT(verdict(report, "A/2 expert 1").ours.get<double>(), 0.2);
}

TEST(Appendix, HoldsAsBuilt) {
  for (const Verdict& v : analyse_a2().verdicts) EXPECT_NE(v.ruling, Ruling::not_met) << v.claim;
}

// ---------------------------------------------------------------- files

TEST(Reports, AreWrittenWholeAndSummarised) {
  const phasegrid::testing::TemporaryFolder folder;
  const std::string path = folder.file("");
  Report report;
  report.figure = "fig3";
  report.title = "Figure 3: a title";
  report.preset = "quick";
  report.device = "cpu";
  report.seconds = 12.5;
  report.add({"a | claim", 1.0, number(std::nan("")), nullptr, 3, Ruling::not_met, "a note"});
  report.add({"another", "yes", "no", nullptr, 3, Ruling::differs, ""});
  report.picture = {{"list", numbers({1, std::nan("")})}};
  const Json json = load_json(save(report, path));
  EXPECT_EQ(json["verdicts"][0]["verdict"], "not met");
  EXPECT_TRUE(json["verdicts"][0]["ours"].is_null());
  EXPECT_TRUE(json["picture"]["list"][1].is_null());
  EXPECT_EQ(json["seconds"], 12.5);
  write_reproduction(path, "a command");
  std::ifstream file(folder.file("REPRODUCTION.md"));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(text.find("| Figure 3: a title | 0 | 1 | 1 |"), std::string::npos) << text;
  EXPECT_NE(text.find("a \\| claim"), std::string::npos);
  EXPECT_NE(text.find("- another: published yes, ours no."), std::string::npos);
  EXPECT_THROW(save(report, folder.file("missing/folder")), InputError);
  EXPECT_THROW(load_json(folder.file("none.json")), InputError);
  std::ofstream(folder.file("broken.json")) << "{";
  EXPECT_THROW(load_json(folder.file("broken.json")), InputError);
}

}  // namespace
}  // namespace phasegrid::reproduce
