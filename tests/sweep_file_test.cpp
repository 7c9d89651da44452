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
#include "sweep_text.hpp"

namespace phasegrid {
namespace {

using namespace testing;

// A file that holds one key of its own, with sparsity where it does not collide, and the line that key is on.
std::string file_with(const std::string& key, const std::string& value) {
  const std::size_t dot = key.find('.');
  std::string text = dot == std::string::npos ? key + " = " + value + "\n" : "\n";
  if (key != "data.sparsity" && key != "axes.sparsity") text += "data.sparsity = 0.5\n";
  if (dot != std::string::npos) text += key + " = " + value + "\n";
  return text;
}

// ---------------------------------------------------------------- what files mean

TEST(SweepFile, HasTheDefaultsOfFigure4) {
  const Sweep sweep = parse("data.sparsity = 0.25");
  EXPECT_EQ(sweep.name, "toy");
  EXPECT_EQ(sweep.restarts, 10);
  EXPECT_EQ(sweep.seed, 0u);
  EXPECT_EQ(sweep.shape, (Shape{2, 1, 1, 1}));
  EXPECT_EQ(sweep.data.sparsity, 0.25);
  EXPECT_TRUE(sweep.data.importance.empty());
  EXPECT_FALSE(sweep.data.last_importance);
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
  EXPECT_EQ(sweep.train, (TrainSettings{5000, 64, 1.0, 0.5, 0.0, Loss::sum, Keep::evaluation}));
  EXPECT_EQ(sweep.axes, (std::vector<Axis>{{AxisName::sparsity, {0, 0.2, 0.4}}, {AxisName::steps, {30, 10}}}));
}

TEST(SweepFile, TakesEveryAxis) {
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    const std::string key = "axes." + std::string(to_string(name));
    const bool is_sparsity = name == AxisName::sparsity;
    EXPECT_EQ(
        parse(file_with(key, is_sparsity ? "[0.5, 0, 0.25]" : "[4, 2, 8]")).axes,
        (std::vector<Axis>{{name, is_sparsity ? std::vector<double>{0.5, 0, 0.25} : std::vector<double>{4, 2, 8}}}));
    EXPECT_EQ(parse(file_with(key, is_sparsity ? "{ start = 0.25, stop = 0.5, step = 0.25 }"
                                               : "{ start = 1, stop = 3, step = 1 }"))
                  .axes,
              (std::vector<Axis>{{name, is_sparsity ? std::vector<double>{0.25, 0.5} : std::vector<double>{1, 2, 3}}}));
  }
}

TEST(SweepFile, IsNamedAfterItselfWithoutAName) {
  EXPECT_EQ(parse_sweep("data.sparsity=0", "a/b.c.toml").name, "b.c");
  expect_sentence(refusal([] { parse_sweep("data.sparsity=0", "a/b c.toml"); }), {"a/b c.toml: ", "name", "letters"});
}

TEST(SweepFile, ReadsOtherLineEnds) {
  EXPECT_EQ(parse("\xef\xbb\xbfrestarts = 3\r\n[data]\r\nsparsity = 0.5\r\n").restarts, 3);
  expect_sentence(refusal("restarts = 3\r\n[data]\r\nsparsity = 5\r\n"), {"toy.toml:3: data.sparsity"});
}

// ---------------------------------------------------------------- one bad value

struct BadKey {
  std::string key;
  std::string allowed;
  std::vector<std::string> values;  // besides wrong types, all refused with `allowed`
};

std::vector<BadKey> bad_keys() {
  const std::string wide = "a number from 0 to 1000000000";
  const std::vector<std::string> not_wide = {"-1", "-1e-9", "1e10", "2000000000", "nan", "inf", "-inf", "[]", "[1]"};
  const std::vector<std::string> not_sparsity = {"-0.1", "1", "1.0", "0.999999999999", "2", "nan", "inf", "-inf", "[]"};
  const auto not_whole = [](std::vector<std::string> more) {
    more.insert(more.end(), {"0", "-1", "1.0", "1.5", "1e3", "nan", "inf", "-inf", "[]", "[1]", "9223372036854775807",
                             "-9223372036854775808"});
    return more;
  };
  return {
      {"name",
       "1 to 200 letters, digits, '.', '_' or '-'",
       {"1", "nan", "[]", "\"a/b\"", "\"a b\"", "\"a\\nb\"", "\"" + std::string(201, 'x') + "\""}},
      {"restarts", "a whole number from 1 to 1000000", not_whole({"1000001"})},
      {"seed", "a whole number from 0 to 9223372036854775807", {"-1", "0.0", "1.5", "nan", "inf", "[]", "[1]"}},
      {"model.n_features", "a whole number from 1 to 256", not_whole({"257", "4294967297"})},
      {"model.n_hidden", "a whole number from 1 to 64", not_whole({"65"})},
      {"model.n_experts", "a whole number from 1 to 64", not_whole({"65"})},
      {"model.top_k", "a whole number from 1 to 64", not_whole({"65"})},
      {"data.importance", "\"uniform\" or a list of", {"1", "nan", "[]", "\"Uniform\"", "1.5"}},
      {"data.sparsity", "a number from 0 to below 1", not_sparsity},
      {"data.last_importance", wide, not_wide},
      {"train.steps", "a whole number from 1 to 1000000000", not_whole({"1000000001"})},
      {"train.batch", "a whole number from 1 to 16777216", not_whole({"16777217", "512.0"})},
      {"train.learning_rate", wide, not_wide},
      {"train.weight_decay", wide, not_wide},
      {"train.load_balance", wide, not_wide},
      {"train.loss", "\"mean\" or \"sum\"", {"1", "nan", "[]", "\"Mean\"", "[\"mean\"]"}},
      {"train.keep", "\"last-batch\" or \"evaluation\"", {"1", "nan", "[]", "\"last_batch\"", "[\"evaluation\"]"}},
  };
}

TEST(BadValue, NamesLineKeyAndWhatIsAllowed) {
  for (const BadKey& bad : bad_keys()) {
    std::vector<std::string> values = bad.values;
    values.insert(values.end(), {"\"\"", "\"text\\n\"", "true", "{}", "{ a = 1 }", "1979-05-27", "07:32:00"});
    for (const std::string& value : values) {
      SCOPED_TRACE(bad.key + " = " + value);
      const std::string line =
          bad.key.find('.') == std::string::npos ? ":1: " : (bad.key == "data.sparsity" ? ":2: " : ":3: ");
      expect_sentence(refusal(file_with(bad.key, value)),
                      {kOrigin + line + bad.key + " must be ", bad.allowed, "not "});
      if (value.find('\n') == std::string::npos) {
        expect_sentence(set_refusal(bad.key + "=" + value), {"--set ", bad.key, bad.allowed});
      }
      // In a preset too, even one that is not chosen.
      const std::string preset = kFile + "[presets.other]\n" + bad.key + " = " + value + "\n";
      expect_sentence(refusal(preset), {kOrigin + ":12: " + bad.key, bad.allowed, "(with preset 'other')"});
    }
  }
}

TEST(BadValue, ShowsWhatWasFound) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"512.0", "not 512.0"}, {"0", "not 0"},         {"nan", "not nan"},
      {"-inf", "not -inf"},   {"\"x\"", "not \"x\""}, {"true", "not true"},
      {"[1]", "not a list"},  {"{}", "not a table"},  {"07:32:00", "not a date or time"}};
  for (const auto& [value, found] : cases) expect_sentence(refusal(file_with("train.batch", value)), {found});
  expect_sentence(refusal(file_with("train.loss", "\"" + std::string(10'000, 'x') + "\"")), {"xxx..."});
}

TEST(BadAxis, NamesLineKeyAndWhatIsAllowed) {
  struct Case {
    std::string key, allowed;
    std::vector<std::string> values;  // of one element
  };
  const std::string wide = "a number from 0 to 1000000000";
  const Case cases[] = {
      {"axes.sparsity", "a number from 0 to below 1", {"-0.1", "1", "nan", "inf", "0.999999999999"}},
      {"axes.last_importance", wide, {"-1", "1e10", "nan", "inf"}},
      {"axes.steps", "a whole number from 1 to 1000000000", {"0", "1.0", "1.5", "1000000001", "nan", "inf"}},
      {"axes.batch", "a whole number from 1 to 16777216", {"0", "1.0", "1.5", "16777217", "nan", "inf"}},
      {"axes.learning_rate", wide, {"-1", "1e10", "nan", "-inf"}},
      {"axes.weight_decay", wide, {"-1", "1e10", "nan", "-inf"}},
      {"axes.load_balance", wide, {"-1", "1e10", "nan", "-inf"}},
      {"axes.seed", "a whole number from 0 to 1000000000", {"-1", "0.5", "1000000001"}},
  };
  for (const Case& test : cases) {
    const std::string place = kOrigin + (test.key == "axes.sparsity" ? ":2: " : ":3: ") + test.key;
    const std::string first = test.key == "axes.sparsity" ? "0" : "3";
    std::vector<std::string> elements = test.values;
    elements.insert(elements.end(), {"\"\"", "\"1\"", "true", "[]", "{}", "07:32:00"});
    for (const std::string& element : elements) {
      SCOPED_TRACE(test.key + " " + element);
      expect_sentence(refusal(file_with(test.key, fmt::format("[{}, {}]", first, element))),
                      {place, test.allowed, "not "});
    }
    for (const std::string value : {"1", "0.5", "\"\"", "\"uniform\"", "true", "nan"}) {
      SCOPED_TRACE(test.key + " " + value);
      expect_sentence(refusal(file_with(test.key, value)),
                      {place, "a list of numbers or { start, stop, step }", "not " + value.substr(0, 1)});
    }
    SCOPED_TRACE(test.key);
    expect_sentence(refusal(file_with(test.key, "[]")), {place, "at least one value", test.allowed, "an empty list"});
    expect_sentence(refusal(file_with(test.key, fmt::format("[{0}, {0}]", first))), {place, "twice", first});
    expect_sentence(refusal(file_with(test.key, "{}")), {place, "{ start, stop, step }", "missing"});
    expect_sentence(refusal(file_with(test.key, "{ start = 1, stop = 2 }")), {place, "step is missing"});
    expect_sentence(refusal(file_with(test.key, "{ start = 1, stop = 2, step = 1, stepp = 1 }")),
                    {place.substr(0, place.find(test.key)), test.key + ".stepp", "start, stop, step"});
    for (const std::string part : {"start", "stop", "step"}) {
      for (const std::string value : {"\"\"", "true", "nan", "inf", "[]", "{}"}) {
        std::string axis = "{ start = 1, stop = 2, step = 1 }";
        const std::size_t at = axis.find(part + " = ") + part.size() + 3;
        axis.replace(at, 1, value);
        SCOPED_TRACE(axis);
        expect_sentence(refusal(file_with(test.key, axis)), {place + "." + part, "number", "not "});
      }
    }
    expect_sentence(refusal(file_with(test.key, "{ start = 1, stop = 2, step = 0 }")), {place, "above 0", "not 0"});
    expect_sentence(refusal(file_with(test.key, "{ start = 1, stop = 2, step = -1 }")), {place, "above 0", "not -1"});
    expect_sentence(refusal(file_with(test.key, "{ start = 2, stop = 1, step = 1 }")), {place, "stop", "start"});
    expect_sentence(refusal(file_with(test.key, "{ start = 0, stop = 9000000000, step = 1 }")), {place, "1000000"});
    // A range that leaves what the key allows, which only the whole sweep's check sees.
    expect_sentence(refusal(file_with(test.key, "{ start = -1, stop = 0, step = 1 }")),
                    {place, test.allowed, "not -1"});
  }
  expect_sentence(refusal(file_with("axes.steps", "{ start = 1.0, stop = 3, step = 1 }")),
                  {":3: axes.steps.start must be a whole number, not 1.0"});
}

TEST(BadImportance, NamesTheEntry) {
  const std::string with = "model.n_features = 3\ndata.sparsity = 0.5\ndata.importance = ";
  EXPECT_EQ(refusal(with + "[1, 2, 3]"), "");
  EXPECT_EQ(refusal(with + "\"uniform\""), "");
  for (const std::string bad : {"nan", "inf", "-1", "2e9", "\"1\"", "true", "[]"}) {
    expect_sentence(refusal(with + "[1, " + bad + ", 3]"),
                    {":3: data.importance[1] must be ", "a number from 0 to 1000000000", "not "});
  }
  for (const std::string bad : {"[1]", "[1, 2]", "[1, 2, 3, 4]"}) {
    expect_sentence(refusal(with + bad), {":3: data.importance must be ", "uniform", "model.n_features = 3", "not "});
  }
}

// ---------------------------------------------------------------- keys, tables, TOML

TEST(UnknownKey, ListsTheKeysThereAre) {
  const std::string model = "n_features, n_hidden, n_experts, top_k", data = "importance, sparsity, last_importance",
                    train = "steps, batch, learning_rate, weight_decay, load_balance, loss, keep, schedule, drop_below, "
                            "drop_factor, stop_below, snapshots",
                    axes = "sparsity, last_importance, steps, batch, learning_rate, weight_decay, load_balance, seed",
                    top = "name, restarts, seed, model, data, init, train, axes, presets, variants";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nam", top},
      {"steps", top},
      {"other", top},
      {"model.n", model},
      {"model.sparsity", model},
      {"data.Sparsity", data},
      {"train.lr", train},
      {"train.\"\"", train},
      {"axes.loss", axes},
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
  for (const std::string table : {"model", "data", "train", "axes"}) {
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
  std::ofstream(path) << "data.sparsity = 0.5\n";
  EXPECT_EQ(read_sweep(path.string()).name, "phasegrid_sweep_file_test");
  std::ofstream(path) << "\ndata.sparsity = 1.5\n";
  expect_sentence(refusal([&] { read_sweep(path.string()); }), {path.string() + ":2: data.sparsity must be "});
  std::ofstream(path) << "";
  expect_sentence(refusal([&] { read_sweep(path.string()); }), {path.string(), "sparsity"});
  std::filesystem::remove(path);
}

TEST(Experiments, AreTheEightArchitecturesOfFigure4) {
  for (const std::string digits : {"211", "212", "311", "312", "313", "321", "322", "323"}) {
    SCOPED_TRACE(digits);
    const std::string path = std::string(PHASEGRID_SOURCE_DIR) + "/experiments/fig4_" + digits + ".toml";
    const Sweep paper = read_sweep(path);
    EXPECT_EQ(paper.name, "fig4_" + digits);
    EXPECT_EQ(paper.shape, (Shape{digits[0] - '0', digits[1] - '0', digits[2] - '0', 1}));
    EXPECT_EQ(paper.restarts, 10);
    EXPECT_EQ(paper.seed, 0u);
    EXPECT_EQ(paper.train, TrainSettings{});
    EXPECT_TRUE(paper.data.importance.empty());
    EXPECT_EQ(Grid(paper).extents(), (std::vector<std::size_t>{39, 58}));
    const Sweep quick = read_sweep(path, {{}, "quick"});
    EXPECT_EQ(quick.restarts, 4);
    EXPECT_EQ(quick.train, TrainSettings{});
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
