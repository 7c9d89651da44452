// Results put together from parts: the bits of the whole, and parts that do not fit.
#include "phasegrid/merge.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "support/test_results.hpp"

namespace phasegrid {
namespace {

using testing::every_restart;
using testing::expect_refusal;
using testing::expect_same;
using testing::full_sweep;
using testing::Model;
using testing::models_of;
using testing::read_bytes;
using testing::same_bits;
using testing::small_sweep;
using testing::taken;
using testing::TemporaryFolder;
using testing::two_axes;

// Models dealt out to parts, each perhaps to several.
std::vector<Results> parts_of(const Sweep& sweep, const std::vector<Model>& models, unsigned seed, bool overlapping) {
  std::mt19937 random(seed);
  std::vector<std::vector<Model>> dealt(3);
  for (const Model& model : models) {
    const std::size_t first = random() % 3;
    dealt[first].push_back(model);
    if (overlapping && random() % 2 == 0) dealt[(first + 1) % 3].push_back(model);
  }
  std::vector<Results> parts;
  for (const std::vector<Model>& share : dealt) parts.push_back(taken(sweep, share));
  return parts;
}

TEST(Merge, IsTheWholeHoweverModelsWereDealtOut) {
  // Ties, models that diverged, losses that are not finite, snapshots, five axes.
  for (unsigned seed = 0; seed < 20; ++seed) {
    for (const bool overlapping : {false, true}) {
      const Sweep sweep = seed % 2 == 0 ? full_sweep() : every_restart();
      const std::vector<Model> models = models_of(sweep, seed);
      std::vector<Results> parts = parts_of(sweep, models, seed, overlapping);
      const Results whole = taken(sweep, models);
      ASSERT_TRUE(whole.complete());
      EXPECT_FALSE(parts[0].complete());
      expect_same(merge_results(parts), whole);
      std::ranges::reverse(parts);
      expect_same(merge_results(parts), whole);
    }
  }
}

TEST(Merge, FilesGiveTheBytesOfTheWhole) {
  const TemporaryFolder folder;
  for (Sweep sweep : {full_sweep(), every_restart(), two_axes(), small_sweep()}) {
    std::ranges::reverse(sweep.axes);  // whoever wrote the axes in another order gets them in that order
    std::vector<Model> models = models_of(sweep, 7);
    models[0].status = 3;  // diverged, with the NaN that the CPU makes and another
    models[0].loss = -std::numeric_limits<float>::quiet_NaN();
    for (std::size_t t = 1; t < models[0].snapshot_losses.size(); ++t) {
      models[0].snapshot_losses[t] = {std::nanf("1234"), std::nanf("1234")};
    }
    save_results(taken(sweep, models), folder.file("whole.npz"));
    Merger merger;
    for (const Results& part : parts_of(sweep, models, 3, true)) {
      save_results(part, folder.file("part.npz"));
      merger.add(load_results(folder.file("part.npz")), "part.npz");
    }
    save_results(merger.results(), folder.file("merged.npz"));
    EXPECT_EQ(read_bytes(folder.file("merged.npz")), read_bytes(folder.file("whole.npz")));
  }
}

TEST(Merge, WhatNoPartHasStaysUntrained) {
  const Sweep sweep = two_axes();
  const std::vector<Model> models = models_of(sweep, 1);
  const std::vector<Model> some(models.begin(), models.begin() + 5);
  const Results merged = merge_results(std::vector<Results>{taken(sweep, some), Results(sweep)});
  EXPECT_FALSE(merged.complete());
  expect_same(merged, taken(sweep, some));
}

TEST(Merge, NamesEveryDeviceOnce) {
  const Sweep sweep = small_sweep();
  const std::vector<Model> models = models_of(sweep, 1);
  Results first = taken(sweep, {models[0]}), second = taken(sweep, {models[1]}), nothing(sweep);
  first.device = "cpu avx512";
  second.device = "cpu avx2";
  nothing.device = "a GPU that trained no model";
  const Results merged = merge_results(std::vector<Results>{first, second, nothing});
  EXPECT_EQ(merged.device, "cpu avx2, cpu avx512");
  EXPECT_EQ(merge_results(std::vector<Results>{merged, first}).device, merged.device);
  EXPECT_EQ(merge_results(std::vector<Results>{first, first}).device, "cpu avx512");
}

TEST(Merge, RefusesPartsOfOtherSweeps) {
  const Results first(full_sweep());
  auto expect = [&](const std::string& difference, auto change) {
    Sweep other = full_sweep();
    change(other);
    expect_refusal("part 2: is of another sweep than part 1", difference, [&] {
      merge_results(std::vector<Results>{first, Results(other)});
    });
  };
  expect("train.learning_rate is 0.2, not 0.1", [](Sweep& s) { s.train.learning_rate = 0.2; });
  expect("name is \"other\", not \"full.sweep_1-2\"", [](Sweep& s) { s.name = "other"; });
  expect("restarts is 4, not 3", [](Sweep& s) { s.restarts = 4; });
  expect("seed is 0", [](Sweep& s) { s.seed = 0; });
  expect("model.n_hidden is 1, not 2", [](Sweep& s) { s.shape.n_hidden = 1; });
  expect("axes.sparsity.1 is 0.2, not 0.1", [](Sweep& s) { s.axes[0].values[1] = 0.2; });
  expect("axes.seed.0 is not given, not 1000000", [](Sweep& s) { s.axes.pop_back(); });
  expect("train.snapshots.2 is not given, not 7", [](Sweep& s) { s.train.snapshots.pop_back(); });
  expect("axes.sparsity.2 is 0.3, not not given", [](Sweep& s) { s.axes[0].values.push_back(0.3); });
}

void make_trained(Model& model) {
  model.status = kTrained;
  model.loss = 0.5f;
  for (Losses& losses : model.snapshot_losses) losses = {1.0f, 0.5f};
}

TEST(Merge, RefusesPartsThatContradict) {
  const Sweep sweep = two_axes();
  std::vector<Model> models = models_of(sweep, 2);
  for (Model& model : models) make_trained(model);
  const Results first = taken(sweep, models);
  auto expect = [&](const std::string& reason, auto change) {
    Results second = first;
    change(second);
    expect_refusal("part 2: contradicts", reason, [&] { merge_results(std::vector<Results>{first, second}); });
  };
  expect("restart 1 of cell 4 (sparsity 0.1, last_importance 10) has another loss (0.25 here, 0.5 there)",
         [](Results& r) {
           r.all_losses[13] = r.final_losses[4] = 0.25f;
           r.all_reconstruction_losses[13] = r.reconstruction_losses[4] = 0.125f;
           r.kept[4] = 1;
         });
  expect("restart 1 of cell 0", [](Results& r) {
    r.status[1] = 7;
    r.all_losses[1] = std::numeric_limits<float>::infinity();
  });
  expect("restart 0 of cell 2", [](Results& r) { r.snapshot_losses[6 * 3 + 1] += 1; });
  expect("cell 5 (sparsity 0.1, last_importance 1000000000) keeps restart 0 with other parameters",
         [](Results& r) { r.parameters.back() += 1; });
  expect("cell 0", [](Results& r) { r.snapshot_parameters.front() += 1; });
}

TEST(Merge, RefusesOtherParametersOfARestartThatIsNotKept) {
  const Sweep sweep = every_restart();
  std::vector<Model> models = models_of(sweep, 2);
  for (Model& model : models) make_trained(model);
  const Results first = taken(sweep, models);
  Results second = first, broken = first;
  second.all_parameters[48 * 4] += 1;  // restart 1 of cell 1
  expect_refusal("part 2: contradicts", "restart 1 of cell 1 (sparsity 0.7", [&] {
    merge_results(std::vector<Results>{first, second});
  });
  second = first;
  second.first_moments[48 * 4] += 1;
  expect_refusal("part 2: contradicts", "restart 1 of cell 1 (sparsity 0.7", [&] {
    merge_results(std::vector<Results>{first, second});
  });
  broken.all_parameters.pop_back();
  expect_refusal("part 1: is broken", "size", [&] { merge_results(std::vector<Results>{broken}); });
}

TEST(Merge, RefusesBrokenPartsAndNone) {
  const Sweep sweep = two_axes();
  std::vector<Model> models = models_of(sweep, 2);
  for (Model& model : models) make_trained(model);
  const Results sound = taken(sweep, models);
  auto expect = [&](const std::string& reason, auto change) {
    Results broken = sound;
    change(broken);
    expect_refusal("part 1: is broken", reason, [&] { merge_results(std::vector<Results>{broken}); });
  };
  expect("the kept losses, 0.1 and 0.25, are not those of restart 0", [](Results& r) { r.final_losses[3] = 0.1f; });
  expect("restart 0 is not trained, but has the losses 0.5 and 0.25", [](Results& r) { r.status[0] = kNotTrained; });
  expect("arrays are not of its sweep's size", [](Results& r) { r.parameters.pop_back(); });
  expect("restart 3 is kept, not 0", [](Results& r) { r.kept[1] = 3; });
  expect("arrays are not of its sweep's size", [](Results& r) { r.sweep.restarts = 2; });
  expect_refusal("merge", "at least one part", [] { merge_results({}); });
}

TEST(Merge, ARefusedPartChangesNothing) {
  const Sweep sweep = two_axes();
  std::vector<Model> models = models_of(sweep, 2);
  Merger merger;
  merger.add(taken(sweep, {models[0], models[1]}), "first");
  Sweep other = sweep;
  other.seed = 1;
  expect_refusal("second", "another sweep than first", [&] { merger.add(taken(other, models), "second"); });
  expect_same(merger.results(), taken(sweep, {models[0], models[1]}));
  merger.add(taken(sweep, models), "third");
  expect_same(merger.results(), taken(sweep, models));
}

TEST(Merge, OtherBitsAreNotMixedIn) {
  const Sweep sweep = full_sweep();
  const std::vector<Model> models = models_of(sweep, 3);
  Results ours = taken(sweep, {models.begin(), models.begin() + 5});
  Results theirs = taken(sweep, {models.begin() + 5, models.begin() + 9});
  theirs.made_by = "9.8.7";
  theirs.bits = kBits + 1;
  Merger merger;
  merger.add(ours, "ours");
  expect_refusal("theirs", "was made by phasegrid 9.8.7 (bits 3), and ours was made by phasegrid",
                 [&] { merger.add(theirs, "theirs"); });
  Merger of_theirs;  // among themselves they are of one training
  of_theirs.add(theirs, "theirs");
  of_theirs.add(theirs, "again");
  EXPECT_EQ(of_theirs.results().bits, kBits + 1);
  EXPECT_EQ(of_theirs.results().made_by, "9.8.7");
}

}  // namespace
}  // namespace phasegrid
