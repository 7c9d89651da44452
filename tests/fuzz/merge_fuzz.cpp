// Two files of shards, with changes in both. What is merged could have come from a training, and is the same some cells
// at a time.
#include "edited_results.hpp"
#include "phasegrid/merge.hpp"
#include "results/merged_file.hpp"
#include "results/results_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phasegrid;
  static fuzz::MemoryFile files[2];
  static const NpzArrays kArrays[] = {fuzz::arrays_of(fuzz::trained(true, 0)), fuzz::arrays_of(fuzz::trained(true, 1))};
  static const std::string kOut =
      std::filesystem::temp_directory_path() / ("phasegrid-fuzz-merged-" + std::to_string(getpid()));
  std::string paths[2];
  for (std::size_t part = 0; part < 2; ++part) {
    const std::size_t from = part * (size / 2), length = part == 0 ? size / 2 : size - size / 2;
    paths[part] = files[part].hold(fuzz::edited(kArrays[part], data + from, length));
  }
  Merger merger;
  const bool in_memory = fuzz::taken([&] {
    for (const std::string& path : paths) merger.add(load_results(path), path);
  });
  const bool in_blocks = fuzz::taken([&] {
    std::vector<ResultsReader> readers;
    for (const std::string& path : paths) readers.emplace_back(path, readers.empty() ? nullptr : &readers.back());
    MergedFile(std::move(readers), kOut, 500).save();
  });
  fuzz::require(in_memory == in_blocks, "one merge took what the other refused");
  if (!in_memory) return 0;
  fuzz::require(fuzz::taken([&] { check_results(merger.results(), "merged"); }), "what was merged is not sound");
  const Results merged = load_results(kOut);
  std::filesystem::remove(kOut);
  for (const ResultArray& array : kResultArrays) {
    fuzz::require(std::ranges::equal(array.bytes(merged), array.bytes(merger.results())), "the merges differ");
  }
  return 0;
}
