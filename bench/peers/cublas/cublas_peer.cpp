// The unfused CUDA peer: samples a second of cuBLAS, CUB and elementwise kernels in a CUDA graph, on phasegrid's
// models.
//
//   build/bench/peers/cublas/cublas_peer [--steps 300] [--tf32] [--case NAME ...] [--out FILE.json]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "parameters.hpp"
#include "phasegrid/phasegrid.hpp"
#include "trainer.hpp"

namespace phasegrid::unfused {
namespace {

struct Case {
  const char* name;
  Shape shape;
  int batch;
  double density;
  double load_balance;
  int models;  // trained at once: enough to fill a GPU
};
constexpr Case kCases[] = {
    {"fig4_211", {2, 1, 1, 1}, 512, 0.5, 0.01, 16384},     {"fig4_212", {2, 1, 2, 1}, 512, 0.5, 0.01, 8192},
    {"fig4_323", {3, 2, 3, 1}, 512, 0.5, 0.01, 8192},      {"fig3_dense_m20", {100, 20, 1, 1}, 1024, 0.5, 0, 512},
    {"fig3_4_experts", {100, 5, 4, 1}, 1024, 0.5, 0, 512}, {"fig3_10_experts", {100, 2, 10, 2}, 1024, 0.5, 0, 256},
    {"table1", {100, 10, 10, 1}, 1024, 0.1, 0.01, 512},
};

Settings settings_of(const Case& c) {
  Settings settings;
  settings.shape = c.shape;
  settings.models = c.models;
  settings.batch = c.batch;
  settings.density.assign(static_cast<std::size_t>(c.shape.n_features), static_cast<float>(c.density));
  settings.importance.assign(static_cast<std::size_t>(c.shape.n_features), 1.0f);
  settings.loss_scale = 1.0f / static_cast<float>(c.batch * c.shape.n_features);
  settings.load_balance = static_cast<float>(c.load_balance);
  settings.seed = 1;
  return settings;
}

nlohmann::json measure(const Case& c, int steps, bool tf32) {
  Trainer trainer(settings_of(c), tf32);
  trainer.set_parameters(xavier(c.shape, c.models, 1));
  trainer.steps(3);  // warm
  const double seconds = static_cast<double>(trainer.steps(steps)) / 1e3;
  const std::vector<float> losses = trainer.losses();
  const double loss = std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  if (!std::isfinite(loss)) throw std::runtime_error(fmt::format("{}: the mean loss is {}", c.name, loss));
  const double samples = 1.0 * c.models * c.batch * steps;
  return {{"case", c.name},
          {"n", c.shape.n_features},
          {"m", c.shape.n_hidden},
          {"E", c.shape.n_experts},
          {"k", c.shape.top_k},
          {"models", c.models},
          {"batch", c.batch},
          {"density", c.density},
          {"load_balance", c.load_balance},
          {"steps", steps},
          {"tf32", tf32},
          {"seconds", seconds},
          {"samples_per_second", samples / seconds},
          {"ns_per_sample", seconds / samples * 1e9},
          {"mean_loss", loss}};
}

int run(int argc, char** argv) {
  int steps = 300;
  bool tf32 = false;
  std::vector<std::string> names, all;
  std::string out;
  for (const Case& c : kCases) all.emplace_back(c.name);
  CLI::App app("cuBLAS, CUB and elementwise kernels in a CUDA graph, training phasegrid's models");
  app.add_option("--steps", steps, "steps to time")->check(CLI::Range(1, 10'000'000));
  app.add_flag("--tf32", tf32, "matrix products may round their factors to TF32");
  app.add_option("--case", names, "which of the cases")->check(CLI::IsMember(all));
  app.add_option("--out", out, "JSON file to write");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const std::string problem = gpu_problem(); !problem.empty()) {
    fmt::print(stderr, "cublas_peer: {}\n", problem);
    return 2;
  }
  nlohmann::json report = {{"benchmark", "cublas_peer"}, {"device", gpu_name()}, {"version", version()}};
  fmt::print("{:<16} {:>8} {:>12} {:>10}\n", "case", "models", "ns/sample", "mean loss");
  for (const Case& c : kCases) {
    if (!names.empty() && std::ranges::find(names, c.name) == names.end()) continue;
    report["results"].push_back(measure(c, steps, tf32));
    const auto& result = report["results"].back();
    fmt::print("{:<16} {:>8} {:>12.3f} {:>10.6f}\n", c.name, c.models, result["ns_per_sample"].get<double>(),
               result["mean_loss"].get<double>());
  }
  if (!out.empty()) {
    std::ofstream file(out);
    file << report.dump(1) << "\n";
    if (!file.flush()) throw std::runtime_error(fmt::format("{} cannot be written", out));
  }
  return 0;
}

}  // namespace
}  // namespace phasegrid::unfused

int main(int argc, char** argv) {
  try {
    return phasegrid::unfused::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "cublas_peer: {}\n", error.what());
    return 1;
  }
}
