// Results on disk: what a file holds, that it reads back or is refused in one line, and that it is whole or absent.
#include "phasegrid/results_file.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <random>

#include "sweep/config_json.hpp"
#include "results/npz.hpp"
#include "support/test_results.hpp"

namespace phasegrid {
namespace {

using testing::Bytes;
using testing::every_restart;
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

using ResultsFileTest = testing::ResultsFileFixture;

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

TEST_F(ResultsFileTest, HoldsTheParametersOfEveryRestartWhereAskedTo) {
  const Sweep sweep = every_restart();
  const Results results = taken(sweep, models_of(sweep, 9));
  save_results(results, path_);
  expect_same(load_results(path_), results);
  const NpzFile file(path_);
  file.expect_shape("all_expert_weights", {2, 3, 1, 2, 1, 3, 4, 3, 2});
  file.expect_shape("all_router_weights", {2, 3, 1, 2, 1, 3, 4, 3});
  file.expect_shape("all_biases", {2, 3, 1, 2, 1, 3, 4, 3});
  file.expect_shape("first_moment_expert_weights", {2, 3, 1, 2, 1, 3, 4, 3, 2});
  file.expect_shape("second_moment_router_weights", {2, 3, 1, 2, 1, 3, 4, 3});
  Results without = results;  // whose config says that they are there
  without.sweep.train.keep = Keep::evaluation;
  save_under(config_of(results), without);
  expect_refusal("results.npz", "all_expert_weights", [&] { load_results(path_); });
  Results endless = results;
  endless.second_moments[static_cast<std::size_t>(results.kept[0]) * 48] = INFINITY;
  save_results(endless, path_);
  expect_refusal("results.npz", "a moment of restart", [&] { load_results(path_); });
  for (const std::size_t model : {0u, 1u, 2u, 3u, 4u, 5u}) {  // the kept one and those that diverged are known
    Results forged = results;
    forged.all_parameters[model * 48 + 7] = 0.5f;
    save_results(forged, path_);
    const std::string said = refusal(path_, [&] { load_results(path_); });
    if (results.kept[model / 3] == static_cast<int>(model % 3)) {
      EXPECT_NE(said.find("the kept model is not that of restart"), std::string::npos) << said;
    } else if (results.status[model] != kTrained) {
      EXPECT_NE(said.find("has a parameter that is a number, though there is no such model"), std::string::npos) << said;
    } else {
      EXPECT_EQ(said, "");
    }
  }
}

TEST_F(ResultsFileTest, NumPyOpensOurLayout) {
  save_results(taken(full_sweep(), models_of(full_sweep(), 4)), path_);
  const std::string listing = numpy_listing(folder_, path_);
  EXPECT_EQ(
      listing,
      "all_losses <f4 (2, 3, 1, 2, 1, 3)\nall_reconstruction_losses <f4 (2, 3, 1, 2, 1, 3)\nbiases <f4 (2, 3, 1, 2, 1, "
      "4, 3)\nconfig str ()\n"
      "expert_weights <f4 (2, 3, 1, 2, 1, 4, 3, 2)\nfinal_losses <f4 (2, 3, 1, 2, 1)\nimportance_values <f8 (3,)\n"
      "kept <i4 (2, 3, 1, 2, 1)\nload_balance_values <f8 (2,)\nreconstruction_losses <f4 (2, 3, 1, 2, "
      "1)\nrouter_weights <f4 (2, 3, 1, 2, 1, 4, 3)\n"
      "seed_values <f8 (1,)\nsnapshot_biases <f4 (2, 3, 1, 2, 1, 3, 4, 3)\n"
      "snapshot_expert_weights <f4 (2, 3, 1, 2, 1, 3, 4, 3, 2)\nsnapshot_losses <f4 (2, 3, 1, 2, 1, 3, 3)\n"
      "snapshot_reconstruction_losses <f4 (2, 3, 1, 2, 1, 3, 3)\nsnapshot_router_weights <f4 (2, 3, 1, 2, 1, 3, 4, "
      "3)\nsnapshot_steps <i4 (3,)\n"
      "sparsity_values <f8 (2,)\nstatus <i4 (2, 3, 1, 2, 1, 3)\nsteps_values <f8 (1,)\n"
      "{'n_features': 3, 'n_hidden': 2, 'n_experts': 4, 'top_k': 2, 'tied': True, 'hidden': 'linear', 'output': 'relu', "
      "'bias': True}\n");
}

TEST_F(ResultsFileTest, NumPyOpensTheAuthorsLayout) {
  const Sweep sweep = two_axes();
  save_results(taken(sweep, models_of(sweep, 5)), path_, Layout::authors);
  const std::string listing = numpy_listing(folder_, path_);
  EXPECT_EQ(listing,
            "expert_weights_list <f4 (6, 4, 3, 2)\nfinal_losses <f8 (6,)\ngrid_keys <f8 (6, 2)\n"
            "importance_values <f8 (3,)\nn_grid_points <i4 ()\nrouter_weights_list <f4 (6, 4, 3)\n"
            "save_timestamp str ()\nsparsity_values <f8 (2,)\n");
}

TEST_F(ResultsFileTest, AuthorsLayoutIsFlatOverTwoAxes) {
  const Sweep sweep = two_axes();
  ASSERT_FALSE(sweep.train.snapshots.empty());  // they are left out
  const Results results = taken(sweep, models_of(sweep, 5));
  save_results(results, path_, Layout::authors);
  const NpzFile file(path_);
  EXPECT_EQ(file.doubles("sparsity_values"), sweep.axes[0].values);
  EXPECT_EQ(file.doubles("importance_values"), sweep.axes[1].values);
  EXPECT_EQ(file.doubles("grid_keys"), (std::vector<double>{0.7, 0.3, 0.7, 10, 0.7, 1e9, 0.1, 0.3, 0.1, 10, 0.1, 1e9}));
  EXPECT_TRUE(std::ranges::equal(file.floats("final_losses"), results.final_losses,
                                 [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
  EXPECT_EQ(file.integers("n_grid_points"), std::vector<std::int32_t>{6});
  EXPECT_EQ(file.text("save_timestamp"), "");
  const std::vector<float> weights = file.floats("expert_weights_list"), routers = file.floats("router_weights_list");
  auto same = [](std::span<const float> a, std::span<const float> b) {
    return testing::same_bits(std::vector<float>(a.begin(), a.end()), std::vector<float>(b.begin(), b.end()));
  };
  for (std::size_t cell = 0; cell < 6; ++cell) {
    const auto model = std::span(results.parameters).subspan(48 * cell, 48);  // W (24), b (12), G (12)
    EXPECT_TRUE(same(std::span(weights).subspan(24 * cell, 24), model.first(24)));
    EXPECT_TRUE(same(std::span(routers).subspan(12 * cell, 12), model.last(12)));
  }
  expect_refusal(path_, "is in the authors' layout, which says no settings", [&] { load_results(path_); });
  const std::string other = folder_.file("other.npz");
  const Results more(full_sweep());
  Sweep seeds = two_axes();
  seeds.axes.push_back({AxisName::seed, {0}});
  expect_refusal("", "axes", [&] { save_results(Results(seeds), other, Layout::authors); });
  expect_refusal("", "axes", [&] { ReservedFile(other, seeds, Layout::authors); });
  expect_refusal("", "axes", [&] { save_results(more, other, Layout::authors); });
  expect_refusal("", "axes", [&] { ReservedFile(other, more.sweep, Layout::authors); });
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"results.npz"});
}

TEST_F(ResultsFileTest, AuthorsLayoutCountsTheLoadBalanceOfDenseModels) {
  Sweep sweep = small_sweep();
  sweep.train.load_balance = 0.25;
  for (const int experts : {1, 2}) {
    sweep.shape = {2, 1, experts, 1};
    const std::vector<float> parameters(static_cast<std::size_t>(sweep.shape.parameter_count()), 1.0f);
    Results results(sweep);
    for (int restart = 0; restart < 2; ++restart) results.take(0, restart, {0.5f, 0.5f}, kTrained, parameters, {}, {});
    save_results(results, path_, Layout::authors);
    EXPECT_EQ(NpzFile(path_).doubles("final_losses"), std::vector<double>{experts == 1 ? 0.75 : 0.5});
  }
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
  for (const char* key :
       {"sparsity_values", "importance_values", "load_balance_values", "seed_values", "snapshot_steps"}) {
    save_changed(results, key, [](NpyArray& array) { array.bytes.back() ^= std::byte{1}; });
    expect_refusal(path_, fmt::format("'{}' is not as 'config' says", key), [&] { load_results(path_); });
  }
}

TEST_F(ResultsFileTest, SnapshotsAreThoseOfTheirCellStepAndPart) {
  const Results results = taken(full_sweep(), models_of(full_sweep(), 12));
  save_results(results, path_);
  const NpzFile file(path_);
  EXPECT_EQ(file.integers("snapshot_steps"), (std::vector<std::int32_t>{0, 3, 7}));
  EXPECT_TRUE(testing::same_bits(file.floats("snapshot_losses"), results.snapshot_losses));
  const std::vector<float> weights = file.floats("snapshot_expert_weights"), biases = file.floats("snapshot_biases"),
                           routers = file.floats("snapshot_router_weights");
  auto same = [](std::span<const float> a, std::span<const float> b) {
    return testing::same_bits(std::vector<float>(a.begin(), a.end()), std::vector<float>(b.begin(), b.end()));
  };
  for (std::size_t cell = 0; cell < 12; ++cell) {
    for (std::size_t t = 0; t < 3; ++t) {
      const auto model = results.snapshot(cell, t);  // W (24), b (12), G (12)
      const std::size_t i = 3 * cell + t;
      EXPECT_TRUE(same(std::span(weights).subspan(24 * i, 24), model.first(24)));
      EXPECT_TRUE(same(std::span(biases).subspan(12 * i, 12), model.subspan(24, 12)));
      EXPECT_TRUE(same(std::span(routers).subspan(12 * i, 12), model.last(12)));
    }
  }
}

TEST_F(ResultsFileTest, ASparsityAFeatureReadsBack) {
  Sweep sweep = full_sweep();
  sweep.data.feature_sparsity = {0.1, 0.2, 0};
  sweep.axes.erase(sweep.axes.begin());
  const Results results = taken(sweep, models_of(sweep, 13));
  save_results(results, path_);
  expect_same(load_results(path_), results);
  const NpzFile file(path_);
  file.expect_shape("final_losses", {1, 3, 1, 2, 1});
  ASSERT_EQ(file.doubles("sparsity_values").size(), 1u);
  EXPECT_TRUE(std::isnan(file.doubles("sparsity_values")[0]));
  const double number = 0.5;
  auto put = [&](NpyArray& array) { array = make_array(std::span(&number, 1), {1}); };
  save_changed(results, "sparsity_values", put);
  expect_refusal(path_, "'sparsity_values' is not as 'config' says", [&] { load_results(path_); });
  // And the other way round.
  const double nan = NAN;
  save_changed(Results(small_sweep()), "sparsity_values",
               [&](NpyArray& array) { array = make_array(std::span(&nan, 1), {1}); });
  expect_refusal(path_, "'sparsity_values' is not as 'config' says", [&] { load_results(path_); });
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
    const std::string named = path.substr(0, 100);  // a longer one loses its middle
    expect_refusal(named, "cannot be written", [&] { save_results(results, path); });
    expect_refusal(named, "cannot be written", [&] { ReservedFile(path, results.sweep); });
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
  ReservedFile reserved(path_, results.sweep);
  expect_refusal(path_, "another training is writing", [&] { ReservedFile(path_, results.sweep); });
  save_results(empty, path_);
  expect_same(load_results(path_), empty);
  reserved.save(results);
  expect_same(load_results(path_), results);
  ReservedFile(path_, results.sweep).save(empty);  // the first has what it wants
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
