// Any text after --set, over a file that has everything else.
#include "fuzz.hpp"
#include "phasegrid/sweep_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phasegrid;
  static const char kFile[] =
      "[model]\nn_features = 3\nn_hidden = 2\nn_experts = 4\ntop_k = 2\n[data]\nsparsity = 0.5\n"
      "[axes]\nlast_importance = [0.1, 1]\n[presets.quick.train]\nsteps = 5\n[variants.a.init]\nrouter = \"zero\"\n"
      "[variants.b]\nrestarts = 2\n";
  SweepFileOptions options;
  options.set = {std::string(fuzz::text_of(data, size))};
  fuzz::taken([&] { parse_sweeps(kFile, "fuzz.toml", options); });
  return 0;
}
