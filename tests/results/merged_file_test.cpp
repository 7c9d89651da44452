// Files merged some cells at a time: the bytes of the whole, and what is refused as it is in memory.
#include "results/merged_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "phasegrid/merge.hpp"
#include "support/test_results.hpp"

namespace phasegrid {
namespace {

using testing::Bytes;
using testing::every_restart;
using testing::expect_refusal;
using testing::FileSizeLimit;
using testing::full_sweep;
using testing::Model;
using testing::models_of;
using testing::read_bytes;
using testing::refusal;
using testing::small_sweep;
using testing::taken;
using testing::TemporaryFolder;
using testing::two_axes;
using testing::write_bytes;

constexpr std::size_t kBlocks[] = {1, 1000, 3000, kBlockBytes};

// Models of several sizes, and cells without any.
Sweep of_many_shapes() {
  Sweep sweep = every_restart();
  sweep.axes = {{AxisName::sparsity, {0.7, 0.1}},
                {AxisName::n_hidden, {3, 1}},
                {AxisName::n_experts, {2, 1, 4}},
                {AxisName::top_k, {2, 1}}};
  return sweep;
}

// The models of a sweep, dealt out to so many parts.
std::vector<Results> dealt(const Sweep& sweep, unsigned seed, std::size_t count, Results& whole) {
  std::mt19937 random(seed);
  std::vector<Results> parts(count, Results(sweep));
  whole = Results(sweep);
  const std::size_t shots = sweep.train.snapshots.size();
  for (Model& model : models_of(whole.sweep, seed)) {
    const Shape shape = whole.shape(model.cell);
    if (whole.status[model.cell * static_cast<std::size_t>(sweep.restarts)] == kNoModel) continue;
    const auto size = static_cast<std::size_t>(shape.parameter_count());
    if (shape.n_experts == 1) {
      model.share = 1;
      for (Losses& losses : model.snapshot_losses) losses.reconstruction = losses.training;
    }
    const std::size_t first = random() % count, second = random() % count;  // some are in two
    for (Results* results : {&whole, &parts[first], &parts[second]}) {
      results->take(model.cell, model.restart, model.losses(), model.status, std::span(model.parameters).first(size),
                    model.snapshot_losses, std::span(model.snapshot_parameters).first(shots * size),
                    model.moments(keeps_moments(sweep.train.keep) ? size : 0));
    }
  }
  for (std::size_t i = 0; i < count; ++i) parts[i].device = i % 2 == 0 ? "cpu avx512" : "a \"GPU\"";
  whole.device = "a \"GPU\", cpu avx512";
  return parts;
}

class MergedFileTest : public ::testing::Test {
 protected:
  std::vector<std::string> saved(const std::vector<Results>& parts) {
    std::vector<std::string> paths;
    for (const Results& part : parts) {
      paths.push_back(folder_.file(fmt::format("part-{}.npz", paths.size())));
      save_results(part, paths.back());
    }
    return paths;
  }
  void merge(const std::vector<std::string>& paths, std::size_t block, Layout layout = Layout::phasegrid) {
    std::vector<ResultsReader> readers;
    for (const std::string& path : paths) readers.emplace_back(path, readers.empty() ? nullptr : &readers.back());
    MergedFile(std::move(readers), out_, block).save(layout);
  }
  // The file in a form of NumPy that is not ours.
  void save_again(const std::string& path, const std::string& with) {
    const std::string script = folder_.file("save.py");
    std::ofstream(script) << "import numpy, sys\n"
                             "with numpy.load(sys.argv[1]) as file: arrays = dict(file)\n"
                          << with << "\n";
    ASSERT_EQ(std::system(fmt::format("'{}' '{}' '{}'", PHASEGRID_TEST_PYTHON, script, path).c_str()), 0);
    std::filesystem::remove(script);
  }

  TemporaryFolder folder_;
  std::string out_ = folder_.file("merged.npz"), whole_ = folder_.file("whole.npz");
};

TEST_F(MergedFileTest, TheBytesOfTheWhole) {
  for (const Sweep& sweep : {full_sweep(), every_restart(), two_axes(), small_sweep(), of_many_shapes()}) {
    Results whole;
    std::vector<std::string> paths = saved(dealt(sweep, 5, 3, whole));
    save_results(whole, whole_);
    for (const std::size_t block : kBlocks) {
      std::ranges::rotate(paths, paths.begin() + 1);
      merge(paths, block);
      EXPECT_EQ(read_bytes(out_), read_bytes(whole_)) << block;
    }
    merge_results_files(paths, out_);
    EXPECT_EQ(read_bytes(out_), read_bytes(whole_));
  }
  EXPECT_EQ(folder_.names().size(), 5u);
}

TEST_F(MergedFileTest, WhatNoPartHasStaysUntrained) {
  Results whole;
  std::vector<Results> parts = dealt(every_restart(), 6, 4, whole);
  parts.pop_back();
  save_results(merge_results(parts), whole_);
  const std::vector<std::string> paths = saved(parts);
  for (const std::size_t block : kBlocks) {
    merge(paths, block);
    EXPECT_EQ(read_bytes(out_), read_bytes(whole_));
  }
  const Results merged = load_results(out_);
  std::vector<ResultsReader> readers;
  for (const std::string& path : paths) readers.emplace_back(path);
  const MergedFile file(std::move(readers), out_, 1);
  EXPECT_EQ(file.models_done(), merged.models_done());
  EXPECT_EQ(file.models_total(), merged.models_total());
  EXPECT_FALSE(file.complete());
  EXPECT_GT(file.cells_missing(), 0u);
  EXPECT_EQ(ResultsReader(out_).models_done(), merged.models_done());
}

TEST_F(MergedFileTest, OtherFormsOfTheArrays) {
  Results whole;
  const std::vector<std::string> paths = saved(dealt(full_sweep(), 7, 3, whole));
  save_results(whole, whole_);
  save_again(paths[0], "numpy.savez_compressed(sys.argv[1], **arrays)");
  save_again(paths[1],
             "arrays['final_losses'] = arrays['final_losses'].astype('f8'); numpy.savez(sys.argv[1], **arrays)");
  save_again(paths[2], "numpy.savez(sys.argv[1], note=numpy.zeros(3), **dict(reversed(arrays.items())))");
  for (const std::size_t block : kBlocks) {
    merge(paths, block);
    EXPECT_EQ(read_bytes(out_), read_bytes(whole_));
  }
  EXPECT_EQ(ResultsReader(paths[0]).models_done(), load_results(paths[0]).models_done());
}

TEST_F(MergedFileTest, TheAuthorsLayout) {
  Results whole;
  const std::vector<std::string> paths = saved(dealt(two_axes(), 8, 2, whole));
  save_results(whole, whole_, Layout::authors);
  merge(paths, 1000, Layout::authors);
  EXPECT_EQ(read_bytes(out_), read_bytes(whole_));
}

// What load_results() and Merger say of the same files.
std::string said_in_memory(const std::vector<std::string>& paths) {
  return refusal("", [&] {
    Merger merger;
    for (const std::string& path : paths) merger.add(load_results(path), path);
  });
}

TEST_F(MergedFileTest, RefusesWhatIsRefusedInMemoryInItsWords) {
  Results whole;
  const std::vector<Results> parts = dealt(every_restart(), 9, 2, whole);
  const std::size_t models = whole.status.size(), P = whole.parameters.size() / whole.cells();
  auto find = [&](const Results& results, auto wanted) {
    std::size_t model = models;
    while (model-- > 0 && !wanted(results.status[model])) continue;
    return model;
  };
  const std::size_t trained = find(parts[1], [](std::int32_t status) { return status == kTrained; });
  const std::size_t absent = find(parts[1], [](std::int32_t status) { return status == kNotTrained; });
  const std::size_t cell = trained / 3;  // of three restarts
  const std::vector<std::function<void(Results&)>> changes = {
      [&](Results& r) { r.all_losses[trained] = r.all_reconstruction_losses[trained] = 77; },
      [&](Results& r) { r.status[trained] = 3; },
      [&](Results& r) { r.snapshot_losses[trained * 3 + 1] += 1; },
      [&](Results& r) { r.kept[cell] = 2 - r.kept[cell] / 2; },
      [&](Results& r) { r.final_losses[cell] += 1; },
      [&](Results& r) { r.reconstruction_losses[cell] = 5; },
      [&](Results& r) { r.snapshot_parameters[cell * 3 * P + 4] += 1; },
      [&](Results& r) { r.all_parameters[trained * P] += 1; },
      [&](Results& r) { r.parameters[cell * P] = NAN; },
      [&](Results& r) { r.all_parameters[absent * P + 5] = 1; },
      [&](Results& r) { r.sweep.train.learning_rate = 0.25; },
      [&](Results& r) { r.bits += 1; },
      [&](Results& r) { r.status[1] = 1 << 30; },
  };
  for (std::size_t change = 0; change < changes.size(); ++change) {
    for (const std::size_t changed_part : {std::size_t{0}, std::size_t{1}}) {
      std::vector<Results> changed = {whole, changed_part == 1 ? whole : parts[1]};
      changes[change](changed[1]);
      std::vector<std::string> paths = saved(changed);
      if (changed_part == 0) std::ranges::reverse(paths);
      const std::string said = said_in_memory(paths);
      EXPECT_NE(said, "") << change;
      for (const std::size_t block : kBlocks) EXPECT_EQ(refusal("", [&] { merge(paths, block); }), said) << change;
    }
  }
  EXPECT_EQ(folder_.names().size(), 2u);
}

// A cell that is not trained is not merged, but looked at all the same.
TEST_F(MergedFileTest, NumbersWithoutAModelAreRefused) {
  Results whole;
  const std::vector<Results> parts = dealt(full_sweep(), 10, 2, whole);
  Results changed(full_sweep());
  changed.parameters[changed.parameters.size() - 7] = 1;
  const std::vector<std::string> paths = saved({parts[0], changed});
  EXPECT_NE(said_in_memory(paths), "");
  for (const std::size_t block : kBlocks) EXPECT_EQ(refusal("", [&] { merge(paths, block); }), said_in_memory(paths));
}

TEST_F(MergedFileTest, FlippedBytesAreRefusedOrChangeNothing) {
  Results whole;
  const std::vector<std::string> paths = saved(dealt(full_sweep(), 11, 2, whole));
  save_results(whole, whole_);
  const Bytes expected = read_bytes(whole_), sound = read_bytes(paths[1]);
  std::mt19937 random(12);
  int refused = 0;
  constexpr int kFlips = 1000;
  for (int flip = 0; flip < kFlips; ++flip) {
    Bytes broken = sound;
    const std::size_t from = flip % 2 == 0 ? 0 : sound.size() - 1500;  // half of them in the directory at the end
    const std::size_t at = from + random() % (sound.size() - from);
    broken[at] ^= static_cast<std::byte>(1 + random() % 255);
    write_bytes(paths[1], broken);
    if (!refusal(paths[1], [&] { merge(paths, kBlocks[random() % 4]); }).empty()) {
      ++refused;
    } else {
      ASSERT_TRUE(read_bytes(out_) == expected) << at;
    }
    std::filesystem::remove(out_);
  }
  EXPECT_GT(refused, kFlips / 2);
  for (std::size_t size = 0; size < sound.size(); size += 197) {
    write_bytes(paths[1], std::span(sound).first(size));
    EXPECT_NE(refusal(paths[1], [&] { merge(paths, 3000); }), "") << size;
  }
}

// Damage is what is said to be wrong, whatever a number looks like for it.
TEST_F(MergedFileTest, DamagedNumbers) {
  Results whole;
  const std::vector<std::string> paths = saved(dealt(full_sweep(), 13, 2, whole));
  Bytes bytes = read_bytes(paths[1]);
  const auto name = std::string_view("expert_weights.npy");
  const auto entry = std::search(bytes.begin(), bytes.end(), name.begin(), name.end(),
                                 [](std::byte a, char b) { return a == static_cast<std::byte>(b); });
  for (int i = 0; i < 600; i += 4) *(entry + 400 + i) ^= std::byte{1};
  write_bytes(paths[1], bytes);
  for (const std::size_t block : kBlocks) {
    expect_refusal(paths[1], "'expert_weights' cannot be read: the file is damaged", [&] { merge(paths, block); });
    expect_refusal(paths[1], "'expert_weights' cannot be read: the file is damaged", [&] {
      merge({paths[1], paths[0], paths[0]}, block);
    });
  }
}

TEST_F(MergedFileTest, WhatChangesMeanwhileIsRefused) {
  Results whole;
  const std::vector<std::string> paths = saved(dealt(full_sweep(), 14, 2, whole));
  std::vector<ResultsReader> readers;
  for (const std::string& path : paths) readers.emplace_back(path);
  save_results(whole, paths[1]);
  expect_refusal(paths[1], "was changed while it was read", [&] { MergedFile(std::move(readers), out_); });
  EXPECT_EQ(folder_.names().size(), 2u);
}

TEST_F(MergedFileTest, WhatCannotBeWrittenLeavesNothing) {
  Results whole;
  const std::vector<std::string> paths = saved(dealt(full_sweep(), 15, 2, whole));
  write_bytes(out_, std::as_bytes(std::span("before")));
  const Bytes before = read_bytes(out_);
  {
    for (const rlim_t limit : {1000, 9000}) {  // the arrays do not fit, and then the file
      const FileSizeLimit full(limit);
      expect_refusal(out_, "cannot be written: File too large", [&] { merge(paths, 3000); });
    }
  }
  EXPECT_EQ(read_bytes(out_), before);
  EXPECT_EQ(folder_.names().size(), 3u);
  const std::string nowhere = folder_.file("missing/merged.npz");
  expect_refusal(nowhere, "cannot be written: No such file or directory", [&] { merge_results_files(paths, nowhere); });
  expect_refusal("merge", "at least one part", [&] { merge_results_files({}, out_); });
  const std::string absent = folder_.file("absent.npz");
  expect_refusal(absent, "cannot be read", [&] { merge_results_files(std::span(&absent, 1), out_); });
  save_results(whole, absent + ".partial");
  expect_refusal(absent, "what an interrupted training finished is in",
                 [&] { merge_results_files(std::span(&absent, 1), out_); });
}

}  // namespace
}  // namespace phasegrid
