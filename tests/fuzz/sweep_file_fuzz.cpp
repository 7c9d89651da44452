// Any text as a sweep file. What is taken is written and read again as a results file's config, to the same sweep.
#include "sweep/config_json.hpp"
#include "fuzz.hpp"
#include "phasegrid/sweep_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phasegrid;
  std::vector<Sweep> sweeps;
  if (!fuzz::taken([&] { sweeps = parse_sweeps(fuzz::text_of(data, size), "fuzz.toml"); })) return 0;
  for (const Sweep& sweep : sweeps) {
    fuzz::require(first_difference(parse_settings(config_of(sweep)), sweep).empty(), "a config tells another sweep");
  }
  return 0;
}
