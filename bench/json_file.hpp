// The file that --out names.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace phasegrid::bench {

// Writes a report, unless `path` is empty: exit status 0, or 2 with a sentence where it cannot be written.
inline int write_json(const std::string& path, const nlohmann::json& report, const char* program) {
  if (path.empty()) return 0;
  std::ofstream file(path);
  file << report.dump(1) << '\n';
  if (file.flush()) return 0;
  fmt::print(stderr, "{}: cannot write {}\n", program, path);
  return 2;
}

}  // namespace phasegrid::bench
