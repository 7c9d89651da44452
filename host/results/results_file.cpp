#include "phasegrid/results_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <utility>

#include "authors_layout.hpp"
#include "sweep/config_json.hpp"
#include "npz.hpp"
#include "output_file.hpp"
#include "phasegrid/error.hpp"
#include "results_layout.hpp"
#include "results_reader.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

// An array of results, laid out some cells at a time as its bytes are asked for, one after the other.
class PackedArray {
 public:
  PackedArray(const Results& results, FileArray array) : results_(&results), array_(std::move(array)) {}

  void read(std::uint64_t at, std::span<std::byte> to) {
    while (!to.empty()) {
      if (at < begin_ || at >= begin_ + packed_.size()) pack(at / array_.cell_bytes());
      const std::size_t from = at - begin_, count = std::min(to.size(), packed_.size() - from);
      std::memcpy(to.data(), packed_.data() + from, count);
      to = to.subspan(count);
      at += count;
    }
    if (at == results_->cells() * array_.cell_bytes()) packed_ = {};  // there are many arrays
  }

 private:
  void pack(std::size_t cell) {
    constexpr std::size_t kBytes = std::size_t{1} << 20;
    const std::size_t cells = std::clamp<std::size_t>(kBytes / array_.cell_bytes(), 1, results_->cells() - cell);
    packed_.resize(cells * array_.cell_bytes());
    pack_cells(array_, *results_, 0, {cell, cell + cells}, packed_);
    begin_ = cell * array_.cell_bytes();
  }

  const Results* results_;
  FileArray array_;
  std::vector<std::byte> packed_;
  std::uint64_t begin_ = 0;  // its place in the array
};

// The file of results.
std::vector<NpzEntry> file_entries(const Results& results, Layout layout) {
  if (layout == Layout::authors) return entries_of(authors_arrays(results));
  const Config about{results.sweep, results.device, results.made_by, results.bits};
  return results_entries(results.sweep, config_of(about, results.complete()), [&](const FileArray& array) -> NpzRead {
    return [packed = PackedArray(results, array)](std::uint64_t at, std::span<std::byte> to) mutable {
      packed.read(at, to);
    };
  });
}

void write(const Results& results, Layout layout, OutputFile& file) {
  file.finish([&] {
    return write_npz(file_entries(results, layout),
                     [&](std::uint64_t at, std::span<const std::byte> bytes) { file.write(at, bytes); });
  });
}

// At least as many bytes as the file of a sweep will have, without its arrays being made for it.
std::size_t most_bytes(const Sweep& sweep, Layout layout) {
  const Grid grid(sweep);
  constexpr std::size_t kForDevice = 1024;  // what the config may still grow by
  // The authors': a loss and two grid keys of eight bytes for each cell.
  std::size_t of_cell = static_cast<std::size_t>(6 + sweep.shape.weight_count() + sweep.shape.router_count()), others = 0;
  if (layout == Layout::phasegrid) {
    of_cell = 0;
    for (const ResultArray& array : kResultArrays) of_cell += array.cell_numbers(sweep);
    others = sweep.train.snapshots.size() + config_of(sweep).size() + kForDevice;  // four bytes a character
  }
  const std::size_t numbers = grid.cells() * of_cell + others;
  std::size_t values = 0;
  for (const Grid::Dimension& dimension : grid.dimensions()) values += dimension.values.size();
  return npz_size_bound(32 + grid.dimensions().size(), numbers * sizeof(float) + values * sizeof(double));
}

void check_layout(const Sweep& sweep, Layout layout) {
  if (layout == Layout::authors) check_authors_layout(sweep);
}

}  // namespace

// ---------------------------------------------------------------- files

void save_results(const Results& results, const std::string& path, Layout layout) {
  check_layout(results.sweep, layout);
  OutputFile file(path, OutputFile::Claim::shared);
  write(results, layout, file);
}

std::string partial_path(const std::string& path) {
  std::error_code unknown;
  return (fs::is_symlink(path, unknown) ? real_path(path) : path) + ".partial";
}

void expect_no_partial_of(const std::string& path) {
  std::error_code unknown;
  if (fs::exists(path, unknown) || !fs::exists(partial_path(path), unknown)) return;
  throw InputError(fmt::format("{}: does not exist yet; what an interrupted training finished is in {}", path,
                               partial_path(path)));
}

Results load_results(const std::string& path) { return ResultsReader(path).load(); }

// ---------------------------------------------------------------- reserved

struct ReservedFile::Temporary : OutputFile {
  using OutputFile::OutputFile;
};

ReservedFile::ReservedFile(std::string path, const Sweep& sweep, Layout layout)
    : path_(std::move(path)), layout_(layout) {
  check_layout(sweep, layout);
  temporary_ = std::make_unique<Temporary>(path_, OutputFile::Claim::sole);
  temporary_->reserve(most_bytes(sweep, layout));
}
ReservedFile::~ReservedFile() = default;
ReservedFile::ReservedFile(ReservedFile&&) noexcept = default;

void ReservedFile::save(const Results& results) {
  if (!temporary_ || temporary_->is_in_place()) {
    throw std::logic_error("ReservedFile::save: only once, and not after a move");
  }
  write(results, layout_, *temporary_);
}

}  // namespace phasegrid
