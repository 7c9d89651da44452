// Checkpoints, which a training goes on from, with changes in them. What is taken could have come from a training, and
// is saved and read again.
#include "edited_results.hpp"
#include "results/results_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phasegrid;
  static fuzz::MemoryFile file;
  static const NpzArrays kArrays[] = {fuzz::arrays_of(fuzz::trained(true)), fuzz::arrays_of(fuzz::trained(false))};
  if (size == 0) return 0;
  const std::string& path = file.hold(fuzz::edited(kArrays[data[0] % 2], data + 1, size - 1));
  Results results;
  if (!fuzz::taken([&] { results = load_results(path); })) return 0;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const bool kept = results.kept[cell] >= 0;
    fuzz::require(std::isfinite(results.final_losses[cell]) == kept, "a kept loss is not finite");
    fuzz::require(!(results.reconstruction_losses[cell] < 0), "a loss is below 0");
    for (float weight : results.expert_weights(cell)) {
      fuzz::require(std::isfinite(weight) == kept, "a kept weight is not finite");
    }
  }
  fuzz::require(fuzz::taken([&] { check_results(results, "results"); }), "what was read is not sound");
  return 0;
}
