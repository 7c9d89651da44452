// Sweeps built through the API: ranges, what check() refuses, and the grid's order.
#include "phasegrid/sweep.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What `action` refuses with; "" where it does not.
std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::string refusal(const Sweep& sweep) {
  return refusal([&] { sweep.check(); });
}

// One sentence of usual length that holds every one of `parts`.
void expect_sentence(const std::string& message, const std::vector<std::string>& parts) {
  ASSERT_NE(message, "");
  EXPECT_EQ(message.find_first_of("\n\r"), std::string::npos) << message;
  EXPECT_LT(message.size(), 400u) << message;
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
  }
}

Sweep usable_sweep() {
  Sweep sweep;
  sweep.shape = {3, 2, 4, 2};
  sweep.data.sparsity = 0.5;
  return sweep;
}

// ---------------------------------------------------------------- range

struct RangeCase {
  double start, stop, step;
  std::vector<double> values;
};

TEST(Range, HoldsItsValuesExactlyAsAListWould) {
  const RangeCase cases[] = {
      {0, 1, 0.25, {0, 0.25, 0.5, 0.75, 1}},
      {0.1, 0.3, 0.1, {0.1, 0.2, 0.3}},  // 0.1 + 2 * 0.1 is 0.30000000000000004 in double
      {0.1, 0.35, 0.1, {0.1, 0.2, 0.3}},
      {2, 2, 5, {2}},
      {-1, 1, 1, {-1, 0, 1}},
      {1000, 3000, 1000, {1000, 2000, 3000}},
      {1e-5, 3e-5, 1e-5, {1e-5, 2e-5, 3e-5}},
  };
  for (const RangeCase& test : cases) EXPECT_EQ(range(test.start, test.stop, test.step), test.values) << test.stop;
}

TEST(Range, GivesTheAxesOfFigure4) {
  const std::vector<double> sparsity = range(0.025, 0.975, 0.025);
  ASSERT_EQ(sparsity.size(), 39u);
  for (int i = 0; i < 39; ++i) EXPECT_EQ(sparsity[static_cast<std::size_t>(i)], (i + 1) * 25 / 1000.0);
  const std::vector<double> importance = range(0.10, 2.95, 0.05);
  ASSERT_EQ(importance.size(), 58u);
  for (int i = 0; i < 58; ++i) EXPECT_EQ(importance[static_cast<std::size_t>(i)], (i * 5 + 10) / 100.0);
}

TEST(Range, ReachesItsStopThroughRoundingOnly) {
  EXPECT_EQ(range(0, 1, 1.0 / 3).size(), 4u);
  EXPECT_EQ(range(0, 0.9999, 0.1).size(), 10u);
  EXPECT_EQ(range(0, 1 - 1e-11, 0.1).size(), 11u);
}

TEST(Range, RefusesWhatIsNoRange) {
  for (double bad : {kNan, kInfinity, -kInfinity}) {
    expect_sentence(refusal([&] { range(bad, 1, 0.1); }), {"finite"});
    expect_sentence(refusal([&] { range(0, bad, 0.1); }), {"finite"});
    expect_sentence(refusal([&] { range(0, 1, bad); }), {"finite"});
  }
  expect_sentence(refusal([] { range(0, 1, 0); }), {"step", "above 0", "not 0"});
  expect_sentence(refusal([] { range(0, 1, -0.1); }), {"step", "above 0", "not -0.1"});
  expect_sentence(refusal([] { range(1, 0, 0.1); }), {"stop", "start"});
}

TEST(Range, RefusesMoreThanAMillionValuesBeforeMakingThem) {
  EXPECT_EQ(range(1, 1e6, 1).size(), 1'000'000u);
  expect_sentence(refusal([] { range(1, 1e6 + 1, 1); }), {"1000000", "1000001"});
  expect_sentence(refusal([] { range(0, 1, 1e-15); }), {"1000000"});
  expect_sentence(refusal([] { range(0, 1, std::numeric_limits<double>::denorm_min()); }), {"1000000"});
  expect_sentence(refusal([] { range(-1e308, 1.7e308, 1e-300); }), {"1000000"});
  EXPECT_EQ(range(0, 1, 1e300), std::vector<double>{0});
}

// ---------------------------------------------------------------- check

struct NumberKey {
  std::string key;
  std::string allowed;
  std::function<void(Sweep&, double)> set;
  std::vector<double> good, bad;
};

// Every setting of type double.
std::vector<NumberKey> number_keys() {
  const std::string wide = "from 0 to 1000000000";
  const std::vector<double> good = {0, 1e-30, 1, 1e9};
  const std::vector<double> bad = {-1e-9, 1.0000001e9, 1e300};
  return {
      {"data.sparsity",
       "from 0 to below 1",
       [](Sweep& s, double x) { s.data.sparsity = x; },
       {0, 0.5, 0.999999},
       {-0.1, 1, 1 - 1e-12, 2}},
      {"data.importance", wide,
       [](Sweep& s, double x) {
         s.data.importance = {1, x, 1};
       },
       good, bad},
      {"data.last_importance", wide, [](Sweep& s, double x) { s.data.last_importance = x; }, good, bad},
      {"train.learning_rate", wide, [](Sweep& s, double x) { s.train.learning_rate = x; }, good, bad},
      {"train.weight_decay", wide, [](Sweep& s, double x) { s.train.weight_decay = x; }, good, bad},
      {"train.load_balance", wide, [](Sweep& s, double x) { s.train.load_balance = x; }, good, bad},
  };
}

TEST(SweepCheck, HoldsNumbersToTheirRange) {
  for (const NumberKey& key : number_keys()) {
    SCOPED_TRACE(key.key);
    for (double good : key.good) {
      Sweep sweep = usable_sweep();
      key.set(sweep, good);
      EXPECT_EQ(refusal(sweep), "") << good;
    }
    std::vector<double> bad = key.bad;
    bad.insert(bad.end(), {kNan, kInfinity, -kInfinity});
    for (double value : bad) {
      Sweep sweep = usable_sweep();
      key.set(sweep, value);
      expect_sentence(refusal(sweep), {key.key, key.allowed, "not "});
    }
  }
}

TEST(SweepCheck, HoldsWholeNumbersToTheirRange) {
  struct Case {
    std::string key;
    std::function<void(Sweep&, int)> set;
    int highest;
  };
  const Case cases[] = {
      {"restarts", [](Sweep& s, int x) { s.restarts = x; }, 1'000'000},
      {"model.n_features", [](Sweep& s, int x) { s.shape.n_features = x; }, 256},
      {"model.n_hidden", [](Sweep& s, int x) { s.shape.n_hidden = x; }, 64},
      {"model.n_experts", [](Sweep& s, int x) { s.shape.n_experts = x; }, 64},
      {"train.steps", [](Sweep& s, int x) { s.train.steps = x; }, 1'000'000'000},
      {"train.batch", [](Sweep& s, int x) { s.train.batch = x; }, 16'777'216},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.key);
    for (int good : {1, 2, test.highest}) {
      Sweep sweep = usable_sweep();
      sweep.shape.top_k = 1;
      test.set(sweep, good);
      EXPECT_EQ(refusal(sweep), "") << good;
    }
    for (int bad : {0, -1, std::numeric_limits<int>::min(), test.highest + 1}) {
      Sweep sweep = usable_sweep();
      sweep.shape.top_k = 1;
      test.set(sweep, bad);
      expect_sentence(refusal(sweep), {test.key, "a whole number from 1 to " + std::to_string(test.highest),
                                       "not " + std::to_string(bad)});
    }
  }
}

TEST(SweepCheck, HoldsTheSeedToWhatAFileCanHold) {
  Sweep sweep = usable_sweep();
  sweep.seed = 9223372036854775807u;
  EXPECT_EQ(refusal(sweep), "");
  sweep.seed += 1;
  expect_sentence(refusal(sweep), {"seed", "from 0 to 9223372036854775807", "not 9223372036854775808"});
}

TEST(SweepCheck, HoldsNamesToWhatAFileNameMayBe) {
  for (const std::string& good :
       {std::string("a"), std::string("fig4_211"), std::string("A-b.c_9"), std::string(200, 'x')}) {
    Sweep sweep = usable_sweep();
    sweep.name = good;
    EXPECT_EQ(refusal(sweep), "");
  }
  for (const std::string& bad :
       {std::string(), std::string("a/b"), std::string("a b"), std::string("a\nb"), std::string("a\rb"),
        std::string(1, '\0'), std::string("\xc3\xa9"), std::string(".."), std::string(201, 'x')}) {
    Sweep sweep = usable_sweep();
    sweep.name = bad;
    expect_sentence(refusal(sweep), {"name", "200", "letters, digits, '.', '_' or '-'"});
  }
}

TEST(SweepCheck, ComparesKeysWithEachOther) {
  Sweep sweep = usable_sweep();
  sweep.shape.top_k = 5;
  expect_sentence(refusal(sweep), {"model.top_k", "at most model.n_experts = 4", "not 5"});
  sweep.shape.top_k = 0;
  expect_sentence(refusal(sweep), {"model.top_k", "a whole number from 1", "not 0"});

  for (const std::vector<double>& importance : {std::vector<double>(2, 1.0), std::vector<double>(4, 1.0)}) {
    sweep = usable_sweep();
    sweep.data.importance = importance;
    expect_sentence(refusal(sweep), {"data.importance", "uniform", "model.n_features = 3"});
  }
}

TEST(SweepCheck, WantsEverySettingInOnePlace) {
  Sweep sweep = usable_sweep();
  sweep.data.sparsity.reset();
  expect_sentence(refusal(sweep), {"sparsity", "[data]", "[axes]"});

  sweep = usable_sweep();
  sweep.axes = {{AxisName::sparsity, {0.5}}};
  expect_sentence(refusal(sweep), {"sparsity", "[data]", "[axes]"});

  sweep = usable_sweep();
  sweep.data.last_importance = 1;
  sweep.axes = {{AxisName::last_importance, {0.5}}};
  expect_sentence(refusal(sweep), {"last_importance", "[data]", "[axes]"});

  sweep = usable_sweep();
  sweep.axes = {{AxisName::steps, {5}}, {AxisName::batch, {1}}, {AxisName::steps, {6}}};
  expect_sentence(refusal(sweep), {"axes.steps", "twice"});
}

TEST(SweepCheck, HoldsAxesToTheRulesOfTheirKey) {
  struct Case {
    AxisName name;
    std::string allowed;
    std::vector<double> good, bad;
  };
  const std::string wide = "a number from 0 to 1000000000";
  const Case cases[] = {
      {AxisName::sparsity, "a number from 0 to below 1", {0, 0.5}, {-0.1, 1}},
      {AxisName::last_importance, wide, {0, 2.5, 1e9}, {-1, 1e10}},
      {AxisName::steps, "a whole number from 1 to 1000000000", {1, 100, 1e9}, {0, -1, 0.5, 100.25, 1e10}},
      {AxisName::batch, "a whole number from 1 to 16777216", {1, 512, 16777216}, {0, -1, 1.5, 16777217}},
      {AxisName::learning_rate, wide, {0, 1e-3, 1e9}, {-1e-3, 1e10}},
      {AxisName::weight_decay, wide, {0, 0.01, 1e9}, {-0.01, 1e10}},
      {AxisName::load_balance, wide, {0, 0.01, 1e9}, {-0.01, 1e10}},
      {AxisName::seed, "a whole number from 0 to 1000000000", {0, 7, 1e9}, {-1, 0.5, 1e10}},
  };
  ASSERT_EQ(std::size(cases), static_cast<std::size_t>(kAxisNames));
  for (const Case& test : cases) {
    const std::string key = "axes." + std::string(to_string(test.name));
    SCOPED_TRACE(key);
    Sweep sweep;
    if (test.name != AxisName::sparsity) sweep.data.sparsity = 0.5;
    sweep.axes = {{test.name, test.good}};
    EXPECT_EQ(refusal(sweep), "");
    std::vector<double> all_bad = test.bad;
    all_bad.insert(all_bad.end(), {kNan, kInfinity, -kInfinity});
    for (double bad : all_bad) {
      sweep.axes[0].values = test.good;
      sweep.axes[0].values.push_back(bad);
      expect_sentence(refusal(sweep), {key, test.allowed, "not "});
    }
    sweep.axes[0].values = {};
    expect_sentence(refusal(sweep), {key, "at least one value"});
    sweep.axes[0].values = {test.good[0], test.good[1], test.good[0]};
    expect_sentence(refusal(sweep), {key, "twice"});
  }
}

TEST(SweepCheck, RefusesGridsTooLargeToHold) {
  Sweep sweep = usable_sweep();
  sweep.restarts = 100;
  sweep.axes = {{AxisName::steps, range(1, 1000, 1)}, {AxisName::batch, range(1, 1000, 1)}};
  EXPECT_EQ(refusal(sweep), "");  // 1e8 models
  sweep.restarts = 101;
  expect_sentence(refusal(sweep), {"restarts", "axes", "100000000", "101000000"});

  // A product that wraps around in 64 bits, and far beyond.
  sweep.restarts = 1'000'000;
  const std::vector<double> many = range(1, 100'000, 1);
  sweep.axes = {{AxisName::last_importance, many}, {AxisName::steps, many},        {AxisName::batch, many},
                {AxisName::learning_rate, many},   {AxisName::weight_decay, many}, {AxisName::load_balance, many}};
  expect_sentence(refusal(sweep), {"restarts", "axes", "100000000"});
}

// ---------------------------------------------------------------- names and grid

TEST(AxisNames, AreThoseOfSweepFiles) {
  const std::vector<std::string> names = {"sparsity",      "last_importance", "steps",       "batch",
                                          "learning_rate", "weight_decay",    "load_balance", "seed"};
  for (int i = 0; i < kAxisNames; ++i) {
    EXPECT_EQ(to_string(static_cast<AxisName>(i)), names[static_cast<std::size_t>(i)]);
  }
}

TEST(GridOrder, IsOneCellWithoutAxes) {
  Sweep sweep = usable_sweep();
  sweep.data.importance = {3, 2, 1};
  const Grid grid(sweep);
  EXPECT_EQ(grid.cells(), 1u);
  EXPECT_EQ(grid.extents(), (std::vector<std::size_t>{1, 1}));
  ASSERT_EQ(grid.dimensions().size(), 2u);
  EXPECT_EQ(grid.dimensions()[0].name, AxisName::sparsity);
  EXPECT_EQ(grid.dimensions()[0].values, std::vector<double>{0.5});
  EXPECT_EQ(grid.dimensions()[1].name, AxisName::last_importance);
  EXPECT_EQ(grid.dimensions()[1].values, std::vector<double>{1});
  const Cell cell = grid.cell(0);
  EXPECT_EQ(cell.sparsity, std::vector<double>(cell.sparsity.size(), 0.5));
  EXPECT_EQ(cell.importance, (std::vector<double>{3, 2, 1}));
  EXPECT_EQ(cell.train, TrainSettings{});
}

TEST(GridOrder, ResolvesImportances) {
  Sweep sweep = usable_sweep();
  EXPECT_EQ(Grid(sweep).cell(0).importance, (std::vector<double>{1, 1, 1}));
  sweep.data.last_importance = 0.25;
  EXPECT_EQ(Grid(sweep).cell(0).importance, (std::vector<double>{1, 1, 0.25}));
  sweep.data.importance = {4, 5, 6};
  EXPECT_EQ(Grid(sweep).cell(0).importance, (std::vector<double>{4, 5, 0.25}));
  EXPECT_EQ(Grid(sweep).dimensions()[1].values, std::vector<double>{0.25});
}

TEST(GridOrder, IsRowMajorInTheOrderOfAxisName) {
  Sweep sweep;
  sweep.shape.n_features = 2;
  sweep.axes = {{AxisName::load_balance, {0, 0.5}},  {AxisName::weight_decay, {0.25}}, {AxisName::steps, {10, 20, 30}},
                {AxisName::last_importance, {7, 8}}, {AxisName::sparsity, {0.1, 0.2}}, {AxisName::batch, {64}},
                {AxisName::learning_rate, {0.125}}};
  ASSERT_EQ(refusal(sweep), "");
  const Grid grid(sweep);
  EXPECT_EQ(grid.extents(), (std::vector<std::size_t>{2, 2, 3, 1, 1, 1, 2}));
  ASSERT_EQ(grid.cells(), 24u);
  std::size_t i = 0;
  for (double sparsity : {0.1, 0.2}) {
    for (double last : {7.0, 8.0}) {
      for (int steps : {10, 20, 30}) {
        for (double load_balance : {0.0, 0.5}) {
          const Cell cell = grid.cell(i++);
          EXPECT_EQ(cell.sparsity, std::vector<double>(cell.sparsity.size(), sparsity));
          EXPECT_EQ(cell.importance, (std::vector<double>{1, last}));
          EXPECT_EQ(cell.train.steps, steps);
          EXPECT_EQ(cell.train.batch, 64);
          EXPECT_EQ(cell.train.learning_rate, 0.125);
          EXPECT_EQ(cell.train.weight_decay, 0.25);
          EXPECT_EQ(cell.train.load_balance, load_balance);
        }
      }
    }
  }
}

TEST(GridOrder, GivesMinusZeroAsZero) {  // equal settings are one cell, so their bits must be equal too
  Sweep sweep;
  sweep.data.importance = {-0.0, 1};
  sweep.axes = {{AxisName::sparsity, {-0.0}},
                {AxisName::last_importance, {-0.0}},
                {AxisName::learning_rate, {-0.0}},
                {AxisName::weight_decay, {-0.0}},
                {AxisName::load_balance, {-0.0}}};
  ASSERT_EQ(refusal(sweep), "");
  const Cell cell = Grid(sweep).cell(0);
  for (double value : {cell.sparsity[0], cell.importance[0], cell.importance[1], cell.train.learning_rate,
                       cell.train.weight_decay, cell.train.load_balance}) {
    EXPECT_FALSE(std::signbit(value));
  }
}

}  // namespace
}  // namespace phasegrid
