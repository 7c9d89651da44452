// Results that no training leaves are refused, wherever they come in: read, merged or gone on from.
#include "results/results_check.hpp"

#include <limits>

#include "phasegrid/merge.hpp"
#include "phasegrid/train.hpp"
#include "support/test_results.hpp"

namespace phasegrid {
namespace {

using namespace testing;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Three restarts of one cell: trained, diverged in step 6 of 9, not trained. Snapshots after 0, 4 and 9 steps.
Results sound(int experts = 2) {
  Sweep sweep;
  sweep.restarts = 3;
  sweep.shape = {2, 1, experts, 1};
  sweep.data.sparsity = 0.5;
  sweep.train.steps = 9;
  sweep.train.snapshots = {0, 4, 9};
  Results results(sweep);
  const float share = experts > 1 ? 0.5f : 1.0f;
  const auto size = static_cast<std::size_t>(sweep.shape.parameter_count());
  const std::vector<float> model(size, 1.0f), shots(3 * size, 2.0f);
  const Losses none{kNan, kNan};
  results.take(0, 0, {0.5f, 0.5f * share}, kTrained, model, std::vector<Losses>(3, {1, share}), shots);
  results.take(0, 1, {kInfinity, kNan}, 6, model, std::vector<Losses>{{1, share}, {1, share}, none}, shots);
  return results;
}

class ResultsCheck : public ResultsFileFixture {
 protected:
  // Refused for this by load_results(), merge_results() and train().
  void expect_refused(const Results& broken, const std::string& reason) {
    expect_refusal("name: is broken", reason, [&] { check_results(broken, "name"); });
    save_results(broken, path_);
    expect_refusal(path_, reason, [&] { load_results(path_); });
    expect_refusal("part 1: is broken", reason, [&] { merge_results(std::span(&broken, 1)); });
    TrainOptions options;
    options.device = DeviceChoice::cpu;
    options.resume = std::span(&broken, 1);
    expect_refusal("resume: the results for sweep", reason, [&] { train(std::span(&broken.sweep, 1), options); });
  }
  void expect_refused(const std::string& reason, const std::function<void(Results&)>& change, int experts = 2) {
    Results broken = sound(experts);
    change(broken);
    expect_refused(broken, reason);
  }
};

TEST_F(ResultsCheck, WhatTrainingsLeaveIsTaken) {
  for (int experts : {1, 2}) check_results(sound(experts), "name");
  for (const Sweep& sweep : {full_sweep(), two_axes(), small_sweep()}) {
    check_results(Results(sweep), "nothing trained");
    for (unsigned seed = 0; seed < 20; ++seed) check_results(taken(sweep, models_of(sweep, seed)), "name");
  }
}

TEST_F(ResultsCheck, RealTrainingsAreTaken) {
  Sweep sweep;
  sweep.restarts = 4;
  sweep.shape = {3, 2, 2, 1};
  sweep.data.sparsity = 0.5;
  sweep.train.steps = 30;
  sweep.train.batch = 32;
  sweep.train.snapshots = {0, 1, 7, 29, 30};
  sweep.train.load_balance = 0.01;
  sweep.axes = {{AxisName::learning_rate, {1e-3, 1, 1e3, 1e6, 1e9}}};  // the last ones diverge
  TrainOptions options;
  options.device = DeviceChoice::cpu;
  std::int64_t diverged = 0;
  for (const double stop_below : {0.0, 0.05}) {
    for (const Keep keep : {Keep::last_batch, Keep::evaluation}) {
      for (const Shape shape : {Shape{3, 2, 2, 1}, Shape{2, 1, 1, 1}, Shape{12, 5, 3, 2}}) {  // tiny, dense and block
        sweep.train.stop_below = stop_below, sweep.train.keep = keep, sweep.shape = shape;
        const Results results = train(sweep, options);
        check_results(results, "a training");
        diverged += std::ranges::count_if(results.status, [](int status) { return status > 0; });
      }
    }
  }
  EXPECT_GT(diverged, 20);
}

TEST_F(ResultsCheck, StatusIsThatOfATraining) {
  for (const std::int32_t status : {-5, -2, 10, 1'000'000}) {
    expect_refused(fmt::format("has the status {}; it must be from -1 to 9", status),
                   [&](Results& r) { r.status[2] = status; });
  }
  expect_refused("restart 0 diverged, but has the losses 0.5", [](Results& r) { r.status[0] = 6; });
  expect_refused("restart 0 is not trained, but has", [](Results& r) { r.status[0] = kNotTrained; });
  expect_refused("restart 1 is trained, but has the losses inf", [](Results& r) { r.status[1] = kTrained; });
}

TEST_F(ResultsCheck, LossesAreThoseOfABatch) {
  for (const float loss : {-1e30f, -1e-30f, kNan, kInfinity}) {
    expect_refused("restart 0 is trained, but has the losses", [&](Results& r) { r.all_losses[0] = loss; });
    expect_refused("restart 0 is trained, but has", [&](Results& r) { r.all_reconstruction_losses[0] = loss; });
  }
  expect_refused("losses 0.5 and 0.6", [](Results& r) { r.all_reconstruction_losses[0] = 0.6f; });
  expect_refused("losses 0.5 and 0.25", [](Results& r) { r.all_reconstruction_losses[0] = 0.25f; }, 1);
  expect_refused("restart 1 diverged, but has", [](Results& r) { r.all_losses[1] = -kInfinity; });
  expect_refused("restart 2 is not trained, but has", [](Results& r) { r.all_losses[2] = 0.1f; });
  expect_refused("restart 2 is not trained, but has", [](Results& r) { r.all_reconstruction_losses[2] = 0.1f; });
}

TEST_F(ResultsCheck, TheModelOfLowestLossIsKept) {
  for (const std::int32_t kept : {-2, -1, 1, 2, 3}) {
    expect_refused(fmt::format("restart {} is kept, not 0", kept), [&](Results& r) { r.kept[0] = kept; });
  }
  expect_refused("restart 0 is kept, not 2", [](Results& r) {
    r.status[2] = kTrained;
    r.all_losses[2] = 0.25f;
    r.all_reconstruction_losses[2] = 0;
    for (int t = 0; t < 3; ++t) r.snapshot_losses[6 + t] = r.snapshot_reconstruction_losses[6 + t] = 0;
  });
  expect_refused("the kept losses, 0.25", [](Results& r) { r.final_losses[0] = 0.25f; });
  expect_refused("the kept losses, 0.5 and 0,", [](Results& r) { r.reconstruction_losses[0] = 0; });
  for (const float number : {kNan, kInfinity, -kInfinity}) {
    expect_refused("the kept model has a parameter that is not finite", [&](Results& r) { r.parameters[3] = number; });
    expect_refused("snapshot 1 has a parameter that is not finite",
                   [&](Results& r) { r.snapshot_parameters[20] = number; });
  }
  Results none(sound().sweep);
  none.parameters[0] = 0;
  expect_refused(none, "a parameter that is a number, though there is no such model");
  none = Results(sound().sweep);
  none.final_losses[0] = 0;
  expect_refused(none, "the kept losses, 0");
  none = Results(sound().sweep);
  none.snapshot_parameters[0] = 0;
  expect_refused(none, "snapshot 0 has a parameter that is a number");
}

TEST_F(ResultsCheck, SnapshotsEndWhereTheTrainingDoes) {
  auto expect = [&](std::size_t at, float loss, const std::string& reason) {
    expect_refused(reason, [&](Results& r) { r.snapshot_losses[at] = r.snapshot_reconstruction_losses[at] = loss; });
  };
  expect(1, kNan, "restart 0 of status 0 has the losses nan and nan in snapshot 1");
  expect(0, -1, "in snapshot 0");
  expect(2, kInfinity, "in snapshot 2");
  expect(3, kNan, "restart 1 of status 6 has the losses nan and nan in snapshot 0");
  expect(5, 0.5f, "restart 1 of status 6 has the losses 0.5 and 0.5 in snapshot 2");
  expect(6, 0.5f, "restart 2 of status -1 has the losses 0.5 and 0.5 in snapshot 0");
  expect_refused("in snapshot 0", [](Results& r) { r.snapshot_reconstruction_losses[0] = 2; });
  // A training that ends early leaves the last ones out, but none before them.
  Results early = sound();
  early.sweep.train.stop_below = 0.1;
  const auto size = static_cast<std::size_t>(early.sweep.shape.parameter_count());
  auto leave_out = [&](std::size_t t) {
    early.snapshot_losses[t] = early.snapshot_reconstruction_losses[t] = kNan;
    std::fill_n(early.snapshot_parameters.begin() + static_cast<std::ptrdiff_t>(t * size), size, kNan);
  };
  leave_out(2);
  check_results(early, "name");
  leave_out(0);
  expect_refused(early, "in snapshot 1");
}

TEST_F(ResultsCheck, TheAxisStepsBoundsTheStatus) {
  Sweep sweep = sound().sweep;
  sweep.train.snapshots.clear();
  sweep.axes = {{AxisName::steps, {5, 9}}};
  Results results(sweep);
  results.take(1, 0, {kInfinity, kNan}, 9, std::vector<float>(static_cast<std::size_t>(sweep.shape.parameter_count())));
  check_results(results, "name");
  std::swap(results.status[0], results.status[3]);
  std::swap(results.all_losses[0], results.all_losses[3]);
  expect_refused(results, "cell 0 (sparsity 0.5, last_importance 1, steps 5), restart 0 has the status 9");
}

}  // namespace
}  // namespace phasegrid
