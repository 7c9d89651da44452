// Presets and --set: what is laid over a sweep file.
#include <gtest/gtest.h>

#include <string>

#include "support/sweep_text.hpp"

namespace phasegrid {
namespace {

using namespace testing;

const std::string kPresets = R"(restarts = 10
model.n_features = 2
[train]
steps = 100
[axes]
sparsity = { start = 0.1, stop = 0.4, step = 0.1 }
last_importance = [1, 2]
[presets.quick]
restarts = 4
train.batch = 64
[presets.quick.axes]
sparsity = { start = 0.1, stop = 0.5, step = 0.2 }
)";

TEST(Preset, LiesOverTheFile) {
  const Sweep paper = parse(kPresets);
  EXPECT_EQ(paper.restarts, 10);
  EXPECT_EQ(paper.axes[0].values, (std::vector<double>{0.1, 0.2, 0.3, 0.4}));
  const Sweep quick = parse(kPresets, {{}, "quick"});
  EXPECT_EQ(quick.restarts, 4);
  EXPECT_EQ(quick.train.steps, 100);
  EXPECT_EQ(quick.train.batch, 64);
  ASSERT_EQ(quick.axes.size(), 2u);
  EXPECT_EQ(quick.axes[0].values, (std::vector<double>{0.1, 0.3, 0.5}));
  EXPECT_EQ(quick.axes[1].values, (std::vector<double>{1, 2}));
  EXPECT_EQ(parse(kPresets, {{"restarts=2", "restarts=3"}, "quick"}).restarts, 3);
}

TEST(Preset, ReplacesAnAxisWhole) {
  const std::string text = kPresets + "last_importance = { start = 1, stop = 2, step = 0.5 }\n";
  EXPECT_EQ(parse(text, {{}, "quick"}).axes[1].values, (std::vector<double>{1, 1.5, 2}));
  expect_sentence(
      refusal(kFile.substr(0, kFile.find("[data]")) +
              "[axes]\nsparsity = { start = 0, stop = 0.5, step = 0.1 }\n[presets.p.axes]\nsparsity.stop = 0.4"),
      {"axes.sparsity", "start is missing", "(with preset 'p')"});
}

TEST(Preset, IsNamedWhenItIsNotThere) {
  expect_sentence(refusal(kPresets, {{}, "quack"}), {kOrigin, "'quack'", "paper, quick"});
  expect_sentence(refusal(kFile, {{}, "quick"}), {kOrigin, "'quick'", "paper"});
  expect_sentence(refusal(kFile, {{}, "a\nb"}), {kOrigin, "paper"});
  expect_sentence(refusal(kFile, {{}, ""}), {kOrigin, "paper"});
}

TEST(Preset, MustBeSoundEvenWhenNotChosen) {
  expect_sentence(refusal("presets = 1\ndata.sparsity = 0"), {":1: presets must be a table", "not 1"});
  expect_sentence(refusal("data.sparsity = 0\n[presets]\nquick = 4"), {":3: presets.quick must be a table", "not 4"});
  expect_sentence(refusal("data.sparsity = 0\n[presets.paper]\nrestarts = 4"), {":2: ", "paper"});
  expect_sentence(refusal("data.sparsity = 0\n[presets.a.presets.b]\nrestarts = 4"), {"presets", "preset 'a'"});
  expect_sentence(refusal(kFile + "[presets.a.model]\ntop_k = 3"), {"model.top_k", "at most", "preset 'a'"});
  // A plain setting that a preset makes an axis makes room for it.
  EXPECT_EQ(parse(kFile + "[presets.a.axes]\nsparsity = [0.1]", {{}, "a"}).axes.size(), 1u);
}

TEST(Preset, DoesNotHideAMistakeOfTheFile) {
  expect_sentence(refusal("restarts = 0\ndata.sparsity = 0\n[presets.quick]\nrestarts = 1", {{}, "quick"}),
                  {":1: restarts must be", "not 0"});
}

TEST(Set, ChangesValuesInOrder) {
  const Sweep sweep =
      parse(kPresets, {{"train.steps=7", "train.loss=\"sum\"", "model.n_experts = 2", "name='x'", "axes.sparsity=[0.5]",
                        "axes.last_importance={start=1,stop=3,step=1}", "train={batch=8}", "train.steps=8"},
                       "paper"});
  EXPECT_EQ(sweep.train.steps, 8);
  EXPECT_EQ(sweep.train.batch, 8);
  EXPECT_EQ(sweep.train.loss, Loss::sum);
  EXPECT_EQ(sweep.shape.n_experts, 2);
  EXPECT_EQ(sweep.name, "x");
  EXPECT_EQ(sweep.axes, (std::vector<Axis>{{AxisName::sparsity, {0.5}}, {AxisName::last_importance, {1, 2, 3}}}));
}

TEST(Set, MayGiveTheMissingSparsity) {
  const std::string text = "name = \"x\"\nmodel.n_features = 2\n[presets.quick]\nrestarts = 1\n";
  EXPECT_EQ(parse(text, {{"data.sparsity=0.5"}, "paper"}).data.sparsity, 0.5);
  EXPECT_EQ(parse(text, {{"axes.sparsity=[0.5]"}, "quick"}).axes.size(), 1u);
}

TEST(Set, SaysHowToWriteAString) {
  expect_sentence(set_refusal("train.loss=sum"), {"--set train.loss=sum: ", "'train.loss=\"sum\"'"});
  expect_sentence(set_refusal("train.keep=last-batch"), {"'train.keep=\"last-batch\"'"});
}

TEST(Set, SaysHowToChangeAnAxis) {
  expect_sentence(set_refusal("data.sparsity=0.5", kPresets),
                  {"--set data.sparsity=0.5: ", "data.sparsity", "axes.sparsity", "--set 'axes.sparsity=["});
  expect_sentence(set_refusal("axes.sparsity=0.5", kPresets), {"axes.sparsity", "list", "{ start, stop, step }"});
  // The other way round the plain setting makes room for the axis.
  const Sweep sweep = parse(kFile, {{"axes.sparsity=[0.1]"}, "paper"});
  EXPECT_FALSE(sweep.data.sparsity.has_value());
  EXPECT_EQ(sweep.axes, (std::vector<Axis>{{AxisName::sparsity, {0.1}}}));
}

TEST(Set, IsRefusedWhereItIsNoChange) {
  for (const std::string bad :
       {"", "=", "=1", "train.steps", "[train]#=1", "#train.steps=1", "train.steps=1\nrestarts=2"}) {
    SCOPED_TRACE(bad);
    expect_sentence(set_refusal(bad), {"--set ", "PATH=TOML-VALUE"});
  }
  for (const std::string bad :
       {"train.steps=", "train.steps==1", "train.steps=[1,", "a b=1", "train.steps=1 2", "a..b=1"}) {
    SCOPED_TRACE(bad);
    expect_sentence(set_refusal(bad), {"--set ", "is not a TOML value"});
  }
  expect_sentence(set_refusal("presets.quick.restarts=1"), {"--set ", "presets"});
  expect_sentence(set_refusal("train.loss=\"" + std::string(100'000, 'x') + "\""), {"train.loss must be"});
}

}  // namespace
}  // namespace phasegrid
