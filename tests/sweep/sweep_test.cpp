// Sweeps built through the API: ranges, and what check() refuses.
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

// ---------------------------------------------------------------- the power law of sparsities

TEST(PowerLaw, FallsAsAskedForAndSumsToTheActiveFeatures) {
  for (const double power : {0.0, 0.7, 1.1, 3.0}) {
    for (const double active : {0.5, 2.0, 12.0, 20.0}) {
      const std::vector<double> sparsity = power_law_sparsities({power, active}, 20);
      double sum = 0;
      for (const double s : sparsity) sum += 1 - s;
      EXPECT_NEAR(sum, active, 1e-6);
      for (std::size_t f = 1; f < sparsity.size(); ++f) {
        const double before = 1 - sparsity[f - 1], p = 1 - sparsity[f];
        if (before == 1) continue;  // cut off
        EXPECT_NEAR(p / before, std::pow((f + 1.0) / static_cast<double>(f), -power), 1e-6) << power << " " << active;
      }
    }
  }
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
      {"train.weight_decay",
       "from -1 to 1000000000",
       [](Sweep& s, double x) { s.train.weight_decay = x; },
       {-1, -0.5, 0, 1, 1e9},
       {-1.0000001, 1.0000001e9, 1e300}},
      {"train.load_balance", wide, [](Sweep& s, double x) { s.train.load_balance = x; }, good, bad},
      {"train.drop_below", wide, [](Sweep& s, double x) { s.train.drop_below = x; }, good, bad},
      {"train.drop_factor",
       "from 0 to 1",
       [](Sweep& s, double x) { s.train.drop_factor = x; },
       {0, 1e-30, 0.5, 1},
       {-1e-9, 1.0000001, 2}},
      {"train.stop_below", wide, [](Sweep& s, double x) { s.train.stop_below = x; }, good, bad},
      {"data.importance_ratio",
       "from above 0 to 1",
       [](Sweep& s, double x) { s.data.importance_ratio = x; },
       {1e-30, 0.5, 1},
       {0, -0.0, -1e-9, 1.0000001, 2}},
      {"data.sparsity",
       "from 0 to below 1",
       [](Sweep& s, double x) {
         s.data.sparsity.reset();
         s.data.feature_sparsity = {0.5, x, 0};
       },
       {0, 0.5, 0.999999},
       {-0.1, 1, 1 - 1e-12, 2}},
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
    int lowest = 1;
  };
  const Case cases[] = {
      {"restarts", [](Sweep& s, int x) { s.restarts = x; }, 1'000'000},
      {"model.n_features", [](Sweep& s, int x) { s.shape.n_features = x; }, 1024},
      {"model.n_hidden", [](Sweep& s, int x) { s.shape.n_hidden = x; }, 256},
      {"model.n_experts", [](Sweep& s, int x) { s.shape.n_experts = x; }, 64},
      {"train.steps", [](Sweep& s, int x) { s.train.steps = x; }, 1'000'000'000, 0},
      {"train.batch", [](Sweep& s, int x) { s.train.batch = x; }, 16'777'216},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.key);
    for (int good : {test.lowest, 2, test.highest}) {
      Sweep sweep = usable_sweep();
      sweep.shape.top_k = 1;
      test.set(sweep, good);
      EXPECT_EQ(refusal(sweep), "") << good;
    }
    for (int bad : {test.lowest - 1, -7, std::numeric_limits<int>::min(), test.highest + 1}) {
      Sweep sweep = usable_sweep();
      sweep.shape.top_k = 1;
      test.set(sweep, bad);
      expect_sentence(refusal(sweep), {test.key,
                                       "a whole number from " + std::to_string(test.lowest) + " to " +
                                           std::to_string(test.highest),
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

TEST(SweepCheck, WantsOneSourceOfSparsityAndImportance) {
  for (const std::vector<double>& list : {std::vector<double>(2, 0.5), std::vector<double>(4, 0.5)}) {
    Sweep sweep = usable_sweep();
    sweep.data.sparsity.reset();
    sweep.data.feature_sparsity = list;
    expect_sentence(refusal(sweep),
                    {"data.sparsity", "a list of model.n_features = 3", "not of " + std::to_string(list.size())});
  }
  Sweep sweep = usable_sweep();
  sweep.data.feature_sparsity = {0.5, 0.5, 0.5};
  expect_sentence(refusal(sweep), {"data.sparsity", "one number or a list", "not both"});
  sweep.data.sparsity.reset();
  EXPECT_EQ(refusal(sweep), "");
  sweep.axes = {{AxisName::sparsity, {0.5}}};
  expect_sentence(refusal(sweep), {"sparsity", "[data]", "[axes]"});

  for (ImportanceRule rule : {ImportanceRule::geometric, ImportanceRule::shuffled_geometric}) {
    sweep = usable_sweep();
    sweep.data.importance_rule = rule;
    sweep.data.importance_ratio = 0.5;
    EXPECT_EQ(refusal(sweep), "");
    sweep.data.importance = {1, 1, 1};
    expect_sentence(refusal(sweep), {"data.importance", "a list or a rule", "not both"});
  }
}

TEST(SweepCheck, HoldsHotRoutersToExpertsThatDivideTheFeatures) {
  const std::pair<RouterInit, std::string> hot[] = {{RouterInit::ordered_k_hot, "\"ordered-k-hot\""},
                                                    {RouterInit::random_k_hot, "\"random-k-hot\""}};
  for (const auto& [router, word] : hot) {
    for (int n : {1, 5, 6, 7, 12}) {
      for (int experts = 1; experts <= 13; ++experts) {
        Sweep sweep = usable_sweep();
        sweep.shape = {n, 2, experts, 1};
        sweep.init.router = router;
        if (n % experts == 0) {
          EXPECT_EQ(refusal(sweep), "") << n << " " << experts;
        } else {
          expect_sentence(refusal(sweep), {"init.router", word, "divides model.n_features = " + std::to_string(n),
                                           "not " + std::to_string(experts)});
        }
        for (RouterInit other : {RouterInit::xavier, RouterInit::zero, RouterInit::diagonal}) {
          sweep.init.router = other;
          EXPECT_EQ(refusal(sweep), "") << n << " " << experts;
        }
      }
    }
  }
}

TEST(SweepCheck, WantsSnapshotsInOrderAndWithinReach) {
  constexpr int kLowest = std::numeric_limits<int>::min(), kHighest = std::numeric_limits<int>::max();
  auto with = [](std::vector<int> snapshots, std::vector<Axis> axes = {}) {
    Sweep sweep = usable_sweep();
    sweep.train.steps = 100;
    sweep.train.snapshots = std::move(snapshots);
    sweep.axes = std::move(axes);
    return refusal(sweep);
  };
  for (const std::vector<int>& good : {std::vector<int>{}, {0}, {100}, {0, 1, 2, 99, 100}}) EXPECT_EQ(with(good), "");
  for (int bad : {kLowest, -1, 101, kHighest}) {
    expect_sentence(with({bad}), {"train.snapshots", "from 0 to", "100", "not " + std::to_string(bad)});
    expect_sentence(with({5, bad}), {"train.snapshots", "from 0 to", "100", "not " + std::to_string(bad)});
  }
  expect_sentence(with({5, 5}), {"train.snapshots", "ascending", "5 comes after 5"});
  expect_sentence(with({0, 9, 8}), {"train.snapshots", "ascending", "8 comes after 9"});
  // An axis takes the place of train.steps, and its smallest value counts.
  const Axis steps{AxisName::steps, {300, 200, 400}};
  EXPECT_EQ(with({0, 200}, {steps}), "");
  expect_sentence(with({0, 201}, {steps}), {"train.snapshots", "200", "not 201"});
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
      {AxisName::active, "a whole number from 1 to 1024", {1, 2}, {0, -1, 1.5, 1025}},
      {AxisName::samples, "a whole number from 1 to 1000000000", {1, 50}, {0, -1, 1.5, 1e10}},
      {AxisName::n_hidden, "a whole number from 1 to 256", {1, 256}, {0, -1, 1.5, 257}},
      {AxisName::n_experts, "a whole number from 1 to 64", {1, 64}, {0, -1, 1.5, 65}},
      {AxisName::top_k, "a whole number from 1 to 64", {1, 64}, {0, -1, 1.5, 65}},
      {AxisName::steps, "a whole number from 0 to 1000000000", {0, 100, 1e9}, {-1, 0.5, 100.25, 1e10}},
      {AxisName::batch, "a whole number from 1 to 16777216", {1, 512, 16777216}, {0, -1, 1.5, 16777217}},
      {AxisName::learning_rate, wide, {0, 1e-3, 1e9}, {-1e-3, 1e10}},
      {AxisName::weight_decay, "a number from -1 to 1000000000", {-1, 0, 0.01, 1e9}, {-1.01, 1e10}},
      {AxisName::load_balance, wide, {0, 0.01, 1e9}, {-0.01, 1e10}},
      {AxisName::beta1, "a number from 0 to 0.99999", {0, 0.9}, {-0.1, 1}},
      {AxisName::beta2, "a number from 0 to 0.99999", {0, 0.99999}, {-0.1, 1}},
      {AxisName::epsilon, "a number from above 0 to 1", {1e-8, 1}, {0, -0.1, 2}},
      {AxisName::momentum, "a number from 0 to below 1", {0, 0.9}, {-0.1, 1}},
      {AxisName::loss_power, "2, 4, 6 or 8", {2, 8}, {0, 3, 10, 2.5}},
      {AxisName::warmup, "a whole number from 0 to 1000000000", {0, 10}, {-1, 0.5}},
      {AxisName::floor, "a number from 0 to 1", {0, 1}, {-0.1, 1.1}},
      {AxisName::seed, "a whole number from 0 to 1000000000", {0, 7, 1e9}, {-1, 0.5, 1e10}},
  };
  ASSERT_EQ(std::size(cases), static_cast<std::size_t>(kAxisNames));
  for (const Case& test : cases) {
    const std::string key = "axes." + std::string(to_string(test.name));
    SCOPED_TRACE(key);
    Sweep sweep;
    if (test.name != AxisName::sparsity && test.name != AxisName::active) sweep.data.sparsity = 0.5;
    if (test.name == AxisName::momentum) sweep.train.optimizer = Optimizer::sgd;
    if (test.name == AxisName::floor) sweep.train.schedule = Schedule::linear;
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

}  // namespace
}  // namespace phasegrid
