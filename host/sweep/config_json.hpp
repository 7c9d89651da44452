// The `config` string of a results file: the whole sweep, and what trained it.
#pragma once

#include <string>

#include "phasegrid/results.hpp"

namespace phasegrid {

std::string config_of(const Results& results);
// The same of a sweep: no device, nothing about completeness.
std::string config_of(const Sweep& sweep);

// Where two sweeps differ first, e.g. "train.steps is 400, not 40", a's value last; "" where all settings are equal.
std::string first_difference(const Sweep& a, const Sweep& b);

// The sweep and device of a config. Throws std::runtime_error saying what is wrong.
struct Config {
  Sweep sweep;
  std::string device;
};
Config parse_config(const std::string& text);
// The sweep alone, also of the config of a sweep.
Sweep parse_settings(const std::string& text);

}  // namespace phasegrid
