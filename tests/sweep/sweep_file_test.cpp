// Sweep files: what they mean, and that every mistake is one line naming the key and what is allowed.
#include "phasegrid/sweep_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "phasegrid/error.hpp"
#include "support/sweep_text.hpp"

namespace phasegrid {
namespace {

using namespace testing;

// ---------------------------------------------------------------- what files mean

TEST(SweepFile, HasTheDefaultsOfFigure4) {
  const Sweep sweep = parse("model.n_features = 2\ndata.sparsity = 0.25");
  EXPECT_EQ(sweep.name, "toy");
  EXPECT_EQ(sweep.restarts, 10);
  EXPECT_EQ(sweep.seed, 0u);
  EXPECT_EQ(sweep.shape, (Shape{2, 1, 1, 1}));
  DataSettings data;
  data.sparsity = 0.25;
  EXPECT_EQ(sweep.data, data);
  EXPECT_EQ(sweep.init, InitSettings{});
  EXPECT_EQ(sweep.train, TrainSettings{});
  EXPECT_TRUE(sweep.axes.empty());
}

TEST(SweepFile, ReadsEveryKey) {
  const Sweep sweep = parse(R"(
name = "all.of_it-1"
restarts = 3
seed = 9223372036854775807
[model]
n_features = 3
n_hidden = 4
n_experts = 5
top_k = 2
[data]
importance = [1, 0.5, 0]
last_importance = 2
[train]
batch = 64
learning_rate = 1
weight_decay = 0.5
load_balance = 0
loss = "sum"
keep = "evaluation"
schedule = "cosine"
drop_below = 0.25
drop_factor = 0.75
stop_below = 0.125
snapshots = [0, 10]
[init]
router = "zero"
bias = "zero"
[axes]
steps = [30, 10]
sparsity = { start = 0, stop = 0.4, step = 0.2 }
)");
  EXPECT_EQ(sweep.name, "all.of_it-1");
  EXPECT_EQ(sweep.restarts, 3);
  EXPECT_EQ(sweep.seed, 9223372036854775807u);
  EXPECT_EQ(sweep.shape, (Shape{3, 4, 5, 2}));
  EXPECT_EQ(sweep.data.importance, (std::vector<double>{1, 0.5, 0}));
  EXPECT_EQ(sweep.data.last_importance, 2.0);
  EXPECT_FALSE(sweep.data.sparsity);
  InitSettings init;
  init.router = RouterInit::zero, init.bias = BiasInit::zero;
  EXPECT_EQ(sweep.init, init);
  EXPECT_EQ(sweep.train,
            (TrainSettings{
                5000, 64, 1.0, 0.5, 0.0, Loss::sum, Keep::evaluation, Schedule::cosine, 0.25, 0.75, 0.125, {0, 10}}));
  EXPECT_EQ(sweep.axes, (std::vector<Axis>{{AxisName::sparsity, {0, 0.2, 0.4}}, {AxisName::steps, {30, 10}}}));
}

TEST(SweepFile, TakesEveryAxis) {
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    const std::string key = "axes." + std::string(to_string(name));
    // These go with another setting (command_line_family_test.py).
    if (name == AxisName::active || name == AxisName::momentum || name == AxisName::floor) continue;
    if (name == AxisName::top_k) continue;
    const bool is_share = name == AxisName::sparsity || name == AxisName::beta1 || name == AxisName::beta2 ||
                          name == AxisName::epsilon;
    EXPECT_EQ(
        parse(file_with(key, is_share ? "[0.5, 0.125, 0.25]" : "[4, 2, 8]")).axes,
        (std::vector<Axis>{{name, is_share ? std::vector<double>{0.5, 0.125, 0.25} : std::vector<double>{4, 2, 8}}}));
    EXPECT_EQ(parse(file_with(key, is_share ? "{ start = 0.25, stop = 0.5, step = 0.25 }"
                                            : "{ start = 2, stop = 6, step = 2 }"))
                  .axes,
              (std::vector<Axis>{{name, is_share ? std::vector<double>{0.25, 0.5} : std::vector<double>{2, 4, 6}}}));
  }
}

TEST(SweepFile, IsNamedAfterItselfWithoutAName) {
  EXPECT_EQ(parse_sweep("data.sparsity=0\nmodel.n_features=2", "a/b.c.toml").name, "b.c");
  expect_sentence(refusal([] { parse_sweep("data.sparsity=0", "a/b c.toml"); }), {"a/b c.toml: ", "name", "letters"});
}

TEST(SweepFile, ReadsOtherLineEnds) {
  EXPECT_EQ(parse("\xef\xbb\xbfrestarts = 3\r\n[data]\r\nsparsity = 0.5\r\n[model]\r\nn_features = 2\r\n").restarts, 3);
  expect_sentence(refusal("restarts = 3\r\n[data]\r\nsparsity = 5\r\n"), {"toy.toml:3: data.sparsity"});
}

// ---------------------------------------------------------------- keys, tables, TOML

TEST(UnknownKey, ListsTheKeysThereAre) {
  const std::string model = "n_features, n_hidden, n_experts, top_k", data = "importance, sparsity, last_importance",
                    train = "steps, batch, learning_rate",  // a long sentence is cut in its middle
                    axes = "sparsity, last_importance, active, samples",
                    top = "name, restarts, seed, model, data, init, train, convention, axes, presets, variants";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nam", top},
      {"steps", top},
      {"other", top},
      {"model.n", model},
      {"model.sparsity", model},
      {"data.Sparsity", data},
      {"init.gate", "router, bias"},
      {"init.routers", "router, bias"},
      {"train.lr", train},
      {"train.seed", train},
      {"train.snapshot", train},
      {"train.\"\"", train},
      {"axes.loss", axes},
      {"axes.schedule", axes},
      {"axes.snapshots", axes},
      {"axes.n_features", axes},
      {"axes.width", axes},
      {"\"mo\\ndel\".x", top},
  };
  for (const auto& [key, keys] : cases) {
    SCOPED_TRACE(key);
    for (const std::string value : {"1", "\"\"", "nan", "[]", "{}"}) {
      const std::string shown = key.find('"') == std::string::npos ? "unknown key '" + key + "'" : "unknown key '";
      const std::string message = refusal(key + " = " + value + "\nname = \"toy\"\ndata.sparsity = 0.5\n");
      expect_sentence(message, {kOrigin + ":1: ", shown, keys});
      expect_sentence(set_refusal(key + "=" + value), {"--set ", shown, keys});
      expect_sentence(refusal(kFile + "[presets.other]\n" + key + " = " + value + "\n"),
                      {":12: ", shown, keys, "'other'"});
    }
  }
}

TEST(WrongTable, IsRefused) {
  for (const std::string table : {"model", "data", "init", "train", "axes"}) {
    for (const std::string value : {"1", "\"\"", "[]", "nan"}) {
      SCOPED_TRACE(table + " = " + value);
      expect_sentence(refusal(table + " = " + value + "\n"), {kOrigin + ":1: " + table + " must be a table", "not "});
      expect_sentence(set_refusal(table + "=" + value), {"--set ", table + " must be a table", "not "});
    }
    expect_sentence(refusal("[[" + table + "]]\n"), {table + " must be a table", "not a list"});
  }
}

TEST(BrokenToml, IsOneLine) {
  for (const std::string bad :
       {"restarts = ", "restarts = 1\nrestarts = 2", "[data", "a b = 1", "x = \"\n", "x = 'y", "\xff\xfe", "x = [1,",
        "[data]\n[data]\n", "x = sum", "x = 99999999999999999999", "{"}) {
    SCOPED_TRACE(bad);
    expect_sentence(refusal(bad), {kOrigin + ":", "not valid TOML"});
  }
  expect_sentence(refusal("\n\nrestarts = = 3"), {kOrigin + ":3: "});
  const std::string deep = "x = " + std::string(5000, '[') + std::string(5000, ']');
  expect_sentence(refusal(deep), {"not valid TOML"});
}

TEST(Together, KeysFitEachOther) {
  expect_sentence(refusal("name = \"x\""), {kOrigin + ": sparsity", "[data]", "[axes]"});
  expect_sentence(refusal("[axes]\nsteps = [1]"), {"sparsity", "[data]", "[axes]"});
  expect_sentence(refusal("data.sparsity = 0\n[model]\nn_experts = 2\ntop_k = 3"),
                  {":4: model.top_k", "at most model.n_experts = 2", "not 3"});
  expect_sentence(refusal("[data]\nsparsity = 0.5\n[axes]\nsparsity = [0.1]"), {":2: data.sparsity", "axes.sparsity"});
  expect_sentence(refusal("[train]\nsteps = 5\n[axes]\nsparsity = [0.1]\nsteps = [1]"),
                  {":2: train.steps", "axes.steps"});
  expect_sentence(
      refusal("restarts = 1000000\n[axes]\nsparsity = [0, 0.1]\nsteps = { start = 1, stop = 1000, step = 1 }"),
      {kOrigin + ":", "axes", "restarts", "2000000000", "100000000"});
}

// ---------------------------------------------------------------- files

TEST(ReadSweep, NamesFilesThatCannotBeRead) {
  expect_sentence(refusal([] { read_sweep("/no/such/file.toml"); }), {"/no/such/file.toml", "No such file"});
  expect_sentence(refusal([] { read_sweep("/tmp"); }), {"/tmp", "folder"});
  expect_sentence(refusal([] { read_sweep(""); }), {"cannot be read"});
  expect_sentence(refusal([] { read_sweep("a\nb"); }), {"cannot be read"});
}

TEST(ReadSweep, TakesNameAndMessagesFromThePath) {
  const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / "phasegrid_sweep_file_test.toml";
  std::ofstream(path) << "data.sparsity = 0.5\nmodel.n_features = 2\n";
  EXPECT_EQ(read_sweep(path.string()).name, "phasegrid_sweep_file_test");
  std::ofstream(path) << "\ndata.sparsity = 1.5\n";
  expect_sentence(refusal([&] { read_sweep(path.string()); }), {path.string() + ":2: data.sparsity must be "});
  std::ofstream(path) << "";
  expect_sentence(refusal([&] { read_sweep(path.string()); }), {path.string(), "sparsity"});
  std::filesystem::remove(path);
}

TEST(Experiments, AreTheEightArchitecturesOfFigure4) {
  TrainSettings authors;
  authors.load_balance = 0.01;
  authors.keep = Keep::last_batch;
  for (const std::string digits : {"211", "212", "311", "312", "313", "321", "322", "323"}) {
    SCOPED_TRACE(digits);
    const std::string path = std::string(PHASEGRID_SOURCE_DIR) + "/experiments/fig4_" + digits + ".toml";
    const Sweep paper = read_sweep(path);
    EXPECT_EQ(paper.name, "fig4_" + digits);
    EXPECT_EQ(paper.shape, (Shape{digits[0] - '0', digits[1] - '0', digits[2] - '0', 1}));
    EXPECT_EQ(paper.restarts, 10);
    EXPECT_EQ(paper.seed, 0u);
    EXPECT_EQ(paper.train, authors);
    EXPECT_TRUE(paper.data.importance.empty());
    EXPECT_EQ(Grid(paper).extents(), (std::vector<std::size_t>{39, 58}));
    const Sweep quick = read_sweep(path, {{}, "quick"});
    EXPECT_EQ(quick.restarts, 4);
    EXPECT_EQ(quick.train, authors);
    EXPECT_EQ(Grid(quick).extents(), (std::vector<std::size_t>{20, 29}));
    // Quick cells are cells of the paper's grid.
    for (std::size_t axis : {0u, 1u}) {
      for (double value : quick.axes[axis].values) {
        EXPECT_EQ(std::ranges::count(paper.axes[axis].values, value), 1) << value;
      }
    }
  }
}

TEST(Experiments, AllParseUnderEveryPreset) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(PHASEGRID_SOURCE_DIR) + "/experiments")) {
    if (entry.path().extension() != ".toml") continue;
    for (const std::string preset : {"paper", "quick"}) {
      EXPECT_EQ(refusal([&] { read_sweeps(entry.path().string(), {{}, preset}); }), "");
    }
    ++files;
  }
  EXPECT_GE(files, 8);
}

}  // namespace
}  // namespace phasegrid
