// The `config` string of a results file: the whole sweep, and what trained it.
#pragma once

#include <string>

#include "phasegrid/error.hpp"
#include "phasegrid/results.hpp"
#include "sweep/settings.hpp"

namespace phasegrid {

// What one says.
struct Config {
  Sweep sweep;
  std::string device;
  std::string made_by = "an unknown version";
  int bits = 1;
};

std::string config_of(const Config& about, bool complete);
std::string config_of(const Results& results);
// The same of a sweep: no device, nothing about completeness.
std::string config_of(const Sweep& sweep);

// A file of a later version, which says things that this one does not know.
class NewerFormat : public InputError {
 public:
  using InputError::InputError;
};

// Throws NewerFormat, or another std::exception saying what is wrong.
Config parse_config(const std::string& text);
// The sweep alone, also of the config of a sweep.
Sweep parse_settings(const std::string& text);

}  // namespace phasegrid
