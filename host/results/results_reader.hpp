// A results file of which cells are read as they are asked for, each looked at as load_results() looks at it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "input_file.hpp"
#include "merge_cells.hpp"
#include "results_layout.hpp"

namespace phasegrid {

// Room for the cells that are read, which one file after the other uses.
struct CellBuffer {
  Results results;                // of the cells that were asked for, as far as they are in `filled`
  std::vector<CellRange> filled;  // those in which the file has anything
  std::vector<float> raw;         // as they lie in the file
  std::vector<char> has;          // whether a cell is in `filled`
};

class ResultsReader {
 public:
  // Throws InputError as load_results(). What a file says that is `like` this one is held once for both.
  explicit ResultsReader(const std::string& path, const ResultsReader* like = nullptr);

  const std::string& path() const { return path_; }
  const Config& config() const { return shared_->config; }
  const Grid& grid() const { return shared_->grid; }
  const std::vector<FileArray>& arrays() const { return shared_->arrays; }
  Origin origin() const { return {config().sweep, config().made_by, config().bits, path_}; }

  // The cells of a range that begins where the last one ended. `blank` is what they are with nothing trained; what
  // is in the buffer is valid until its next use. Throws InputError where they are broken or cannot be read.
  PartCells read(CellRange cells, const Results& blank, CellBuffer& buffer);
  // Throws InputError where the file is damaged, and reads what was not read to know it.
  void finish();

  // All cells: once, and with nothing read before.
  Results load();

  // Models that were trained.
  std::int64_t models_done() const;

 private:
  // An array in the file, and how far it is read.
  struct Place {
    std::uint64_t at, end;
    std::uint32_t sum, whole_sum;  // check sums: so far, and of all
  };
  struct Shared {
    std::string text;  // the config's
    Config config;
    Grid grid;
    std::vector<FileArray> arrays;
  };
  // A file that is not laid out as phasegrid does it, compressed for one, is in memory as a whole.
  std::unique_ptr<Results> whole_;
  std::shared_ptr<const Shared> shared_;
  std::string path_;
  FileStamp stamp_;
  std::vector<Place> places_;  // of each of the arrays

  void expect_unchanged(const InputFile& file) const;
  void next(const InputFile& file, std::size_t array, std::span<std::byte> to);
  void find_filled(const InputFile& file, std::size_t array, const Results& blank, std::span<float> raw,
                   std::vector<char>& has);
};

}  // namespace phasegrid
