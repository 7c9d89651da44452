// One results file of several, some megabytes of each at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "output_file.hpp"
#include "phasegrid/results_file.hpp"
#include "results_reader.hpp"

namespace phasegrid {

class MergedFile {
 public:
  // Merges, into a file without a name beside `out`. Throws InputError as merge_results_files().
  MergedFile(std::vector<ResultsReader> parts, const std::string& out, std::size_t block_bytes = kBlockBytes);

  const Sweep& sweep() const { return about_.sweep; }
  std::size_t cells() const { return cells_; }
  std::size_t cells_missing() const { return cells_missing_; }  // those without all their models
  std::int64_t models_done() const { return models_done_; }
  std::int64_t models_total() const { return models_total_; }
  bool complete() const { return models_done_ == models_total_; }

  // Writes the file: once. In the authors' layout by way of results in memory.
  void save(Layout layout = Layout::phasegrid);

 private:
  void merge(std::vector<ResultsReader>& parts, std::size_t block_bytes);
  void keep(const Results& merged, std::size_t first);
  std::vector<NpzEntry> entries(Layout layout) const;
  Results results() const;

  Config about_;
  std::vector<FileArray> arrays_;
  std::size_t cells_;
  OutputFile file_;
  ScratchFile scratch_;
  std::vector<std::uint64_t> places_;  // of the arrays in it
  std::vector<std::byte> packed_;
  std::size_t cells_missing_ = 0;
  std::int64_t models_done_ = 0, models_total_ = 0;
};

}  // namespace phasegrid
