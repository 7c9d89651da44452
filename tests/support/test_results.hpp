// Sweeps and results that tests keep in memory and on disk.
#pragma once

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "sweep/config_json.hpp"
#include "results/npz.hpp"
#include "phasegrid/results_file.hpp"
#include "test_files.hpp"

namespace phasegrid::testing {

// Every setting away from its default, and axes beyond the first two: 2 x 3 x 1 x 2 x 1 cells, 3 snapshots.
inline Sweep full_sweep() {
  Sweep sweep;
  sweep.name = "full.sweep_1-2";
  sweep.restarts = 3;
  sweep.seed = 9223372036854775807u;
  sweep.shape = {3, 2, 4, 2};
  sweep.data.importance = {1, 0.1, 1.0 / 3};
  sweep.init.router = RouterInit::diagonal, sweep.init.bias = BiasInit::zero;
  sweep.train = {7, 33, 0.1, 0, 1e-300, Loss::sum, Keep::evaluation, Schedule::cosine, 1.0 / 3, 0.7, 0.015, {0, 3, 7}};
  sweep.axes = {{AxisName::sparsity, {0.7, 0.1}},
                {AxisName::last_importance, {0.3, 10, 1e9}},
                {AxisName::steps, {123456789}},
                {AxisName::load_balance, {0, 0.1}},
                {AxisName::seed, {1000000}}};
  return sweep;
}

// With the parameters of every restart, and their moments.
inline Sweep every_restart() {
  Sweep sweep = full_sweep();
  sweep.train.keep = Keep::training_state;
  return sweep;
}

// The authors' two axes alone.
inline Sweep two_axes() {
  Sweep sweep = full_sweep();
  sweep.axes.resize(2);
  return sweep;
}

// One cell.
inline Sweep small_sweep() {
  Sweep sweep;
  sweep.restarts = 2;
  sweep.data.sparsity = 0.5;
  sweep.data.last_importance = 0.25;
  return sweep;
}

struct Model {
  std::size_t cell;
  int restart;
  float loss;  // training
  std::int32_t status;
  std::vector<float> parameters;
  std::vector<Losses> snapshot_losses;
  std::vector<float> snapshot_parameters;
  float share;  // of the training loss is reconstruction: half, or all for the dense model

  Losses losses() const { return {loss, loss * share}; }
  // Of each of the first `count` parameters: its double, then its square.
  std::vector<float> moments(std::size_t count) const {
    std::vector<float> all;
    for (std::size_t p = 0; p < count; ++p) all.push_back(2 * parameters[p]);
    for (std::size_t p = 0; p < count; ++p) all.push_back(parameters[p] * parameters[p]);
    return all;
  }
};

// One model of each cell and restart as a training may leave it, with ties and diverged models.
inline std::vector<Model> models_of(const Sweep& sweep, unsigned seed) {
  std::mt19937 random(seed);
  const float losses[] = {0.1f, 0.1f, 0.2f, 0.3f, -0.0f, 0.0f}, diverged[] = {NAN, INFINITY};
  const float share = sweep.shape.n_experts > 1 ? 0.5f : 1.0f;
  std::vector<Model> models;
  for (std::size_t cell = 0; cell < Results(sweep).cells(); ++cell) {
    for (int restart = 0; restart < sweep.restarts; ++restart) {
      const auto size = static_cast<std::size_t>(sweep.shape.parameter_count());
      const std::size_t shots = sweep.train.snapshots.size();
      std::vector<float> parameters(size), snapshot_parameters(shots * size);
      std::vector<Losses> snapshot_losses(shots);
      auto number = [&random] { return std::normal_distribution<float>()(random); };
      for (auto* values : {&parameters, &snapshot_parameters}) std::ranges::generate(*values, number);
      const std::int32_t status = random() % 4 == 0 ? static_cast<std::int32_t>(1 + random() % 7) : kTrained;
      for (std::size_t t = 0; t < shots; ++t) {
        const bool reached = status == kTrained || sweep.train.snapshots[t] < status - 1;
        const float loss = reached ? std::abs(number()) : NAN;
        snapshot_losses[t] = {loss, loss * share};
      }
      const float loss = status == kTrained ? losses[random() % std::size(losses)] : diverged[random() % 2];
      models.push_back({cell, restart, loss, status, parameters, snapshot_losses, snapshot_parameters, share});
    }
  }
  return models;
}

inline Results taken(const Sweep& sweep, const std::vector<Model>& models) {
  Results results(sweep);
  results.device = "cpu \"quoted\" \u00e9";
  for (const Model& m : models) {
    const std::vector<float> moments = m.moments(keeps_moments(sweep.train.keep) ? m.parameters.size() : 0);
    results.take(m.cell, m.restart, m.losses(), m.status, m.parameters, m.snapshot_losses, m.snapshot_parameters, moments);
  }
  return results;
}

inline void expect_same(const Results& a, const Results& b) {
  for (auto numbers :
       {&Results::final_losses, &Results::reconstruction_losses, &Results::all_losses,
        &Results::all_reconstruction_losses, &Results::all_parameters, &Results::first_moments, &Results::second_moments,
        &Results::snapshot_losses,
        &Results::snapshot_reconstruction_losses}) {
    EXPECT_TRUE(same_bits(a.*numbers, b.*numbers));
  }
  EXPECT_TRUE(same_bits(a.parameters, b.parameters));
  EXPECT_TRUE(same_bits(a.snapshot_parameters, b.snapshot_parameters));
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.kept, b.kept);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.sweep.name, b.sweep.name);
  EXPECT_EQ(a.sweep.restarts, b.sweep.restarts);
  EXPECT_EQ(a.sweep.seed, b.sweep.seed);
  EXPECT_EQ(a.sweep.shape, b.sweep.shape);
  EXPECT_EQ(a.sweep.data, b.sweep.data);
  EXPECT_EQ(a.sweep.init, b.sweep.init);
  EXPECT_EQ(a.sweep.train, b.sweep.train);
  EXPECT_EQ(a.sweep.axes, b.sweep.axes);
}

// What NumPy, told to unpickle nothing, finds in a file: "key type shape" a line.
inline std::string numpy_listing(const TemporaryFolder& folder, const std::string& path) {
  const std::string script = folder.file("list.py");
  std::ofstream(script) << "import json, numpy, sys\n"
                           "with numpy.load(sys.argv[1], allow_pickle=False) as file:\n"
                           "    for key in sorted(file.files):\n"
                           "        array = file[key]\n"
                           "        print(key, 'str' if array.dtype.kind == 'U' else array.dtype.str, array.shape)\n"
                           "    if 'config' in file: print(json.loads(str(file['config']))['model'])\n";
  std::FILE* pipe = popen(fmt::format("'{}' '{}' '{}' 2>&1", PHASEGRID_TEST_PYTHON, script, path).c_str(), "r");
  std::string text;
  for (int c; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  if (pipe != nullptr) pclose(pipe);
  return text;
}

// A limit on the size of files, while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

// A limit on the memory of this process, `bytes` above what it has; none under a sanitizer, which maps far more.
class MemoryLimit {
 public:
  explicit MemoryLimit([[maybe_unused]] rlim_t bytes) {
    getrlimit(RLIMIT_AS, &before_);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit limit{pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + bytes, before_.rlim_max};
    setrlimit(RLIMIT_AS, &limit);
#endif
  }
  ~MemoryLimit() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_;
};

// A results file in a folder of its own, to be saved with one thing changed.
class ResultsFileFixture : public ::testing::Test {
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
    std::string config = config_of(Results(small_sweep()));
    ASSERT_NE(config.find(from), std::string::npos) << config;
    config.replace(config.find(from), from.size(), to);
    save_under(config, Results(small_sweep()));
  }
  // A file whose config is another.
  void save_under(const std::string& config, const Results& results) {
    save_changed(results, "config", [&](NpyArray& array) { array = make_string(config); });
  }
  static std::vector<std::string> keys_of(const Results& results) {
    std::vector<std::string> keys = {"final_losses",   "reconstruction_losses",
                                     "all_losses",     "all_reconstruction_losses",
                                     "expert_weights", "router_weights",
                                     "biases",         "status",
                                     "kept",           "config"};
    const Grid grid(results.sweep);
    for (const auto& [name, values] : grid.dimensions()) {
      keys.push_back(fmt::format("{}_values", name == AxisName::last_importance ? "importance" : to_string(name)));
    }
    if (!results.sweep.train.snapshots.empty()) {
      for (const char* name :
           {"steps", "losses", "reconstruction_losses", "expert_weights", "router_weights", "biases"}) {
        keys.push_back(fmt::format("snapshot_{}", name));
      }
    }
    return keys;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("results.npz");
};

}  // namespace phasegrid::testing
