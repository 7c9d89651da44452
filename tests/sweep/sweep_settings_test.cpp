// Settings beyond those of Figure 4: importances by rule, a sparsity a feature, routers, schedules, snapshots, the seed
// axis and variants, from sweep files and the API.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/sweep_text.hpp"

namespace phasegrid {
namespace {

using testing::expect_sentence;
using testing::kOrigin;
using testing::parse;
using testing::refusal;

constexpr const char* kBase = "model.n_features = 6\nmodel.n_experts = 3\ndata.sparsity = 0.5\n";

TEST(Settings, ImportancesByRule) {
  const Sweep plain = parse(std::string(kBase) + "data.importance = { geometric = 0.5 }\n");
  const std::vector<double> geometric = {1, 0.5, 0.25, 0.125, 0.0625, 0.03125};
  EXPECT_EQ(Grid(plain).cell(0).importance, geometric);
  Sweep shuffled = parse(std::string(kBase) + "data.importance = { shuffled_geometric = 0.5 }\nseed = 4\n");
  std::vector<double> first = Grid(shuffled).cell(0).importance;
  EXPECT_NE(first, geometric);
  shuffled.axes = {{AxisName::seed, {0, 1}}};  // all models of a sweep share the order
  EXPECT_EQ(Grid(shuffled).cell(0).importance, first);
  EXPECT_EQ(Grid(shuffled).cell(1).importance, first);
  std::vector<double> sorted = first;
  std::ranges::sort(sorted, std::greater());
  EXPECT_EQ(sorted, geometric);
  // Every place is as likely: over 600 seeds the largest importance stands 100 times in each, give or take.
  std::vector<int> places(6);
  for (shuffled.seed = 0; shuffled.seed < 600; ++shuffled.seed) {
    const std::vector<double> drawn = Grid(shuffled).cell(0).importance;
    ++places[static_cast<std::size_t>(std::ranges::find(drawn, 1.0) - drawn.begin())];
  }
  for (int count : places) EXPECT_NEAR(count, 100, 5 * std::sqrt(600 * 5 / 36.0));
  const Sweep last = parse(std::string(kBase) + "data.importance = { geometric = 0.5 }\ndata.last_importance = 7\n");
  EXPECT_EQ(Grid(last).cell(0).importance.back(), 7);
}

TEST(Settings, BadImportanceRules) {
  for (const char* rule :
       {"{ geometric = 0 }", "{ geometric = 1.5 }", "{ geometric = nan }", "{ geometric = \"a\" }"}) {
    expect_sentence(refusal(std::string(kBase) + "data.importance = " + rule),
                    {":4: ", "data.importance", "geometric"});
  }
  expect_sentence(refusal(std::string(kBase) + "data.importance = { geometric = 1, shuffled_geometric = 1 }"),
                  {":4: data.importance must be ", "a table"});
}

TEST(Settings, ASparsityAFeature) {
  const Sweep sweep = parse("model.n_features = 3\ndata.sparsity = [0.1, 0.2, 0]\n");
  EXPECT_EQ(sweep.data.feature_sparsity, (std::vector<double>{0.1, 0.2, 0}));
  EXPECT_EQ(Grid(sweep).cell(0).sparsity, (std::vector<double>{0.1, 0.2, 0}));
  EXPECT_TRUE(std::isnan(Grid(sweep).dimensions()[0].values[0]));
  expect_sentence(refusal("model.n_features = 3\ndata.sparsity = [0.1, 0.2]\n"),
                  {":2: data.sparsity", "3 numbers", "of 2"});
  expect_sentence(refusal("model.n_features = 2\ndata.sparsity = [0.1, 1]\n"), {":2: data.sparsity[1]", "below 1"});
  expect_sentence(refusal("model.n_features = 2\naxes.sparsity = [0.5]\ndata.sparsity = [0.1, 0.2]\n"),
                  {"sparsity stands"});
}

TEST(Settings, Routers) {
  const std::pair<const char*, RouterInit> routers[] = {{"xavier", RouterInit::xavier},
                                                        {"zero", RouterInit::zero},
                                                        {"diagonal", RouterInit::diagonal},
                                                        {"ordered-k-hot", RouterInit::ordered_k_hot},
                                                        {"random-k-hot", RouterInit::random_k_hot}};
  for (const auto& [word, router] : routers) {
    EXPECT_EQ(parse(std::string(kBase) + "init.router = \"" + word + "\"\n").init.router, router);
  }
  EXPECT_EQ(parse(std::string(kBase) + "init.bias = \"zero\"\n").init.bias, BiasInit::zero);
  expect_sentence(refusal(std::string(kBase) + "init.bias = 0\n"),
                  {":4: init.bias must be \"xavier\" or \"zero\" or { normal = SPREAD }, not 0"});
  expect_sentence(refusal(std::string(kBase) + "init.gate = 0\n"), {":4: unknown key 'init.gate'", "router, bias"});
  for (const char* word : {"ordered-k-hot", "random-k-hot"}) {
    expect_sentence(
        refusal(std::string("model.n_features = 7\nmodel.n_experts = 3\ndata.sparsity = 0\ninit.router = \"") + word +
                "\"\n"),
        {":4: init.router", word, "divides model.n_features = 7", "not 3"});
  }
}

TEST(Settings, SchedulesAndThresholds) {
  const TrainSettings train = parse(std::string(kBase) +
                                    "train.schedule = \"cosine\"\ntrain.drop_below = 0.015\ntrain.drop_factor = 0.5\n"
                                    "train.stop_below = 0.01\n")
                                  .train;
  EXPECT_EQ(train.schedule, Schedule::cosine);
  EXPECT_EQ(train.drop_below, 0.015);
  EXPECT_EQ(train.drop_factor, 0.5);
  EXPECT_EQ(train.stop_below, 0.01);
  EXPECT_EQ(parse(std::string(kBase) + "train.schedule = \"linear\"\n").train.schedule, Schedule::linear);
  expect_sentence(refusal(std::string(kBase) + "train.schedule = \"step\"\n"),
                  {"train.schedule", "\"cosine\"", "\"step\""});
  expect_sentence(refusal(std::string(kBase) + "train.drop_factor = 2\n"), {"train.drop_factor", "from 0 to 1"});
  expect_sentence(refusal(std::string(kBase) + "train.stop_below = nan\n"), {"train.stop_below", "from 0"});
}

TEST(Settings, Snapshots) {
  auto snapshots = [](const char* text) {
    return parse(std::string(kBase) + "train.steps = 100\ntrain.snapshots = " + text + "\n").train.snapshots;
  };
  EXPECT_EQ(snapshots("[0, 10, 100]"), (std::vector<int>{0, 10, 100}));
  EXPECT_EQ(snapshots("{ start = 0, stop = 100, step = 50 }"), (std::vector<int>{0, 50, 100}));
  EXPECT_EQ(snapshots("[]"), std::vector<int>());
  for (const char* bad : {"[101]", "[-1]", "[0.5]", "[5, 5]", "[5, 3]", "\"all\"", "[nan]"}) {
    expect_sentence(refusal(std::string(kBase) + "train.steps = 100\ntrain.snapshots = " + bad + "\n"),
                    {":5: train.snapshots"});
  }
  // With steps as an axis every cell must reach them.
  expect_sentence(refusal(std::string(kBase) + "train.snapshots = [60]\naxes.steps = [100, 50]\n"),
                  {"train.snapshots", "50"});
  Sweep huge = parse(std::string(kBase) + "model.n_hidden = 1\n");
  huge.restarts = 1'000'000;
  huge.axes = {{AxisName::seed, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}};
  huge.train.snapshots = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  expect_sentence(refusal([&] { huge.check(); }), {"train.snapshots", "at most"});
}

TEST(Settings, TheSeedAxisIsAddedToTheSeed) {
  Sweep sweep = parse(std::string(kBase) + "seed = 100\naxes.seed = [0, 5]\n");
  EXPECT_EQ(Grid(sweep).cell(0).seed, 100u);
  EXPECT_EQ(Grid(sweep).cell(1).seed, 105u);
}

// ---------------------------------------------------------------- variants

constexpr const char* kVariants = R"(name = "toy"
data.sparsity = 0.5
model.n_features = 2
[variants.dense.model]
n_hidden = 6
[variants.four]
model = { n_experts = 4 }
train.steps = 7
[presets.quick]
train.steps = 3
)";

TEST(Variants, EachIsASweep) {
  const std::vector<Sweep> sweeps = parse_sweeps(kVariants, kOrigin);
  ASSERT_EQ(sweeps.size(), 2u);
  EXPECT_EQ(sweeps[0].name, "toy_dense");
  EXPECT_EQ(sweeps[0].shape.n_hidden, 6);
  EXPECT_EQ(sweeps[1].name, "toy_four");
  EXPECT_EQ(sweeps[1].shape.n_experts, 4);
  EXPECT_EQ(sweeps[1].train.steps, 7);
  // A preset lies under a variant, --set over both.
  SweepFileOptions options;
  options.preset = "quick";
  EXPECT_EQ(parse_sweeps(kVariants, kOrigin, options)[0].train.steps, 3);
  EXPECT_EQ(parse_sweeps(kVariants, kOrigin, options)[1].train.steps, 7);
  options.set = {"train.steps=9"};
  EXPECT_EQ(parse_sweeps(kVariants, kOrigin, options)[1].train.steps, 9);
  options.variant = "four";
  EXPECT_EQ(parse_sweep(kVariants, kOrigin, options).name, "toy_four");
}

TEST(Variants, ReplaceARuleOfImportanceWhole) {
  const Sweep sweep = parse(
      "data = { sparsity = 0, importance = { geometric = 0.5 } }\nmodel.n_features = 2\n"
      "[variants.shuffled]\ndata.importance = { shuffled_geometric = 0.25 }\n");
  EXPECT_EQ(sweep.data.importance_rule, ImportanceRule::shuffled_geometric);
  EXPECT_EQ(sweep.data.importance_ratio, 0.25);
}

TEST(Variants, Mistakes) {
  expect_sentence(refusal(kVariants), {"2 variants", "dense, four"});
  SweepFileOptions options;
  options.variant = "five";
  expect_sentence(refusal([&] { parse_sweeps(kVariants, kOrigin, options); }), {"no variant 'five'", "dense, four"});
  expect_sentence(refusal([&] { parse_sweeps("data.sparsity = 0\n", kOrigin, options); }),
                  {"no variant 'five'", "none"});
  expect_sentence(refusal("data.sparsity = 0\n[variants.odd.model]\nn_hidden = 0\n"),
                  {":3: model.n_hidden", "(with variant 'odd')"});
  expect_sentence(refusal("data.sparsity = 0\nvariants = 3\n"), {":2: variants must be a table of tables"});
  expect_sentence(refusal("data.sparsity = 0\n[variants]\nodd = 3\n"), {":3: variants.odd must be a table"});
  expect_sentence(refusal("data.sparsity = 0\n[variants.a.variants.b]\nseed = 3\n"),
                  {"variants must stand at the top"});
}

}  // namespace
}  // namespace phasegrid
