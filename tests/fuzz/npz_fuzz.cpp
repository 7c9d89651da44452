// Any bytes as an .npz, and every array of it in every way to ask for it.
#include "fuzz.hpp"
#include "results/npz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phasegrid;
  static fuzz::MemoryFile file;
  const std::string& path = file.hold(std::as_bytes(std::span(data, size)));
  fuzz::taken([&] {
    const NpzFile npz(path);
    for (const char* key : {"sparsity_values", "final_losses", "expert_weights", "kept", "config", "key"}) {
      fuzz::taken([&] { (void)npz.doubles(key); });
      fuzz::taken([&] { (void)npz.floats(key); });
      fuzz::taken([&] { (void)npz.integers(key); });
      fuzz::taken([&] { (void)npz.text(key); });
      fuzz::taken([&] { npz.expect_shape(key, {2, 3}); });
    }
  });
  return 0;
}
