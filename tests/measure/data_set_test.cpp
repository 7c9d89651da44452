// The fixed data set of a cell, drawn again for measures: the very samples that training sees.
#include <gtest/gtest.h>

#include "measure/cell_inputs.hpp"
#include "phasegrid/phasegrid.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;

// One step over the whole set: the loss of the last batch is the initial model's on the set.
Sweep one_step(int n_features, int samples) {
  Sweep sweep;
  sweep.shape = {.n_features = n_features, .n_hidden = 2, .n_experts = 1, .top_k = 1};
  sweep.restarts = 1;
  sweep.data.sparsity = 0.6;
  sweep.data.inputs.samples = samples;
  sweep.train.steps = 1;
  sweep.train.batch = samples;
  sweep.train.loss = Loss::sum;
  sweep.train.keep = Keep::last_batch;
  sweep.train.snapshots = {0};
  sweep.axes = {{AxisName::seed, {0, 5}}};
  return sweep;
}

TEST(DataSet, HasTheSamplesThatTrainingSaw) {
  for (const int n : {3, 10, 17}) {
    const Sweep sweep = one_step(n, 37);
    const Results results = train(sweep);
    for (std::size_t cell = 0; cell < results.cells(); ++cell) {
      const std::vector<float> set = draw_data_set(sweep.shape, Grid(sweep).cell(cell));
      ASSERT_EQ(set.size(), 37u * static_cast<std::size_t>(n));
      const ModelView initial{sweep.shape, results.snapshot(cell, 0)};
      double loss = 0;
      for (std::size_t first = 0; first < set.size(); first += static_cast<std::size_t>(n)) {
        const auto x = std::span(set).subspan(first, static_cast<std::size_t>(n));
        const std::vector<double> out = reconstruct(initial, x);
        for (std::size_t f = 0; f < x.size(); ++f)
          loss += (out[f] - static_cast<double>(x[f])) * (out[f] - static_cast<double>(x[f]));
      }
      const double theirs = static_cast<double>(results.final_losses[cell]);
      EXPECT_NEAR(loss / 37, theirs, 1e-5 * theirs) << "n = " << n << ", cell " << cell;
    }
  }
}

TEST(DataSet, IsAnotherForAnotherSeed) {
  const Sweep sweep = one_step(6, 20);
  EXPECT_NE(draw_data_set(sweep.shape, Grid(sweep).cell(0)), draw_data_set(sweep.shape, Grid(sweep).cell(1)));
}

TEST(DataSet, RefusesCellsWithoutOneAndOtherLaws) {
  Sweep sweep = one_step(6, 20);
  Cell cell = Grid(sweep).cell(0);
  cell.inputs.samples = 0;
  expect_refusal("data.samples", "there is no data set", [&] { draw_data_set(sweep.shape, cell); });
  cell.inputs.samples = 20;
  cell.inputs.values = ValueLaw::normal;
  expect_refusal("data.values", "independent, uniform features alone", [&] { draw_data_set(sweep.shape, cell); });
}

}  // namespace
}  // namespace phasegrid
