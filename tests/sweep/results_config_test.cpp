// The config of a results file: every setting reads back, and a broken one is refused for what is wrong with it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "phasegrid/train.hpp"
#include "support/test_results.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;
using testing::expect_same;
using testing::MemoryLimit;
using testing::models_of;
using testing::refusal;
using testing::small_sweep;
using testing::taken;
using testing::write_bytes;
using ResultsConfigTest = testing::ResultsFileFixture;

TEST_F(ResultsConfigTest, EveryAxisAndEnumReadsBack) {
  Sweep sweep = small_sweep();
  sweep.data = {};
  for (int i = 0; i < kAxisNames; ++i) {
    const auto name = static_cast<AxisName>(i);
    if (name == AxisName::active || name == AxisName::momentum) continue;  // without sparsity, with another optimizer
    const bool whole = name == AxisName::steps || name == AxisName::batch || name == AxisName::seed ||
                       name == AxisName::n_hidden || name == AxisName::n_experts || name == AxisName::top_k;
    if (name == AxisName::samples || name == AxisName::loss_power || name == AxisName::warmup) {
      sweep.axes.push_back({name, {4}});
    } else {
      sweep.axes.push_back({name, whole ? std::vector<double>{1, 2} : std::vector<double>{0.5, 0.75}});
    }
  }
  sweep.train.schedule = Schedule::linear;  // which has a floor
  save_results(Results(sweep), path_);
  expect_same(load_results(path_), Results(sweep));

  const auto reads_back = [&](const Sweep& changed) {
    save_results(Results(changed), path_);
    expect_same(load_results(path_), Results(changed));
  };
  sweep = small_sweep();
  for (Loss loss : {Loss::mean, Loss::sum}) sweep.train.loss = loss, reads_back(sweep);
  for (Keep keep : {Keep::last_batch, Keep::evaluation}) sweep.train.keep = keep, reads_back(sweep);
  for (BiasInit bias : {BiasInit::xavier, BiasInit::zero}) sweep.init.bias = bias, reads_back(sweep);
  for (RouterInit router : {RouterInit::xavier, RouterInit::zero, RouterInit::diagonal, RouterInit::ordered_k_hot,
                            RouterInit::random_k_hot}) {
    sweep.init.router = router;
    reads_back(sweep);
  }
  for (Schedule schedule : {Schedule::constant, Schedule::linear, Schedule::cosine}) {
    sweep.train.schedule = schedule;
    reads_back(sweep);
  }
  for (ImportanceRule rule : {ImportanceRule::geometric, ImportanceRule::shuffled_geometric}) {
    sweep.data.importance_rule = rule;
    sweep.data.importance_ratio = 1.0 / 3;
    reads_back(sweep);
  }
}

TEST_F(ResultsConfigTest, OfVersion01ReadBack) {
  const Results results = taken(small_sweep(), models_of(small_sweep(), 1));
  auto config = nlohmann::json::parse(config_of(results));
  for (const char* key : {"init", "format", "bits"}) ASSERT_EQ(config.erase(key), 1u) << key;
  for (const char* key : {"schedule", "drop_below", "drop_factor", "stop_below", "snapshots"}) {
    ASSERT_EQ(config["train"].erase(key), 1u);
  }
  save_under(config.dump(-1, ' ', true), results);
  expect_same(load_results(path_), results);
  // Half of what is new is no version's.
  for (const char* key : {"schedule", "drop_below", "drop_factor", "stop_below", "snapshots"}) {
    auto half = config;
    half["train"][key] = 0;
    save_under(half.dump(-1, ' ', true), results);
    expect_refusal(path_, "init.router is missing", [&] { load_results(path_); });
  }
}

TEST_F(ResultsConfigTest, SayWhichFormatAndBitsTheyAreOf) {
  const Results results = taken(small_sweep(), models_of(small_sweep(), 1));
  auto config = nlohmann::json::parse(config_of(results));
  EXPECT_EQ(config.at("format"), kFormat);
  EXPECT_EQ(config.at("bits"), kBits);
  EXPECT_EQ(config.at("phasegrid"), version());
  save_results(results, path_);
  EXPECT_EQ(load_results(path_).bits, kBits);
  // The version before wrote neither number.
  auto before = config;
  before.erase("format"), before.erase("bits"), before["phasegrid"] = "0.1.0";
  save_under(before.dump(-1, ' ', true), results);
  expect_same(load_results(path_), results);
  EXPECT_EQ(load_results(path_).bits, 1);
  // A later one is read as far as its format is known; what it says of itself stays.
  auto later = config;
  later["bits"] = 7, later["phasegrid"] = "9.8.7";
  save_under(later.dump(-1, ' ', true), results);
  const Results theirs = load_results(path_);
  EXPECT_EQ(theirs.bits, 7);
  save_results(theirs, path_);
  const auto again = nlohmann::json::parse(NpzFile(path_).text("config"));
  EXPECT_EQ(again.at("bits"), 7);
  EXPECT_EQ(again.at("phasegrid"), "9.8.7");
  later["format"] = kFormat + 1;
  save_under(later.dump(-1, ' ', true), results);
  expect_refusal(path_, "is of phasegrid 9.8.7 and its format 3; this is phasegrid", [&] { load_results(path_); });
  for (const char* key : {"format", "bits"}) {
    auto broken = config;
    broken[key] = 0;
    save_under(broken.dump(-1, ' ', true), results);
    expect_refusal(path_, std::string(key) + " must be a whole number from 1", [&] { load_results(path_); });
  }
  auto unknown = config;
  unknown["train"]["colour"] = 1;
  save_under(unknown.dump(-1, ' ', true), results);
  expect_refusal(path_, "unknown key 'train.colour'", [&] { load_results(path_); });
}

TEST_F(ResultsConfigTest, BrokenOnesAreRefused) {
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
      {"\"n_features\":2", "\"n_features\":1024"},
      {"\"top_k\":1", "\"top_k\":2"},
      {"\"loss\":\"mean\"", "\"loss\":\"median\""},
      {"\"keep\":\"evaluation\"", "\"keep\":\"\""},
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

TEST_F(ResultsConfigTest, BrokenSettingsAreRefusedForWhatTheyAre) {
  struct Change {
    std::string from, to, reason;
  };
  std::vector<Change> changes = {
      {"\"router\":\"xavier\"", "\"router\":\"hot\"", "init.router must be \"xavier\" or"},
      {"\"router\":\"xavier\"", "\"router\":0", "init.router must be \"xavier\" or"},
      {"\"router\":\"xavier\",", "", "init.router is missing"},
      {"\"bias\":\"xavier\"", "\"bias\":\"diagonal\"", "init.bias must be \"xavier\" or \"zero\" or { normal = SPREAD }, not"},
      {"\"init\":{", "\"other\":{", "init.router is missing"},
      {"\"init\":{", "\"init\":[],\"other\":{", "init.router is missing"},
      {"\"schedule\":\"constant\"", "\"schedule\":\"step\"", "train.schedule must be \"constant\" or"},
      {"\"schedule\":\"constant\",", "", "train.schedule is missing"},
      {"\"drop_below\":0.0", "\"drop_below\":-1", "train.drop_below must be"},
      {"\"drop_below\":0.0", "\"drop_below\":null", "train.drop_below must not be null"},
      {"\"drop_below\":0.0,", "", "train.drop_below is missing"},
      {"\"drop_factor\":0.1", "\"drop_factor\":2", "train.drop_factor must be"},
      {"\"drop_factor\":0.1", "\"drop_factor\":true", "train.drop_factor must be a number from 0 to 1, not true"},
      {"\"drop_factor\":0.1,", "", "train.drop_factor is missing"},
      {"\"stop_below\":0.0", "\"stop_below\":1e300", "train.stop_below must be"},
      {"\"stop_below\":0.0", "\"stop_below\":\"0\"", "train.stop_below must be a number from 0 to 1000000000, not \"0\""},
      {"\"stop_below\":0.0,", "", "train.stop_below is missing"},
      {"\"learning_rate\":0.001", "\"learning_rate\":true", "train.learning_rate must be a number from 0 to 1000000000, not true"},
      {",\"snapshots\":[]", "", "train.snapshots is missing"},
      {"\"last_importance\":0.25", "\"last_importance\":false", "data.last_importance must be a number from 0"},
      {"\"axes\":{}", "\"axes\":{\"seed\":[0.5]}", "axes.seed[0] must be a whole number"},
      {"\"axes\":{}", "\"axes\":{\"seed\":[-1]}", "axes.seed[0] must be a whole number"},
      {"\"axes\":{}", "\"axes\":{\"seed\":[1,1]}", "twice"},
      {"\"axes\":{}", "\"axes\":{\"seed\":[true]}", "axes.seed[0] must be a whole number from 0 to 1000000000, not true"},
      {"\"axes\":{}", "\"axes\":{\"seed\":3}", "axes.seed must be a list of numbers"},
      {"\"axes\":{}", "\"axes\":[]", "axes must be a table"},
  };
  const std::pair<const char*, const char*> importances[] = {
      {"{\"geometric\":0.5,\"shuffled_geometric\":0.5}", "data.importance must be \"uniform\" or a list"},
      {"{\"geometric\":0.5,\"ratio\":0.5}", "data.importance must be \"uniform\" or a list"},
      {"{}", "data.importance must be \"uniform\" or a list"},
      {"\"geometric\"", "data.importance must be \"uniform\" or a list"},
      {"1", "data.importance must be \"uniform\" or a list"},
      {"null", "data.importance must not be null"},
      {"{\"list\":1}", "data.importance must be \"uniform\" or a list"},
      {"{\"geometric\":\"half\"}", "data.importance.geometric must be a number from above 0 to 1"},
      {"{\"geometric\":0}", "data.importance.geometric must be"},
      {"{\"shuffled_geometric\":1.5}", "data.importance.shuffled_geometric must be"},
      {"[1,true]", "data.importance[1] must be a number"},
      {"[1]", "not of 1"},
  };
  for (const auto& [to, reason] : importances) {
    changes.push_back({"\"importance\":\"uniform\"", fmt::format("\"importance\":{}", to), reason});
  }
  const std::pair<const char*, const char*> sparsities[] = {
      {"[]", "data.sparsity must be a number from 0 to below 1, or a list"}, {"[0.5]", "not of 1"},
      {"[0.5,1]", "data.sparsity[1] must be a number"},         {"[0.5,\"x\"]", "data.sparsity[1] must be a number"},
      {"true", "data.sparsity must be a number"},
  };
  for (const auto& [to, reason] : sparsities) {
    changes.push_back({"\"sparsity\":0.5", fmt::format("\"sparsity\":{}", to), reason});
  }
  const std::pair<const char*, const char*> snapshots[] = {
      {"5", "train.snapshots must be a list"},
      {"null", "train.snapshots must not be null"},
      {"{\"a\":1}", "unknown key 'train.snapshots.a'"},
      {"[0.5]", "train.snapshots[0] must be a whole number"},
      {"[-1]", "train.snapshots[0] must be a whole number"},
      {"[\"1\"]", "train.snapshots[0] must be a whole number"},
      {"[1e300]", "train.snapshots[0] must be a whole number"},
      {"[4294967296]", "train.snapshots[0] must be a whole number"},
      {"[true]", "train.snapshots[0] must be a whole number"},
      {"[5001]", "train.snapshots must be steps"},
      {"[2,1]", "ascending"},
      {"[0]", "has no array 'snapshot_steps'"},
  };
  for (const auto& [to, reason] : snapshots) {
    changes.push_back({"\"snapshots\":[]", fmt::format("\"snapshots\":{}", to), reason});
  }
  for (const Change& change : changes) {
    SCOPED_TRACE(change.from + " > " + change.to);
    save_with_config(change.from, change.to);
    expect_refusal(path_, change.reason, [&] { load_results(path_); });
  }
}

TEST_F(ResultsConfigTest, OfFarMoreMemoryThanTheFileAreRefused) {
  Results giant;
  giant.sweep = small_sweep();
  giant.sweep.shape = {256, 64, 64, 1};
  giant.sweep.axes = {{AxisName::weight_decay, range(0, 999, 1)}, {AxisName::load_balance, range(0, 999, 1)}};
  giant.sweep.check();
  save_under(config_of(giant), Results(small_sweep()));
  expect_refusal(path_, "'", [&] { load_results(path_); });
}

// Everything is there but parameters, which would take 4.3 GB: they must be missed before that is asked for.
TEST_F(ResultsConfigTest, OfFarMoreMemoryInOneArrayAreRefused) {
  Sweep cells = small_sweep();
  cells.axes = {{AxisName::weight_decay, range(0, 999, 1)}};
  Results claimed;
  claimed.sweep = cells;
  claimed.sweep.shape = {256, 64, 64, 1};
  save_under(config_of(claimed), Results(cells));
  {
    const MemoryLimit limit(1 << 30);
    expect_refusal(path_, "'expert_weights' must have the shape", [&] { load_results(path_); });
  }

  Sweep plain = small_sweep();
  plain.shape = {256, 64, 64, 1};
  claimed.sweep = plain;
  std::vector<std::int32_t> steps(1000);
  std::iota(steps.begin(), steps.end(), 0);
  claimed.sweep.train.snapshots.assign(steps.begin(), steps.end());
  save_under(config_of(claimed), Results(plain));
  const NpzFile file(path_);
  NpzArrays arrays;
  for (const std::string& key : keys_of(Results(plain))) arrays.emplace_back(key, file.array(key));
  const std::vector<float> losses(2000, NAN);
  arrays.emplace_back("snapshot_steps", make_array(std::span<const std::int32_t>(steps), {1000}));
  for (const char* key : {"snapshot_losses", "snapshot_reconstruction_losses"}) {
    arrays.emplace_back(key, make_array(std::span<const float>(losses), {1, 1, 2, 1000}));
  }
  for (const char* part : {"expert_weights", "router_weights", "biases"}) {
    arrays.emplace_back(fmt::format("snapshot_{}", part), file.array(part));
  }
  write_bytes(path_, npz_bytes(arrays));
  const MemoryLimit limit(1 << 30);
  expect_refusal(path_, "'snapshot_expert_weights' must have the shape", [&] { load_results(path_); });
}

}  // namespace
}  // namespace phasegrid
