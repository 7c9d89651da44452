// Timing contestants at a point, and the report of all points.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "contestant.hpp"
#include "crossover.hpp"

namespace phasegrid::fused_moe {

struct Setup {
  bool cuda = false;
  bool tf32 = false;
  int threads = 1;                                // CPU
  InstructionSet set = InstructionSet::baseline;  // CPU
  double peak = 0;                                // FP32 operations a second; 0: not known
  double seconds_a_reading = 0.05;                // a contestant's run is repeated until it takes so long
};

// What one contestant did at one point, or why it did not.
struct Reading {
  std::string trouble;
  bool failed = false;  // a call failed: more than a point that does not fit
  double seconds_a_step = 0;
  nlohmann::json json(const Problem& problem, Mode mode, double peak) const;
};

// All modes at one point: {"tokens": .., .., "loads": .., "step": {"fused": {..}, "unfused": {..}, "ratio": ..}, ..}
nlohmann::json measure_point(const Point& point, const std::vector<Mode>& modes, const Setup& setup);

// One sentence for every reading that failed.
std::vector<std::string> failures_of(const nlohmann::json& rows, const std::vector<Mode>& modes);

// Lines of the table on stdout.
std::string table_header(const std::vector<Mode>& modes);
std::string table_line(const Point& point, const nlohmann::json& row, const std::vector<Mode>& modes);

// Of the rows of a report: the fused kernel's ratios of one mode.
std::vector<Ratio> ratios_of(const nlohmann::json& rows, Mode mode);

}  // namespace phasegrid::fused_moe
