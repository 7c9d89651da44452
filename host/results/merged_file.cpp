#include "merged_file.hpp"

#include <algorithm>
#include <utility>

#include "authors_layout.hpp"
#include "phasegrid/error.hpp"
#include "phasegrid/merge.hpp"

namespace phasegrid {
namespace {

const ResultsReader& first_of(const std::vector<ResultsReader>& parts) {
  if (parts.empty()) throw InputError("merge needs at least one part");
  for (const ResultsReader& part : parts) expect_one_training(parts[0].origin(), part.origin());
  return parts[0];
}

}  // namespace

MergedFile::MergedFile(std::vector<ResultsReader> parts, const std::string& out, std::size_t block_bytes)
    : about_(first_of(parts).config()),
      arrays_(parts[0].arrays()),
      cells_(parts[0].grid().cells()),
      file_(out, OutputFile::Claim::shared),
      scratch_(out) {
  std::uint64_t at = 0;
  for (const FileArray& array : arrays_) {
    places_.push_back(at);
    at += cells_ * array.cell_bytes();
  }
  merge(parts, block_bytes);
}

void MergedFile::merge(std::vector<ResultsReader>& parts, std::size_t block_bytes) {
  const std::size_t step = cells_of_block(arrays_, block_bytes);
  Results merged;
  merged.sweep = about_.sweep;
  CellBuffer buffer;
  Results blank;
  blank.sweep = about_.sweep;
  std::set<std::string> devices;
  for (std::size_t begin = 0; begin < cells_; begin += step) {
    const CellRange block{begin, std::min(begin + step, cells_)};
    clear_cells(blank, begin, block.end - begin);
    merged = blank;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      try {
        const PartCells cells = parts[i].read(block, blank, buffer);
        bool any = false;
        for (const CellRange& filled : buffer.filled) {
          expect_agreement(cells, merged, begin, filled);
          any = take_cells(cells, {merged, begin}, filled) || any;
        }
        if (any) devices.insert(parts[i].config().device);  // a part without a model says nothing about what trained them
        if (block.end == cells_) parts[i].finish();
      } catch (const InputError&) {
        // Where a file is damaged, this one or what it seems to contradict, that is what is wrong.
        for (std::size_t read = 0; read <= i; ++read) parts[read].finish();
        throw;
      }
    }
    keep(merged, begin);
  }
  about_.device = joined(devices);
}

// Puts merged cells away until all of them are.
void MergedFile::keep(const Results& merged, std::size_t first) {
  models_done_ += merged.models_done();
  models_total_ += merged.models_total();
  const auto restarts = static_cast<std::size_t>(merged.sweep.restarts);
  for (std::size_t at = 0; at < merged.status.size(); at += restarts) {
    const auto of_cell = std::span(merged.status).subspan(at, restarts);
    cells_missing_ += std::ranges::find(of_cell, kNotTrained) != of_cell.end() ? 1 : 0;
  }
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    packed_.resize(merged.cells() * arrays_[i].cell_bytes());
    pack_cells(arrays_[i], merged, first, {0, merged.cells()}, packed_);
    scratch_.write(places_[i] + first * arrays_[i].cell_bytes(), packed_);
  }
}

Results MergedFile::results() const {
  Results results(about_.sweep);
  std::vector<std::byte> packed;
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    packed.resize(cells_ * arrays_[i].cell_bytes());
    scratch_.read(places_[i], packed);
    unpack_cells(arrays_[i], packed, results, 0);
  }
  gather_models(results, 0, {0, cells_});
  return results;
}

std::vector<NpzEntry> MergedFile::entries(Layout layout) const {
  if (layout == Layout::authors) {
    check_authors_layout(about_.sweep);
    return entries_of(authors_arrays(results()));
  }
  std::size_t next = 0;  // they are asked for in their order
  return results_entries(about_.sweep, config_of(about_, complete()), [&](const FileArray&) -> NpzRead {
    return
        [this, begin = places_[next++]](std::uint64_t at, std::span<std::byte> to) { scratch_.read(begin + at, to); };
  });
}

void MergedFile::save(Layout layout) {
  const std::vector<NpzEntry> written = entries(layout);
  file_.finish([&] {
    return write_npz(written, [&](std::uint64_t at, std::span<const std::byte> bytes) { file_.write(at, bytes); });
  });
}

void merge_results_files(std::span<const std::string> parts, const std::string& out) {
  std::vector<ResultsReader> readers;
  for (const std::string& path : parts) readers.emplace_back(path, readers.empty() ? nullptr : &readers.back());
  MergedFile(std::move(readers), out).save();
}

}  // namespace phasegrid
