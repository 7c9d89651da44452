// Results on disk: what a file holds, that it reads back or is refused in one line, and that it is whole or absent.
#include "phasegrid/results_file.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <random>

#include "config_json.hpp"
#include "npz.hpp"
#include "test_results.hpp"

namespace phasegrid {
namespace {

using testing::Bytes;
using testing::expect_refusal;
using testing::expect_same;
using testing::FileSizeLimit;
using testing::full_sweep;
using testing::Model;
using testing::models_of;
using testing::numpy_listing;
using testing::read_bytes;
using testing::refusal;
using testing::small_sweep;
using testing::taken;
using testing::TemporaryFolder;
using testing::two_axes;
using testing::write_bytes;

class ResultsFileTest : public ::testing::Test {
 protected:
  // Changes one array of a saved file, or leaves one out.
  void save_changed(const Results& results, const std::string& key, const std::function<void(NpyArray&)>& change,
                    const std::string& left_out = "") {
    save_results(results, path_);
    const NpzFile file(path_);
    NpzArrays arrays;
    for (const std::string& name : keys_of(results)) {
      if (name == left_out) continue;
      arrays.emplace_back(name, file.array(name));
      if (name == key) change(arrays.back().second);
    }
    write_bytes(path_, npz_bytes(arrays));
  }
  // Replaces text in the config.
  void save_with_config(const std::string& from, const std::string& to) {
    const Results results(small_sweep());
    std::string config = config_of(results);
    ASSERT_NE(config.find(from), std::string::npos) << config;
    config.replace(config.find(from), from.size(), to);
    save_changed(results, "config", [&](NpyArray& array) { array = make_string(config); });
  }
  static std::vector<std::string> keys_of(const Results& results) {
    std::vector<std::string> keys = {"final_losses", "all_losses", "expert_weights", "router_weights",
                                     "biases",       "status",     "kept",           "config"};
    const Grid grid(results.sweep);
    for (const auto& [name, values] : grid.dimensions()) {
      keys.push_back(fmt::format("{}_values", name == AxisName::last_importance ? "importance" : to_string(name)));
    }
    return keys;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("results.npz");
};

TEST_F(ResultsFileTest, RoundTrip) {
  const Sweep sweep = full_sweep();
  std::vector<Model> models = models_of(sweep, 3);
  std::vector<Results> all = {Results(sweep), taken(sweep, models), Results(small_sweep())};
  models.resize(models.size() / 2 - 1);
  all.push_back(taken(sweep, models));  // the rest is kNotTrained
  for (const Results& results : all) {
    save_results(results, path_);
    const Results loaded = load_results(path_);
    expect_same(loaded, results);
    EXPECT_EQ(loaded.complete(), results.complete());
    const Bytes bytes = read_bytes(path_);
    save_results(loaded, path_);
    EXPECT_TRUE(read_bytes(path_) == bytes);
  }
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"results.npz"});
}

TEST_F(ResultsFileTest, EveryEnumReadsBack) {
  for (const Loss loss : {Loss::mean, Loss::sum}) {
    for (const Keep keep : {Keep::last_batch, Keep::evaluation}) {
      Sweep sweep = small_sweep();
      sweep.train.loss = loss;
      sweep.train.keep = keep;
      for (int i = 0; i < kAxisNames; ++i) {
        sweep.axes.push_back({static_cast<AxisName>(i), {0.5, 0.75}});
        if (i == static_cast<int>(AxisName::steps) || i == static_cast<int>(AxisName::batch) ||
            i == static_cast<int>(AxisName::seed)) {
          sweep.axes.back().values = {1, 2};
        }
      }
      sweep.data = {};
      save_results(Results(sweep), path_);
      expect_same(load_results(path_), Results(sweep));
    }
  }
}

TEST_F(ResultsFileTest, NumPyOpensOurLayout) {
  save_results(taken(full_sweep(), models_of(full_sweep(), 4)), path_);
  const auto listing = numpy_listing(folder_, path_);
  if (!listing) GTEST_SKIP() << "python3 has no NumPy";
  EXPECT_EQ(*listing,
            "all_losses <f4 (2, 3, 1, 2, 3)\nbiases <f4 (2, 3, 1, 2, 4, 3)\nconfig str ()\n"
            "expert_weights <f4 (2, 3, 1, 2, 4, 3, 2)\nfinal_losses <f4 (2, 3, 1, 2)\nimportance_values <f8 (3,)\n"
            "kept <i4 (2, 3, 1, 2)\nload_balance_values <f8 (2,)\nrouter_weights <f4 (2, 3, 1, 2, 4, 3)\n"
            "sparsity_values <f8 (2,)\nstatus <i4 (2, 3, 1, 2, 3)\nsteps_values <f8 (1,)\n"
            "{'n_features': 3, 'n_hidden': 2, 'n_experts': 4, 'top_k': 2}\n");
}

TEST_F(ResultsFileTest, NumPyOpensTheAuthorsLayout) {
  const Sweep sweep = two_axes();
  save_results(taken(sweep, models_of(sweep, 5)), path_, Layout::authors);
  const auto listing = numpy_listing(folder_, path_);
  if (!listing) GTEST_SKIP() << "python3 has no NumPy";
  EXPECT_EQ(*listing,
            "expert_weights <f4 (2, 3, 4, 3, 2)\nfinal_losses <f4 (2, 3)\nimportance_values <f8 (3,)\n"
            "sparsity_values <f8 (2,)\n");
}

TEST_F(ResultsFileTest, AuthorsLayoutHoldsFourArraysAndTwoAxes) {
  const Sweep sweep = two_axes();
  const Results results = taken(sweep, models_of(sweep, 5));
  save_results(results, path_, Layout::authors);
  const NpzFile file(path_);
  EXPECT_EQ(file.doubles("sparsity_values"), sweep.axes[0].values);
  EXPECT_EQ(file.doubles("importance_values"), sweep.axes[1].values);
  EXPECT_TRUE(testing::same_bits(file.floats("final_losses"), results.final_losses));
  EXPECT_EQ(file.array("expert_weights").shape, (std::vector<std::size_t>{2, 3, 4, 3, 2}));
  expect_refusal(path_, "has no array 'config'", [&] { load_results(path_); });
  const std::string other = folder_.file("other.npz");
  const Results more(full_sweep());
  expect_refusal("", "axes", [&] { save_results(more, other, Layout::authors); });
  expect_refusal("", "axes", [&] { ReservedFile(other, more.sweep, Layout::authors); });
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"results.npz"});
}

TEST_F(ResultsFileTest, EveryArrayIsNeededInItsShape) {
  const Results results = taken(full_sweep(), models_of(full_sweep(), 6));
  for (const std::string& key : keys_of(results)) {
    save_changed(results, key, [](NpyArray& array) { array.shape.insert(array.shape.begin(), 1); });
    expect_refusal(path_, fmt::format("'{}' must", key), [&] { load_results(path_); });
    save_changed(results, key, [](NpyArray& array) { array.type = "<f2"; });
    expect_refusal(path_, fmt::format("'{}' has elements", key), [&] { load_results(path_); });
    save_changed(
        results, "", [](NpyArray&) {}, key);
    expect_refusal(path_, fmt::format("has no array '{}'", key), [&] { load_results(path_); });
  }
  for (const char* key : {"sparsity_values", "importance_values", "load_balance_values"}) {
    save_changed(results, key, [](NpyArray& array) { array.bytes.back() ^= std::byte{1}; });
    expect_refusal(path_, fmt::format("'{}' is not as 'config' says", key), [&] { load_results(path_); });
  }
  for (const std::byte lowest : {std::byte{3}, std::byte{100}}) {
    save_changed(results, "kept", [&](NpyArray& array) {
      array.bytes[0] = lowest, array.bytes[1] = array.bytes[2] = array.bytes[3] = {};
    });
    expect_refusal(path_, "'kept' must be from -1 to 2", [&] { load_results(path_); });
  }
}

TEST_F(ResultsFileTest, BrokenConfigsAreRefused) {
  const std::pair<const char*, const char*> changes[] = {
      {"{", ""},
      {"\"restarts\":2", "\"restarts\":0"},
      {"\"restarts\":2", "\"restarts\":\"two\\nlines\""},
      {"\"restarts\":2", "\"restarts\":4294967298"},
      {"\"restarts\":2", "\"restarts\":1e300"},
      {"\"restarts\":2", "\"restarts\":1000000"},
      {"\"restarts\":2", "\"again\":2"},
      {"\"seed\":0", "\"seed\":-1"},
      {"\"seed\":0", "\"seed\":0.5"},
      {"\"n_features\":2", "\"n_features\":256"},
      {"\"top_k\":1", "\"top_k\":2"},
      {"\"loss\":\"mean\"", "\"loss\":\"median\""},
      {"\"keep\":\"last-batch\"", "\"keep\":\"\""},
      {"\"axes\":{}", "\"axes\":{\"steps\":[]}"},
      {"\"axes\":{}", "\"axes\":{\"steps\":[1,\"x\"]}"},
      {"\"axes\":{}", "\"axes\":{\"sparsity\":[0.5]}"},
      {"\"sparsity\":0.5,", ""},
      {"\"name\":\"sweep\"", "\"name\":\"a\\nb\""},
  };
  for (const auto& [from, to] : changes) {
    save_with_config(from, to);
    EXPECT_NE(refusal(path_, [&] { load_results(path_); }), "") << to;
  }
}

TEST_F(ResultsFileTest, ConfigsOfFarMoreMemoryThanTheFileAreRefused) {
  Results giant;
  giant.sweep = small_sweep();
  giant.sweep.shape = {256, 64, 64, 1};
  giant.sweep.axes = {{AxisName::weight_decay, range(0, 999, 1)}, {AxisName::load_balance, range(0, 999, 1)}};
  giant.sweep.check();
  save_changed(Results(small_sweep()), "config", [&](NpyArray& array) { array = make_string(config_of(giant)); });
  expect_refusal(path_, "'", [&] { load_results(path_); });
}

TEST_F(ResultsFileTest, EveryTruncationIsRefused) {
  save_results(taken(full_sweep(), models_of(full_sweep(), 7)), path_);
  const Bytes whole = read_bytes(path_);
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    write_bytes(path_, std::span(whole).first(size));
    EXPECT_NE(refusal(path_, [&] { load_results(path_); }), "") << size;
  }
}

TEST_F(ResultsFileTest, FlippedBytesAreRefusedOrChangeNothing) {
  const Results results = taken(full_sweep(), models_of(full_sweep(), 8));
  save_results(results, path_);
  const Bytes whole = read_bytes(path_);
  std::mt19937 random(9);
  int refused = 0;
  constexpr int kFlips = 2000;
  for (int flip = 0; flip < kFlips; ++flip) {
    Bytes broken = whole;
    // Half of them in the directory at the end, where they are not covered by a checksum.
    const std::size_t from = flip % 2 == 0 ? 0 : whole.size() - 1000;
    broken[from + random() % (whole.size() - from)] ^= static_cast<std::byte>(1 + random() % 255);
    write_bytes(path_, broken);
    if (!refusal(path_, [&] { expect_same(load_results(path_), results); }).empty()) ++refused;
    ASSERT_FALSE(HasFailure()) << flip;
  }
  EXPECT_GT(refused, kFlips / 2);
}

// ---------------------------------------------------------------- writing

TEST_F(ResultsFileTest, ReservedFileIsMadeAtOnceAndGoesAway) {
  const Sweep sweep = full_sweep();
  const Results results = taken(sweep, models_of(sweep, 10));
  {
    ReservedFile reserved(path_, sweep);
    EXPECT_EQ(reserved.path(), path_);
    ASSERT_EQ(folder_.names().size(), 1u);
    EXPECT_NE(folder_.names()[0], "results.npz");
    const auto size = std::filesystem::file_size(folder_.file(folder_.names()[0]));
    save_results(results, folder_.file("whole.npz"));
    EXPECT_GE(size, std::filesystem::file_size(folder_.file("whole.npz")));
    const ReservedFile moved(std::move(reserved));
    EXPECT_EQ(folder_.names().size(), 2u);
  }
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"whole.npz"});
  {
    ReservedFile reserved(path_, sweep);
    reserved.save(results);
  }
  EXPECT_EQ(folder_.names(), (std::vector<std::string>{"results.npz", "whole.npz"}));
  EXPECT_TRUE(read_bytes(path_) == read_bytes(folder_.file("whole.npz")));
}

TEST_F(ResultsFileTest, PathsThatCannotBeWritten) {
  write_bytes(folder_.file("plain"), {});
  const Results results(small_sweep());
  for (const std::string& path :
       {folder_.path(), folder_.path() + "/", folder_.file("absent/results.npz"), folder_.file("plain/results.npz"),
        folder_.file(std::string(300, 'x')), std::string()}) {
    expect_refusal(path, "cannot be written", [&] { save_results(results, path); });
    expect_refusal(path, "cannot be written", [&] { ReservedFile(path, results.sweep); });
  }
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"plain"});
}

TEST_F(ResultsFileTest, DiskTooSmallLeavesTheOldFileAlone) {
  const Results results(full_sweep());
  save_results(results, path_);
  const Bytes before = read_bytes(path_);
  {
    const FileSizeLimit limit(before.size() / 2);
    expect_refusal(path_, "cannot be written", [&] { save_results(results, path_); });
    expect_refusal(path_, "cannot be written", [&] { ReservedFile(path_, results.sweep); });
  }
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"results.npz"});
  EXPECT_TRUE(read_bytes(path_) == before);
}

TEST_F(ResultsFileTest, WritersOfOnePathLeaveEachOtherAlone) {
  const Results empty(full_sweep()), results = taken(full_sweep(), models_of(full_sweep(), 11));
  ReservedFile first(path_, results.sweep), second(path_, results.sweep);
  { const ReservedFile unused(path_, results.sweep); }
  save_results(empty, path_);
  expect_same(load_results(path_), empty);
  first.save(results);
  expect_same(load_results(path_), results);
  second.save(empty);
  expect_same(load_results(path_), empty);
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"results.npz"});
}

TEST_F(ResultsFileTest, OnlyRegularFilesAreReplaced) {
  const Results results(small_sweep());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);  // as a device would be; never try this on one
  expect_refusal(path_, "not a regular file", [&] { save_results(results, path_); });
  expect_refusal(path_, "not a regular file", [&] { ReservedFile(path_, results.sweep); });
  EXPECT_TRUE(std::filesystem::is_fifo(path_));
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"results.npz"});
}

TEST_F(ResultsFileTest, ReservedFileSavesOnce) {
  const Results results(small_sweep());
  ReservedFile reserved(path_, results.sweep);
  reserved.save(results);
  EXPECT_THROW(reserved.save(results), std::logic_error);
  const ReservedFile moved(std::move(reserved));
  EXPECT_THROW(reserved.save(results), std::logic_error);  // NOLINT: a moved-from one refuses
}

TEST_F(ResultsFileTest, DeviceNamesNeedNotBeText) {
  Results results(small_sweep());
  results.device = "\xff gpu";
  save_results(results, path_);
  EXPECT_EQ(load_results(path_).device, "\xef\xbf\xbd gpu");  // U+FFFD
}

}  // namespace
}  // namespace phasegrid
