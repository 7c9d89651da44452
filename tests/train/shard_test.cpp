// Shares of sweeps: how they are named, and how the cells are dealt out.
#include "phasegrid/shard.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "train/plan.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;

Sweep grid_of(std::size_t sparsities, std::size_t importances) {
  Sweep sweep;
  sweep.restarts = 3;
  Axis sparsity{AxisName::sparsity, {}}, importance{AxisName::last_importance, {}};
  for (std::size_t i = 0; i < sparsities; ++i) sparsity.values.push_back(0.9 * static_cast<double>(i) / 100);
  for (std::size_t i = 0; i < importances; ++i) importance.values.push_back(1 + static_cast<double>(i));
  sweep.axes = {sparsity, importance};
  return sweep;
}

TEST(Shard, IsReadFromText) {
  EXPECT_EQ(parse_shard("1/1"), (Shard{1, 1}));
  EXPECT_EQ(parse_shard("3/8"), (Shard{3, 8}));
  EXPECT_EQ(parse_shard("1000000/1000000"), (Shard{1000000, 1000000}));
}

TEST(Shard, EverythingElseIsRefusedWithWhatIsAllowed) {
  for (const char* text : {"", "/", "3", "3/", "/8", "a/b", "3/8/2", "3/8 ", " 3/8", "+3/8", "1.0/8", "3,8", "3-8",
                           "99999999999/2", "1/99999999999"}) {
    expect_refusal("shard must be I/N", "from 1/N for the first", [&] { parse_shard(text); });
  }
  expect_refusal("shard", "the first is 1 and the last is 8; there is no shard 0", [] { parse_shard("0/8"); });
  expect_refusal("shard", "no shard 9", [] { parse_shard("9/8"); });
  expect_refusal("shard", "no shard -1", [] { parse_shard("-1/8"); });
  expect_refusal("number of shards", "from 1 to 1000000", [] { parse_shard("1/0"); });
  expect_refusal("number of shards", "1000001", [] { parse_shard("1/1000001"); });
  expect_refusal("shard must be", "'a?b'", [] { parse_shard("a\nb"); });
  const std::vector<Sweep> sweeps = {grid_of(2, 2)};
  expect_refusal("shard", "no shard 3", [&] { shard_cells(sweeps, {3, 2}); });
}

TEST(Shard, EveryCellBelongsToExactlyOne) {
  const std::vector<Sweep> sweeps = {grid_of(7, 5), grid_of(1, 1), grid_of(3, 11)};
  for (int count : {1, 2, 3, 8, 69, 100}) {
    std::vector<std::vector<int>> owners = {std::vector<int>(35), std::vector<int>(1), std::vector<int>(33)};
    for (int index = 1; index <= count; ++index) {
      const std::vector<std::vector<bool>> mine = shard_cells(sweeps, {index, count});
      ASSERT_EQ(mine.size(), 3u);
      for (std::size_t s = 0; s < 3; ++s) {
        ASSERT_EQ(mine[s].size(), owners[s].size());
        for (std::size_t c = 0; c < mine[s].size(); ++c) owners[s][c] += mine[s][c] ? 1 : 0;
      }
    }
    for (const std::vector<int>& sweep : owners) {
      for (int n : sweep) EXPECT_EQ(n, 1) << count << " shards";
    }
  }
}

// Work of every shard, as the plan counts it.
std::vector<double> work_of_shards(const std::vector<Sweep>& sweeps, int count) {
  std::vector<double> work;
  for (int index = 1; index <= count; ++index) {
    const std::vector<std::vector<bool>> mine = shard_cells(sweeps, {index, count});
    work.push_back(0);
    for (std::size_t s = 0; s < sweeps.size(); ++s) {
      const Grid grid(sweeps[s]);
      for (std::size_t c = 0; c < grid.cells(); ++c) {
        const TrainSettings train = grid.cell(c).train;
        if (mine[s][c])
          work.back() += sweeps[s].restarts * model_work(sweeps[s].shape, Mapping::tiny, train.steps, train.batch);
      }
    }
  }
  return work;
}

TEST(Shard, WorkIsSharedEqually) {
  // Steps over two orders of magnitude along an axis, and a second sweep of heavier models.
  Sweep uneven = grid_of(9, 8), heavy = grid_of(5, 5);
  uneven.axes.push_back({AxisName::steps, {100, 1000, 10000}});
  heavy.shape = {3, 2, 3, 1};
  heavy.restarts = 10;
  const std::vector<double> work = work_of_shards({uneven, heavy}, 8);
  const double mean = std::accumulate(work.begin(), work.end(), 0.0) / 8;
  for (double share : work) EXPECT_NEAR(share, mean, 0.01 * mean);
}

TEST(Shard, ManySmallSweepsAreSpread) {
  // A cell a sweep, as a driver asks for them: no shard may get them all.
  const std::vector<double> work = work_of_shards(std::vector<Sweep>(64, grid_of(1, 1)), 8);
  for (double share : work) EXPECT_EQ(share, work.front());
}

TEST(Shard, CellsDoNotFollowTheGrid) {
  // 8 shards of a grid with 8 columns: each must get several columns and several rows, for cost follows them.
  const std::vector<Sweep> sweeps = {grid_of(16, 8)};
  for (int index = 1; index <= 8; ++index) {
    const std::vector<bool> mine = shard_cells(sweeps, {index, 8})[0];
    std::vector<bool> rows(16), columns(8);
    for (std::size_t c = 0; c < mine.size(); ++c) {
      if (mine[c]) rows[c / 8] = columns[c % 8] = true;
    }
    EXPECT_EQ(std::ranges::count(mine, true), 16);
    EXPECT_GE(std::ranges::count(rows, true), 6);
    EXPECT_GE(std::ranges::count(columns, true), 4);
  }
}

}  // namespace
}  // namespace phasegrid
