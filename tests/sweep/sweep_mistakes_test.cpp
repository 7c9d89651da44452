// One bad value in a sweep file: of every key, every mistake is one line naming the key and what is allowed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/sweep_text.hpp"

namespace phasegrid {
namespace {

using namespace testing;

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
      {"model.n_features", "a whole number from 1 to 1024", not_whole({"1025", "4294967297"})},
      {"model.n_hidden", "a whole number from 1 to 256", not_whole({"257"})},
      {"model.n_experts", "a whole number from 1 to 64", not_whole({"65"})},
      {"model.top_k", "a whole number from 1 to 64", not_whole({"65"})},
      {"data.importance", "\"uniform\" or a list of", {"1", "nan", "[]", "\"Uniform\"", "1.5"}},
      {"data.sparsity", "a number from 0 to below 1", not_sparsity},
      {"data.last_importance", wide, not_wide},
      {"init.router",
       "\"xavier\" or \"zero\" or \"diagonal\" or \"ordered-k-hot\" or \"random-k-hot\"",
       {"1", "nan", "[]", "\"Xavier\"", "\"k-hot\"", "\"ordered_k_hot\"", "[\"zero\"]"}},
      {"init.bias", "\"xavier\" or \"zero\"", {"0", "nan", "[]", "\"Zero\"", "\"diagonal\"", "[\"zero\"]"}},
      {"train.steps",
       "a whole number from 0 to 1000000000",
       {"-1", "1.0", "1.5", "1e3", "nan", "inf", "-inf", "[]", "[1]", "1000000001", "9223372036854775807"}},
      {"train.batch", "a whole number from 1 to 16777216", not_whole({"16777217", "512.0"})},
      {"train.learning_rate", wide, not_wide},
      {"train.weight_decay",
       "a number from -1 to 1000000000",
       {"-1.1", "-2", "1e10", "2000000000", "nan", "inf", "-inf", "[]", "[1]"}},
      {"train.load_balance", wide, not_wide},
      {"train.drop_below", wide, not_wide},
      {"train.drop_factor",
       "a number from 0 to 1",
       {"-1", "-1e-9", "1.0000001", "2", "nan", "inf", "-inf", "[]", "[1]"}},
      {"train.stop_below", wide, not_wide},
      {"train.schedule",
       "\"constant\" or \"linear\" or \"cosine\"",
       {"0", "nan", "[]", "\"Linear\"", "\"step\"", "[\"linear\"]"}},
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
      {"axes.steps", "a whole number from 0 to 1000000000", {"-1", "1.0", "1.5", "1000000001", "nan", "inf"}},
      {"axes.batch", "a whole number from 1 to 16777216", {"0", "1.0", "1.5", "16777217", "nan", "inf"}},
      {"axes.learning_rate", wide, {"-1", "1e10", "nan", "-inf"}},
      {"axes.weight_decay", "a number from -1 to 1000000000", {"-1.1", "1e10", "nan", "-inf"}},
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
    expect_sentence(refusal(file_with(test.key, "{ start = -2, stop = 0, step = 1 }")),
                    {place, test.allowed, "not -2"});
  }
  expect_sentence(refusal(file_with("axes.steps", "{ start = 1.0, stop = 3, step = 1 }")),
                  {":3: axes.steps.start must be a whole number, not 1.0"});
}

TEST(BadSnapshots, NameLineKeyAndWhatIsAllowed) {
  const std::string whole = "a whole number from 0 to 1000000000";
  const std::string place = kOrigin + ":3: train.snapshots";
  for (const std::string bad : {"-1", "0.0", "0.5", "1e3", "1000000001", "9223372036854775807", "nan", "inf", "\"1\"",
                                "true", "[]", "{}", "07:32:00"}) {
    SCOPED_TRACE(bad);
    expect_sentence(refusal(file_with("train.snapshots", "[0, " + bad + "]")), {place + "[1] must be ", whole, "not "});
    expect_sentence(set_refusal("train.snapshots=[0, " + bad + "]"), {"--set ", "train.snapshots[1]", whole});
  }
  for (const std::string bad : {"1", "nan", "\"all\"", "true"}) {
    expect_sentence(refusal(file_with("train.snapshots", bad)), {place, "a list of numbers or { start, stop, step }"});
  }
  const std::pair<const char*, const char*> ranges[] = {
      {"{ start = 0, stop = 8 }", "step is missing"},
      {"{ start = 0, stop = 8, stop_ = 1 }", "unknown key"},
      {"{ start = 0, stop = 8, step = 0.5 }", "a whole number"},
      {"{ start = 8, stop = 0, step = 1 }", "stop >= start"},
      {"{ start = 0, stop = 9000000000, step = 1 }", "1000000"},
      {"{ start = -4, stop = 4, step = 4 }", "not -4"},
      // Far more than an int holds.
      {"{ start = 0, stop = 9000000000000, step = 9000000000000 }", "not 9000000000000"},
  };
  for (const auto& [range, reason] : ranges) {
    expect_sentence(refusal(file_with("train.snapshots", range)), {kOrigin + ":3: ", "train.snapshots", reason});
  }
  for (const std::string bad : {"[5001]", "[0, 5001]", "{ start = 0, stop = 6000, step = 3000 }"}) {
    expect_sentence(refusal(file_with("train.snapshots", bad)), {place, "from 0 to", "5000"});
  }
  for (const std::string bad : {"[1, 0]", "[7, 7]", "[0, 9, 8]"}) {
    expect_sentence(refusal(file_with("train.snapshots", bad)), {place, "ascending", "comes after"});
  }
  EXPECT_EQ(refusal(file_with("train.snapshots", "[0, 1, 5000]")), "");
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
  for (const std::string rule : {"geometric", "shuffled_geometric"}) {
    for (const std::string ratio :
         {"0", "-0.5", "1.0000001", "2", "nan", "inf", "\"0.7\"", "true", "[]", "[0.7]", "{}"}) {
      expect_sentence(refusal(with + "{ " + rule + " = " + ratio + " }"),
                      {":3: data.importance." + rule + " must be ", "a number from above 0 to 1, not "});
    }
    EXPECT_EQ(refusal(with + "{ " + rule + " = 1 }"), "");
  }
  for (const std::string bad : {"{ ratio = 0.7 }", "{ geometric = 0.7, ratio = 0.7 }", "{ Geometric = 0.7 }"}) {
    expect_sentence(refusal(with + bad), {":3: data.importance must be ", "{ geometric = RATIO }", "not a table"});
  }
}

TEST(BadSparsityList, NamesTheEntry) {
  const std::string with = "model.n_features = 3\ndata.sparsity = ";
  EXPECT_EQ(parse(with + "[0, 0.5, 0.25]").data.feature_sparsity, (std::vector<double>{0, 0.5, 0.25}));
  for (const std::string bad : {"1", "-0.1", "nan", "inf", "\"0\"", "true", "[]", "{}"}) {
    expect_sentence(refusal(with + "[0, " + bad + ", 0]"),
                    {":2: data.sparsity[1] must be ", "a number from 0 to below 1", "not "});
  }
  expect_sentence(refusal(with + "[0, 0.99999999999, 0]"), {":2: data.sparsity must be ", "in float32"});
  for (const std::string bad : {"[0.5]", "[0.5, 0.5]", "[0, 0, 0, 0]"}) {
    expect_sentence(refusal(with + bad), {":2: data.sparsity must be ", "a list of model.n_features = 3", "not of "});
  }
  for (const std::string axis : {"[0.5]", "{ start = 0, stop = 0.5, step = 0.5 }"}) {
    expect_sentence(refusal(with + "[0, 0, 0]\naxes.sparsity = " + axis), {":2: data.sparsity", "axes.sparsity"});
  }
}

}  // namespace
}  // namespace phasegrid
