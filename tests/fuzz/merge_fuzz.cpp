// Two files of shards, with changes in both. What is merged could have come from a training.
#include "edited_results.hpp"
#include "phasegrid/merge.hpp"
#include "results/results_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phasegrid;
  static fuzz::MemoryFile files[2];
  static const NpzArrays kArrays[] = {fuzz::arrays_of(fuzz::trained(true, 0)), fuzz::arrays_of(fuzz::trained(true, 1))};
  Merger merger;
  for (std::size_t part = 0; part < 2; ++part) {
    const std::size_t from = part * (size / 2), length = part == 0 ? size / 2 : size - size / 2;
    const std::string& path = files[part].hold(fuzz::edited(kArrays[part], data + from, length));
    if (!fuzz::taken([&] { merger.add(load_results(path), part == 0 ? "first" : "second"); })) return 0;
  }
  fuzz::require(fuzz::taken([&] { check_results(merger.results(), "merged"); }), "what was merged is not sound");
  return 0;
}
