// Axes of n_hidden, n_experts and top_k: every cell is, bit for bit, what a sweep of its shape alone gives, in results,
// files, shards, resumed and as the start of another training.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <optional>

#include "phasegrid/phasegrid.hpp"
#include "results/npz.hpp"
#include "results/results_check.hpp"
#include "support/test_files.hpp"
#include "sweep/shapes.hpp"
#include "train/plan.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;

// 2 sparsities x 2 widths x 3 numbers of experts x 2 top_k; of the last two, (1, 2) is no model.
Sweep shape_sweep() {
  Sweep sweep;
  sweep.name = "shapes";
  sweep.restarts = 2;
  sweep.seed = 11;
  sweep.shape.n_features = 4;
  sweep.axes = {{AxisName::top_k, {1, 2}},
                {AxisName::sparsity, {0.9, 0.4}},
                {AxisName::n_experts, {2, 5, 1}},
                {AxisName::n_hidden, {3, 1}}};
  sweep.train.steps = 12;
  sweep.train.batch = 64;
  sweep.train.load_balance = 0.1;
  sweep.train.keep = Keep::all;
  sweep.train.snapshots = {0, 12};
  return sweep;
}

// The sweep of a cell's shape and sparsity alone.
Sweep alone(const Sweep& of, std::size_t cell) {
  Sweep sweep = of;
  sweep.shape = of.shape_of(cell);
  sweep.axes.clear();
  sweep.data.sparsity = Grid(of).value(cell, AxisName::sparsity);
  return sweep;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

void expect_same(const Results& a, const Results& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.kept, b.kept);
  for (const auto numbers :
       {&Results::reconstruction_losses, &Results::final_losses, &Results::all_losses,
        &Results::all_reconstruction_losses, &Results::parameters, &Results::all_parameters,
        &Results::snapshot_losses, &Results::snapshot_reconstruction_losses, &Results::snapshot_parameters}) {
    EXPECT_TRUE(same_bits(a.*numbers, b.*numbers));
  }
}

TEST(ShapeAxes, EveryCellIsWhatASweepOfItsShapeGives) {
  const Results all = train(shape_sweep());
  const Sweep& sweep = all.sweep;
  EXPECT_EQ(sweep.shape, (Shape{4, 3, 5, 2}));
  ASSERT_EQ(all.cells(), 24u);
  EXPECT_EQ(all.models_total(), 40);
  EXPECT_TRUE(all.complete());
  EXPECT_NO_THROW(check_results(all, "all"));
  std::size_t none = 0;
  for (std::size_t cell = 0; cell < all.cells(); ++cell) {
    const Shape shape = all.shape(cell);
    EXPECT_EQ(shape.n_experts, Grid(sweep).cell(cell).shape.n_experts);
    if (shape.top_k > shape.n_experts) {
      ++none;
      EXPECT_EQ(all.status[2 * cell], kNoModel);
      EXPECT_EQ(all.kept[cell], -1);
      EXPECT_TRUE(std::isnan(all.parameters[cell * static_cast<std::size_t>(sweep.shape.parameter_count())]));
      continue;
    }
    const Results one = train(alone(sweep, cell));
    const auto size = static_cast<std::size_t>(shape.parameter_count());
    const auto room = static_cast<std::size_t>(sweep.shape.parameter_count());
    EXPECT_TRUE(same_bits(kept_model(all, cell).parameters, one.parameters)) << cell;
    EXPECT_TRUE(same_bits(all.expert_weights(cell), one.expert_weights(0)));
    EXPECT_TRUE(same_bits(all.router_weights(cell), one.router_weights(0)));
    EXPECT_TRUE(same_bits(all.snapshot(cell, 1), one.snapshot(0, 1)));
    EXPECT_TRUE(same_bits(std::span(all.all_losses).subspan(2 * cell, 2), one.all_losses));
    for (std::size_t restart = 0; restart < 2; ++restart) {
      const auto model = std::span(all.all_parameters).subspan((2 * cell + restart) * room, room);
      EXPECT_TRUE(same_bits(model.first(size), std::span(one.all_parameters).subspan(restart * size, size)));
      for (const float behind : model.subspan(size)) EXPECT_TRUE(std::isnan(behind));
    }
    EXPECT_EQ(kept_model(all, cell).shape, shape);
  }
  EXPECT_EQ(none, 4u);
}

TEST(ShapeAxes, FilesHaveArraysOfTheLargestShape) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("shapes.npz");
  const Results all = train(shape_sweep());
  save_results(all, path);
  expect_same(load_results(path), all);

  const NpzFile file(path);
  file.expect_shape("expert_weights", {2, 1, 2, 3, 2, 5, 4, 3});
  file.expect_shape("all_router_weights", {2, 1, 2, 3, 2, 2, 5, 4});
  const std::vector<float> weights = file.floats("expert_weights");
  for (std::size_t cell = 0; cell < all.cells(); ++cell) {
    const ModelView model = kept_model(all, cell);
    const bool there = has_models(model.shape);
    for (int e = 0; e < 5; ++e) {
      for (int f = 0; f < 4; ++f) {
        for (int j = 0; j < 3; ++j) {
          const float w = weights[((cell * 5 + static_cast<std::size_t>(e)) * 4 + static_cast<std::size_t>(f)) * 3 +
                                  static_cast<std::size_t>(j)];
          if (there && e < model.shape.n_experts && j < model.shape.n_hidden) {
            EXPECT_EQ(w, model.expert(e)[static_cast<std::size_t>(f * model.shape.n_hidden + j)]);
          } else {
            EXPECT_TRUE(std::isnan(w));
          }
        }
      }
    }
  }
}

TEST(ShapeAxes, ShardsMergeIntoTheWhole) {
  const Results all = train(shape_sweep());
  Merger merger;
  for (int index = 1; index <= 3; ++index) {
    TrainOptions options;
    options.shard = {index, 3};
    const Results part = train(shape_sweep(), options);
    EXPECT_FALSE(part.complete());
    merger.add(part, "part");
  }
  EXPECT_TRUE(merger.results().complete());
  expect_same(merger.results(), all);
}

TEST(ShapeAxes, AreResumedAndStartOthers) {
  const Results all = train(shape_sweep());
  TrainOptions options;
  options.shard = {1, 2};
  const std::vector<Results> half = {train(shape_sweep(), options)};
  TrainOptions resumed;
  resumed.resume = half;
  expect_same(train(shape_sweep(), resumed), all);

  Sweep evaluated = all.sweep;
  evaluated.train.steps = 0;
  evaluated.train.snapshots.clear();
  evaluated.restarts = 1;
  TrainOptions from;
  const std::vector<std::vector<float>> starts = {all.parameters};
  from.initial = starts;
  const Results same = train(evaluated, from);
  EXPECT_TRUE(same_bits(same.parameters, all.parameters));

  const std::vector<std::vector<float>> one = {std::vector<float>(all.parameters.begin(), all.parameters.begin() + 100)};
  ASSERT_EQ(static_cast<int>(one[0].size()), all.sweep.shape.parameter_count());
  from.initial = one;
  expect_refusal("initial: is one model", "different shapes", [&] { train(evaluated, from); });
}

TEST(ShapeAxes, MeasuresAreThoseOfTheOwnShape) {
  const Results all = train(shape_sweep());
  const FeatureMetrics metrics = feature_metrics(all);
  for (std::size_t cell = 0; cell < all.cells(); ++cell) {
    const ModelView model = kept_model(all, cell);
    for (int e = 0; e < 5; ++e) {
      const float norm = metrics.norm[(cell * 5 + static_cast<std::size_t>(e)) * 4 + 2];
      if (has_models(model.shape) && e < model.shape.n_experts) {
        EXPECT_EQ(norm, static_cast<float>(feature_norm(model.expert(e), 4, model.shape.n_hidden, 2)));
      } else {
        EXPECT_TRUE(std::isnan(norm));
      }
    }
  }
  EXPECT_EQ(training_health(all).empty, 0);
}

TEST(ShapeAxes, DamagedResultsAreRefused) {
  const Results good = train(shape_sweep());
  std::optional<std::size_t> none;
  for (std::size_t cell = 0; cell < good.cells() && !none; ++cell) {
    if (!has_models(good.shape(cell))) none = cell;
  }
  Results forged = good;
  forged.status[2 * none.value()] = kTrained;
  expect_refusal("there is no model of top_k 2 and n_experts 1", "status 0", [&] { check_results(forged, "f"); });
  forged = good;
  forged.status[0] = kNoModel;
  expect_refusal("has the status -2", "from -1 to 12", [&] { check_results(forged, "f"); });
  forged = good;
  forged.parameters[forged.parameters.size() - 1] = 1;
  EXPECT_THROW(check_results(forged, "f"), InputError);
}

TEST(ShapeAxes, WhatCannotBeIsRefused) {
  Sweep sweep = shape_sweep();
  sweep.axes[2].values = {1};
  sweep.axes[0].values = {2, 3};
  expect_refusal("axes.top_k must be at most axes.n_experts = 1", "not 2", [&] { sweep.check(); });
  sweep = shape_sweep();
  sweep.axes[2].values = {1.5};
  expect_refusal("axes.n_experts", "whole number", [&] { sweep.check(); });
  sweep = shape_sweep();
  sweep.axes[3].values.clear();
  for (int m = 1; m <= 200; ++m) sweep.axes[3].values.push_back(m);
  expect_refusal("n_hidden, n_experts and top_k make more than 1024 shapes", "", [&] { sweep.check(); });
  sweep = shape_sweep();
  sweep.init.router = RouterInit::ordered_k_hot;
  expect_refusal("divides model.n_features = 4", "not 5", [&] { sweep.check(); });
}

}  // namespace
}  // namespace phasegrid
