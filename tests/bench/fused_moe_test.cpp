// The fused MoE benchmark (bench/unfused/): its points, crossovers and skewed routers, and that what it times is
// phasegrid's own step. Nothing here measures time.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/block_problem.hpp"
#include "measure.hpp"
#include "phasegrid/phasegrid.hpp"

namespace phasegrid::fused_moe {
namespace {

constexpr Point kBase{{1024, 100, 10, 4, 1, 0.1, 0, 8}};

std::string error_of(const std::string& axis) {
  try {
    parse_axis(axis);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(FusedMoePoints, AxesAreParsed) {
  const Axis axis = parse_axis("density=0.5,1,1e-2");
  EXPECT_EQ(axis.name, AxisName::density);
  EXPECT_EQ(axis.values, (std::vector<double>{0.5, 1, 0.01}));
  EXPECT_EQ(parse_axis("E=1").values, std::vector<double>{1});
}

TEST(FusedMoePoints, MistakesAreNamed) {
  EXPECT_EQ(error_of("m=1,65"), "axis m takes whole numbers from 1 to 64, not 65");
  EXPECT_EQ(error_of("tokens=1.5"), "axis tokens takes whole numbers from 1 to 16777216, not 1.5");
  EXPECT_EQ(error_of("skew=1"), "axis skew takes numbers from 0 to 0.99, not 1");
  EXPECT_EQ(error_of("density=nan"), "axis density takes numbers from 0.001 to 1, not nan");
  EXPECT_EQ(error_of("k=1,,2"), "axis k takes whole numbers from 1 to 64, not ''");
  EXPECT_EQ(error_of("k=2x"), "axis k takes whole numbers from 1 to 64, not '2x'");
  for (const char* text : {"batch=1", "m", "", "=1"}) {
    EXPECT_NE(error_of(text).find("tokens, n, m, E, k, density, skew, models"), std::string::npos) << text;
  }
}

TEST(FusedMoePoints, ProductMultipliesOutWhatExists) {
  const auto points = product(kBase, {parse_axis("k=1,2,3"), parse_axis("E=1,2,2"), parse_axis("m=5,7")});
  std::vector<std::vector<int>> seen;
  for (const Point& p : points) seen.push_back({p.whole(AxisName::k), p.whole(AxisName::E), p.whole(AxisName::m)});
  EXPECT_EQ(seen, (std::vector<std::vector<int>>{{1, 1, 5}, {1, 1, 7}, {1, 2, 5}, {1, 2, 7}, {2, 2, 5}, {2, 2, 7}}));
  EXPECT_EQ(points[0][AxisName::tokens], 1024);
  EXPECT_TRUE(product(kBase, {parse_axis("k=5")}).empty());
  EXPECT_EQ(product(kBase, {}), std::vector<Point>{kBase});
}

TEST(FusedMoePoints, AStarVariesOneAxisAtATime) {
  const auto points = star(kBase, {parse_axis("m=5,10"), parse_axis("k=1,4,8"), parse_axis("skew=0.5")});
  ASSERT_EQ(points.size(), 4u);  // the base once
  EXPECT_EQ(points[1], kBase);
  EXPECT_EQ(points[2][AxisName::k], 4);
  EXPECT_EQ(points[3][AxisName::skew], 0.5);
  for (const Point& point : points) {
    int differing = 0;
    for (std::size_t i = 0; i < point.values.size(); ++i) differing += point.values[i] != kBase.values[i];
    EXPECT_LE(differing, 1);
  }
}

TEST(FusedMoePoints, ThePapersShapesAreEachWithinRange) {
  const auto points = paper(8, 2);
  ASSERT_EQ(points.size(), 16u);
  EXPECT_EQ(points.front(), (Point{{512, 2, 1, 1, 1, 0.5, 0, 8}}));
  EXPECT_EQ(points.back(), (Point{{1024, 20, 5, 4, 1, 0.1, 0, 2}}));
  for (const Point& point : points) {
    for (int axis = 0; axis < kAxes; ++axis) {
      EXPECT_NO_THROW(check({static_cast<AxisName>(axis), {point[static_cast<AxisName>(axis)]}})) << to_string(point);
    }
  }
}

Ratio at(AxisName axis, double value, double ratio) {
  Point point = kBase;
  point[axis] = value;
  return {point, ratio};
}

TEST(FusedMoeCrossover, IsFoundOnEveryLine) {
  const auto lines = lines_of({at(AxisName::models, 64, 4), at(AxisName::models, 1, 0.25), at(AxisName::models, 8, 1),
                               at(AxisName::m, 20, 0.5), at(AxisName::m, 5, 2)});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].axis, AxisName::m);
  EXPECT_EQ(lines[0].values, (std::vector<double>{5, 10, 20}));  // the base is on both lines
  ASSERT_EQ(crossovers(lines[0]).size(), 1u);
  EXPECT_NEAR(crossovers(lines[0])[0], 10, 1e-9);
  EXPECT_EQ(verdict(lines[0]), "fused faster up to 10; fused is 0.50 to 2.00 times");
  EXPECT_EQ(lines[1].values, (std::vector<double>{1, 8, 64}));
  EXPECT_NEAR(crossovers(lines[1])[0], 8, 1e-9);
  EXPECT_EQ(verdict(lines[1]), "unfused faster up to 8; fused is 0.25 to 4.00 times");
}

TEST(FusedMoeCrossover, LinesOfAProductKeepTheOtherAxes) {
  std::vector<Ratio> ratios;
  for (double m : {5.0, 10.0}) {
    for (double skew : {0.0, 0.5, 0.9}) {
      ratios.push_back(at(AxisName::m, m, 2 - m / 10 + skew));
      ratios.back().point[AxisName::skew] = skew;
    }
  }
  const auto lines = lines_of(ratios);
  EXPECT_EQ(std::ranges::count(lines, AxisName::m, &Line::axis), 3);
  EXPECT_EQ(std::ranges::count(lines, AxisName::skew, &Line::axis), 2);
  EXPECT_EQ(lines.size(), 5u);
}

TEST(FusedMoeCrossover, NoneAndSeveral) {
  const Line never{AxisName::m, kBase, {1, 2}, {2.1, 5}};
  EXPECT_EQ(verdict(never), "fused faster at all values, 2.10 to 5.00 times");
  const Line slower{AxisName::m, kBase, {1, 2}, {0.5, 0.9}};
  EXPECT_EQ(verdict(slower), "unfused faster at all values, 0.50 to 0.90 times");
  const Line both{AxisName::skew, kBase, {0, 0.5, 1}, {0.5, 2, 0.5}};  // from 0: a straight scale
  EXPECT_NEAR(crossovers(both)[0], 0.25, 1e-9);
  EXPECT_NE(verdict(both).find("unfused faster first, then changing at 0.25, "), std::string::npos) << verdict(both);
}

TEST(FusedMoeWork, CountsTheMultiplyAddsOfADenseStep) {
  EXPECT_EQ(multiply_adds({100, 20, 1, 1}, Mode::forward), 4000);
  EXPECT_EQ(multiply_adds({100, 20, 1, 1}, Mode::step), 10000);
  EXPECT_EQ(multiply_adds({10, 2, 4, 1}, Mode::step), 5 * 20 + 40);
  EXPECT_EQ(multiply_adds({10, 2, 4, 2}, Mode::step), 5 * 40 + 40 + 60);
}

TEST(FusedMoeWork, RoutersAreAsSkewedAsAsked) {
  for (double skew : {0.0, 0.5, 0.9}) {
    for (double density : {0.1, 1.0}) {
      Point point = kBase;
      point[AxisName::skew] = skew;
      point[AxisName::density] = density;
      point[AxisName::E] = 10;
      const Problem problem = problem_of(point);
      EXPECT_NEAR(std::accumulate(problem.shares.begin(), problem.shares.end(), 0.0), 1, 1e-9);
      EXPECT_NEAR(problem.shares[0], skew + (1 - skew) / 10, 0.05) << skew << " " << density;
      EXPECT_LT(*std::max_element(problem.shares.begin() + 1, problem.shares.end()), (1 - skew) / 10 + 0.05);
    }
  }
}

// What is timed is the training that phasegrid does: the same bits after three steps.
struct Trained {
  Sweep sweep;
  Problem problem;
  std::vector<float> expected;

  explicit Trained(const Shape& shape) {
    sweep.shape = shape;
    sweep.restarts = 1;
    sweep.seed = 8;
    sweep.data.sparsity = 0.4;
    sweep.train.steps = 3;
    sweep.train.batch = 200;
    sweep.train.load_balance = 0;
    TrainOptions options;
    options.device = DeviceChoice::cpu;
    expected = train(sweep, options).parameters;
    problem.shape = shape;
    problem.models = 3;
    problem.cell = Grid(sweep).cell(0);
    problem.settings = cell_settings(shape, problem.cell);
    problem.features = feature_settings(shape, problem.cell);
    std::mt19937 random(1);
    testing::BlockTrial trial(shape, random, Loss::mean, 0, 200);
    trial.cell = problem.cell;
    trial.update();
    problem.parameters.resize(expected.size());
    block_kernels(best_instruction_set()).initial(trial.problem(), 0, problem.parameters.data());
    loss_before =
        block_kernels(best_instruction_set()).loss(trial.problem(), 0, 1, problem.parameters.data()).training;
  }
  float loss_before = 0;
};

void expect_phasegrids_training(Contestant& contestant, const Trained& trained) {
  const std::vector<float> all = contestant.run(Mode::step, 3);
  ASSERT_EQ(all.size(), 3 * trained.expected.size());
  for (std::size_t i = 0; i < trained.expected.size(); ++i) ASSERT_EQ(all[i], trained.expected[i]) << i;
  EXPECT_NE(all[0], all[trained.expected.size()]);  // the second model's batches are its own
  const std::vector<float> losses = contestant.run(Mode::forward, 1);
  ASSERT_EQ(losses.size(), 3u);
  EXPECT_EQ(losses[0], trained.loss_before);
  EXPECT_NE(losses[0], losses[1]);
}

TEST(FusedMoe, TimesPhasegridsOwnStep) {
  for (const Shape& shape : {Shape{20, 5, 4, 1}, Shape{33, 2, 6, 3}, Shape{20, 6, 1, 1}}) {
    const Trained trained(shape);
    for (InstructionSet set : testing::machines()) {
      expect_phasegrids_training(*fused_on_cpu(trained.problem, set, 2), trained);
    }
  }
}

TEST(FusedMoe, OnAGpuTheSame) {
  if (const std::string trouble = cuda_trouble(); !trouble.empty()) GTEST_SKIP() << "not run on a GPU: " << trouble;
  for (const Shape& shape : {Shape{20, 5, 4, 1}, Shape{33, 2, 6, 3}, Shape{20, 6, 1, 1}}) {
    const Trained trained(shape);
    expect_phasegrids_training(*fused_on_cuda(trained.problem), trained);
    EXPECT_EQ(unfused_on_cuda(trained.problem, false)->run(Mode::step, 3).size(), 3 * trained.expected.size());
  }
}

TEST(FusedMoe, RatesFollowFromTheSecondsOfAStep) {
  Point point = kBase;
  point[AxisName::tokens] = 250;
  const Problem problem = problem_of(point);  // 8 models
  Reading reading;
  reading.seconds_a_step = 1e-3;
  const nlohmann::json json = reading.json(problem, Mode::forward, 1e12);
  EXPECT_NEAR(json.at("samples_per_second"), 2e6, 1e-3);
  EXPECT_NEAR(json.at("tflops"), 2e6 * 2 * (2 * 100 * 10 + 100 * 4) / 1e12, 1e-9);
  EXPECT_NEAR(json.at("peak_share"), json.at("tflops").get<double>(), 1e-9);
  EXPECT_FALSE(reading.json(problem, Mode::forward, 0).contains("peak_share"));
}

TEST(FusedMoe, MeasuresEveryModeOfAPoint) {
  fused_moe::Setup setup;
  setup.set = best_instruction_set();
  setup.seconds_a_reading = 1e-4;
  const std::vector<Mode> modes = {Mode::step, Mode::forward};
  const nlohmann::json row = measure_point(kBase, modes, setup);
  EXPECT_EQ(row["tokens"], 1024);
  for (const char* mode : {"step", "forward"}) {  // a clock that jumps gives a reading that says so, and no number
    EXPECT_NE(row[mode]["fused"].contains("samples_per_second"), row[mode]["fused"].contains("trouble"));
    EXPECT_FALSE(row[mode].contains("unfused"));
  }
  EXPECT_TRUE(ratios_of(nlohmann::json::array({row}), Mode::step).empty());
  EXPECT_NE(table_line(kBase, row, modes).find("1024"), std::string::npos);
}

TEST(FusedMoe, ALargePointIsNoFailureAndAFailureIsNamed) {
  nlohmann::json row = {{"step", {{"fused", {{"trouble", "needs 300 KiB"}, {"failed", false}}}, {"ratio", 2.0}}}};
  for (std::size_t i = 0; i < kAxisNames.size(); ++i) row[std::string(kAxisNames[i])] = kBase.values[i];
  EXPECT_TRUE(failures_of(nlohmann::json::array({row}), {Mode::step}).empty());
  EXPECT_NE(table_line(kBase, row, {Mode::step}).find("does not fit"), std::string::npos);
  row["step"]["unfused"] = {{"trouble", "cudaMalloc: out of memory"}, {"failed", true}};
  EXPECT_EQ(failures_of(nlohmann::json::array({row}), {Mode::step}),
            std::vector<std::string>{"unfused step at " + to_string(kBase) + ": cudaMalloc: out of memory"});
}

}  // namespace
}  // namespace phasegrid::fused_moe
