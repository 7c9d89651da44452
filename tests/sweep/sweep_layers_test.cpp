// Layers of a sweep file: file, preset, variant and --set, their order, their names, and what they may not hold.
#include <gtest/gtest.h>

#include <fstream>

#include "support/sweep_text.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_sentence;
using testing::kOrigin;
using testing::parse;

std::string refusal(const std::string& text, const SweepFileOptions& options = {}) {
  return testing::refusal([&] { parse_sweeps(text, kOrigin, options); });
}

// Every layer but --set gives restarts, seed and steps in turn.
const std::string kLayers = R"(restarts = 1
seed = 1
train = { steps = 1, batch = 1 }
data.sparsity = 0.5
model.n_features = 2
[presets.quick]
seed = 2
train.steps = 2
train.batch = 2
[variants.a]
train.steps = 3
train.batch = 3
[variants.b]
)";

TEST(Layers, LieOverEachOtherInOneOrder) {
  const std::vector<Sweep> paper = parse_sweeps(kLayers, kOrigin);
  ASSERT_EQ(paper.size(), 2u);
  EXPECT_EQ(paper[0].seed, 1u);
  EXPECT_EQ(paper[0].train.steps, 3);
  EXPECT_EQ(paper[1].train.steps, 1);
  const std::vector<Sweep> quick = parse_sweeps(kLayers, kOrigin, {{"train.batch=4"}, "quick"});
  ASSERT_EQ(quick.size(), 2u);
  for (const Sweep& sweep : quick) {
    EXPECT_EQ(sweep.restarts, 1);
    EXPECT_EQ(sweep.seed, 2u);
    EXPECT_EQ(sweep.train.batch, 4);
  }
  EXPECT_EQ(quick[0].train.steps, 3);
  EXPECT_EQ(quick[1].train.steps, 2);
}

TEST(Layers, NameTheirSweeps) {
  auto names = [](const std::string& text, const SweepFileOptions& options = {}) {
    std::vector<std::string> found;
    for (const Sweep& sweep : parse_sweeps(text, kOrigin, options)) found.push_back(sweep.name);
    return found;
  };
  EXPECT_EQ(names("model.n_features = 2\ndata.sparsity = 0\n"), std::vector<std::string>{"toy"});
  EXPECT_EQ(names(kLayers), (std::vector<std::string>{"toy_a", "toy_b"}));
  EXPECT_EQ(names("name = \"x\"\n" + kLayers + "name = \"y\"\n"), (std::vector<std::string>{"x_a", "y_b"}));
  EXPECT_EQ(names(kLayers, {{"name='z'"}, "quick"}), (std::vector<std::string>{"z_a", "z_b"}));
  EXPECT_EQ(names(kLayers, {{}, "paper", "b"}), std::vector<std::string>{"toy_b"});
  EXPECT_EQ(names("variants = {}\nmodel.n_features = 2\ndata.sparsity = 0\n"), std::vector<std::string>{"toy"});
  EXPECT_EQ(names("model.n_features = 2\ndata.sparsity = 0\n[variants.b]\n[variants.a]\n"), (std::vector<std::string>{"toy_a", "toy_b"}));
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("\\n"), std::string(1000, 'x')}) {
    expect_sentence(refusal("data.sparsity = 0\n[variants.\"" + bad + "\"]\nseed = 1\n"),
                    {":2: variants: the name of a variant must be 1 to 200 letters", "not '"});
  }
  expect_sentence(refusal("data.sparsity = 0\n[variants." + std::string(197, 'x') + "]\n"),
                  {"name must be 1 to 200 letters", "not 'toy_xxx"});
}

TEST(Layers, OfOneVariantNeedNoName) {
  const std::string one = "model.n_features = 2\ndata.sparsity = 0\n[variants.only]\nseed = 4\n";
  EXPECT_EQ(parse(one).name, "toy_only");
  EXPECT_EQ(parse(one, {{}, "paper", "only"}).seed, 4u);
  expect_sentence(testing::refusal([] { parse(kLayers); }), {kOrigin, "2 variants", "a, b"});
  EXPECT_EQ(parse(kLayers, {{}, "paper", "b"}).name, "toy_b");
}

TEST(Layers, OfOneNameAreRefused) {
  expect_sentence(refusal(kLayers + "[variants.a]\n"), {kOrigin + ":14: ", "not valid TOML"});
  expect_sentence(refusal(kLayers + "[variants]\nb.seed = 3\n"), {kOrigin + ":", "not valid TOML"});
}

TEST(Layers, AreAllSound) {
  // A mistake is found under every preset, and with every variant, whichever are chosen.
  const std::string bad = kLayers + "[variants.odd]\nmodel.top_k = 2\n[presets.two.model]\nn_experts = 2\n";
  for (const SweepFileOptions& options : {SweepFileOptions{}, SweepFileOptions{{}, "two", "a"}}) {
    expect_sentence(refusal(bad, options), {":15: model.top_k", "at most model.n_experts = 1", "(with variant 'odd')"});
  }
  const std::string worse = kLayers + "[presets.odd.train]\nsteps = -1\n";
  const std::string message = refusal(worse + "[variants.c]\ntrain.steps = 5\n", {{}, "paper", "c"});
  expect_sentence(message, {":15: train.steps", "not -1", "(with preset 'odd') (with variant 'b')"});
  // With variants, the file need not be a sweep by itself.
  EXPECT_EQ(refusal("data.sparsity = 0\nmodel.n_features = 2\nmodel.top_k = 2\n[variants.a]\nmodel.n_experts = 2\n"), "");
  EXPECT_NE(refusal("data.sparsity = 0\nmodel.top_k = 2\n"), "");
}

TEST(Layers, AreNamedWhenTheyAreNotThere) {
  expect_sentence(refusal(kLayers, {{}, "paper", "c"}), {kOrigin, "no variant 'c'", "it has a, b"});
  expect_sentence(refusal(kLayers, {{}, "a"}), {kOrigin, "no preset 'a'", "it has paper, quick"});
  expect_sentence(refusal("data.sparsity = 0\n", {{}, "paper", "a\nb"}), {kOrigin, "no variant", "it has none"});
}

TEST(Layers, StandAtTheTop) {
  for (const std::string outer : {"presets", "variants"}) {
    for (const std::string inner : {"presets", "variants"}) {
      SCOPED_TRACE(outer + " " + inner);
      const std::string text = "data.sparsity = 0\n[" + outer + ".quick." + inner + ".deep]\nseed = 9\n";
      // Whether chosen or not, and where the file has the inner one too.
      expect_sentence(refusal(text), {":2: " + inner + " must stand at the top", "'quick'"});
      expect_sentence(refusal(text + "[" + inner + ".deep]\nseed = 8\n"), {inner + " must stand at the top"});
    }
    for (const std::string value : {".deep.seed=9", "=3", "={}"}) {
      expect_sentence(testing::refusal([&] {
                        parse("data.sparsity = 0\n", {{outer + value}, "paper"});
                      }),
                      {"--set " + outer, outer + " must stand at the top"});
    }
  }
}

TEST(Layers, ReplaceWhatIsNoTableWhole) {
  const std::string file = R"(model.n_features = 2
data = { sparsity = 0.5, importance = { geometric = 0.5 } }
train = { steps = 9, snapshots = { start = 0, stop = 9, step = 3 } }
axes.seed = { start = 0, stop = 9, step = 1 }
[variants.a]
data = { sparsity = [0.1, 0.2], importance = [1, 2] }
train.snapshots = [1]
axes.seed = [5]
[variants.b]
data.importance = "uniform"
train.snapshots = []
axes = { steps = [20, 10], batch = [8] }
)";
  const std::vector<Sweep> sweeps = parse_sweeps(file, kOrigin);
  ASSERT_EQ(sweeps.size(), 2u);
  EXPECT_EQ(sweeps[0].data.importance_rule, ImportanceRule::list);
  EXPECT_EQ(sweeps[0].data.importance, (std::vector<double>{1, 2}));
  EXPECT_EQ(sweeps[0].data.feature_sparsity, (std::vector<double>{0.1, 0.2}));
  EXPECT_FALSE(sweeps[0].data.sparsity);
  EXPECT_EQ(sweeps[0].train.snapshots, std::vector<int>{1});
  EXPECT_EQ(sweeps[0].axes, (std::vector<Axis>{{AxisName::seed, {5}}}));
  EXPECT_EQ(sweeps[1].data.importance_rule, ImportanceRule::list);
  EXPECT_TRUE(sweeps[1].data.importance.empty());
  EXPECT_EQ(sweeps[1].data.sparsity, 0.5);
  EXPECT_TRUE(sweeps[1].train.snapshots.empty());
  EXPECT_EQ(sweeps[1].train.steps, TrainSettings{}.steps);  // an axis, so no plain setting any more
  ASSERT_EQ(sweeps[1].axes.size(), 3u);
  EXPECT_EQ(sweeps[1].axes[0], (Axis{AxisName::steps, {20, 10}}));
}

TEST(Layers, MayLeaveSparsityToSet) {
  const std::string text = "model.n_features = 2\n[variants.a]\n[variants.b]\nseed = 1\n";
  for (const std::string change : {"data.sparsity=0.5", "data.sparsity=[0.5, 0.1]", "axes.sparsity=[0.5]"}) {
    EXPECT_EQ(parse_sweeps(text, kOrigin, {{change}}).size(), 2u);
  }
  expect_sentence(refusal(text), {kOrigin, "sparsity must stand under [data]"});
}

TEST(Layers, AreReadFromAFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("grid.toml");
  std::ofstream(path) << kLayers;
  const std::vector<Sweep> sweeps = read_sweeps(path, {{}, "quick"});
  ASSERT_EQ(sweeps.size(), 2u);
  EXPECT_EQ(sweeps[1].name, "grid_b");
  EXPECT_EQ(sweeps[1].seed, 2u);
  EXPECT_EQ(read_sweep(path, {{}, "paper", "a"}).train.steps, 3);
  expect_sentence(testing::refusal([&] { read_sweep(path); }), {path, "2 variants", "a, b"});
  expect_sentence(testing::refusal([&] { read_sweeps(folder.file("none.toml")); }), {"none.toml", "cannot be read"});
}

}  // namespace
}  // namespace phasegrid
