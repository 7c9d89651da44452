#include "measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "phasegrid/error.hpp"

namespace phasegrid::fused_moe {
namespace {

constexpr int kReadings = 3;  // the median counts
constexpr int kMostSteps = 2000;
constexpr const char* kTooShort = "too short to be timed";

Reading measure(const std::function<std::unique_ptr<Contestant>()>& make, Mode mode, double seconds_a_reading) {
  Reading reading;
  try {
    const std::unique_ptr<Contestant> contestant = make();
    contestant->seconds(mode, 1);  // warm
    const double once = std::max(contestant->seconds(mode, 2) / 2, 1e-7);
    const int steps = static_cast<int>(std::clamp(seconds_a_reading / once, 1.0, 1.0 * kMostSteps));
    std::vector<double> seconds;
    for (int i = 0; i < kReadings; ++i) seconds.push_back(contestant->seconds(mode, steps) / steps);
    std::ranges::sort(seconds);
    reading.seconds_a_step = seconds[kReadings / 2];
    if (!(reading.seconds_a_step > 0)) reading.trouble = kTooShort;
  } catch (const InputError& error) {
    reading.trouble = error.what();
  } catch (const std::runtime_error& error) {  // out of memory, say; the other points are worth having
    reading.trouble = error.what();
    reading.failed = true;
  }
  return reading;
}

Point point_of(const nlohmann::json& row) {
  Point point{};
  for (std::size_t i = 0; i < kAxisNames.size(); ++i) point.values[i] = row.at(std::string(kAxisNames[i]));
  return point;
}

}  // namespace

nlohmann::json Reading::json(const Problem& problem, Mode mode, double peak) const {
  if (!trouble.empty()) return {{"trouble", trouble}, {"failed", failed}};
  const double samples = 1.0 * problem.models * problem.cell.train.batch / seconds_a_step;
  const double operations = 2 * samples * multiply_adds(problem.shape, mode);
  nlohmann::json out = {{"seconds", seconds_a_step}, {"samples_per_second", samples}, {"tflops", operations / 1e12}};
  if (peak > 0) out["peak_share"] = operations / peak;
  return out;
}

nlohmann::json measure_point(const Point& point, const std::vector<Mode>& modes, const Setup& setup) {
  const Problem problem = problem_of(point);
  nlohmann::json row;
  for (std::size_t i = 0; i < kAxisNames.size(); ++i) row[std::string(kAxisNames[i])] = point.values[i];
  row["largest_share"] = std::ranges::max(problem.shares);
  for (Mode mode : modes) {
    const Reading fused =
        measure([&] { return setup.cuda ? fused_on_cuda(problem) : fused_on_cpu(problem, setup.set, setup.threads); },
                mode, setup.seconds_a_reading);
    nlohmann::json& out = row[std::string(to_string(mode))];
    out["fused"] = fused.json(problem, mode, setup.peak);
    if (!setup.cuda) continue;
    const Reading unfused =
        measure([&] { return unfused_on_cuda(problem, setup.tf32); }, mode, setup.seconds_a_reading);
    out["unfused"] = unfused.json(problem, mode, setup.peak);
    if (fused.trouble.empty() && unfused.trouble.empty()) out["ratio"] = unfused.seconds_a_step / fused.seconds_a_step;
  }
  return row;
}

std::vector<std::string> failures_of(const nlohmann::json& rows, const std::vector<Mode>& modes) {
  std::vector<std::string> failures;
  for (const nlohmann::json& row : rows) {
    for (Mode mode : modes) {
      for (const auto& [name, reading] : row.at(std::string(to_string(mode))).items()) {
        if (!reading.is_object() || !reading.value("failed", false)) continue;
        failures.push_back(fmt::format("{} {} at {}: {}", name, to_string(mode), to_string(point_of(row)),
                                       reading.at("trouble").get<std::string>()));
      }
    }
  }
  return failures;
}

std::string table_header(const std::vector<Mode>& modes) {
  std::string line = fmt::format("{:>8} {:>4} {:>3} {:>3} {:>3} {:>7} {:>5} {:>7}", "tokens", "n", "m", "E", "k",
                                 "density", "skew", "models");
  for (Mode mode : modes) line += fmt::format(" | {:>16} {:>7} {:>7}", to_string(mode), "peak", "/unf.");
  return line;
}

std::string table_line(const Point& point, const nlohmann::json& row, const std::vector<Mode>& modes) {
  const auto& v = point.values;
  std::string line =
      fmt::format("{:>8} {:>4} {:>3} {:>3} {:>3} {:>7} {:>5} {:>7}", v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
  for (Mode mode : modes) {
    const nlohmann::json& out = row.at(std::string(to_string(mode)));
    const nlohmann::json& fused = out.at("fused");
    if (fused.contains("trouble")) {
      line += fmt::format(" | {:>16} {:>7} {:>7}",
                          fused["failed"].get<bool>()     ? "FAILED"
                          : fused["trouble"] == kTooShort ? "too short"
                                                          : "does not fit",
                          "", "");
      continue;
    }
    line += fmt::format(
        " | {:>10.2f} Msp/s {:>7} {:>7}", fused.at("samples_per_second").get<double>() / 1e6,
        fused.contains("peak_share") ? fmt::format("{:.1f} %", 100 * fused["peak_share"].get<double>()) : "",
        out.contains("ratio") ? fmt::format("{:.2f}", out["ratio"].get<double>()) : "");
  }
  return line;
}

std::vector<Ratio> ratios_of(const nlohmann::json& rows, Mode mode) {
  std::vector<Ratio> ratios;
  for (const nlohmann::json& row : rows) {
    const auto& out = row.at(std::string(to_string(mode)));
    if (!out.contains("ratio")) continue;
    ratios.push_back({point_of(row), out["ratio"]});
  }
  return ratios;
}

}  // namespace phasegrid::fused_moe
