#include "results_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "phasegrid/error.hpp"
#include "results_check.hpp"
#include "runs_of_bits.hpp"

namespace phasegrid {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18;  // read and looked at while the processor's cache holds it

// Nothing trained yet.
Results with_origin(const Config& config) {
  Results results(config.sweep);
  results.device = config.device;
  results.made_by = config.made_by;
  results.bits = config.bits;
  return results;
}

// A file that is not laid out as phasegrid does it.
Results load_through_memory(const std::string& path) {
  const NpzFile file(path);
  const Config config = parsed_config(file, config_text(file));
  const Sweep& sweep = config.sweep;
  expect_arrays(file, sweep);
  Results results = with_origin(config);  // only now: the file is as large as its config says
  for (const FileArray& array : file_arrays(sweep)) {
    if (array.of->integers != nullptr) {
      results.*array.of->integers = file.integers(array.key);
    } else {
      const std::vector<float> values = file.floats(array.key);
      unpack_cells(array, std::as_bytes(std::span(values)), results, 0);
    }
  }
  gather_models(results, 0, {0, results.cells()});
  check_results(results, path);
  return results;
}

// What is small, or as large as an axis: all that is no array of results.
bool is_array_of_results(const std::string& key) {
  return key != "config" && key != "snapshot_steps" && !key.ends_with("_values");
}

// Whether cells' numbers are those of nothing trained, `blank` being those of an array of integers.
bool is_blank(const ResultArray& array, std::span<const float> numbers, std::span<const std::byte> blank) {
  if (array.floats != nullptr) return all_nan(numbers);
  return std::memcmp(numbers.data(), blank.data(), blank.size()) == 0;
}

// The first cell from `begin` on of which `has` is `wanted`; `end` where there is none before it.
std::size_t next_that(const std::vector<char>& has, char wanted, std::size_t begin, std::size_t end) {
  if (begin == end) return end;
  const void* found = std::memchr(has.data() + begin, wanted, end - begin);
  return found == nullptr ? end : static_cast<std::size_t>(static_cast<const char*>(found) - has.data());
}

}  // namespace

ResultsReader::ResultsReader(const std::string& path, const ResultsReader* like) : path_(path) {
  expect_no_partial_of(path);
  stamp_ = InputFile(path).stamp();
  const NpzFile file(path, is_array_of_results);
  std::string text = config_text(file);
  if (like != nullptr && like->shared_->text == text) {
    shared_ = like->shared_;
  } else {
    Config config = parsed_config(file, text);
    Grid grid(config.sweep);
    std::vector<FileArray> arrays = file_arrays(config.sweep);
    shared_ =
        std::make_shared<const Shared>(Shared{std::move(text), std::move(config), std::move(grid), std::move(arrays)});
  }
  expect_arrays(file, config().sweep);
  for (const FileArray& array : arrays()) {
    const NpzFile::Place* place = file.place(array.key);
    if (place == nullptr || file.array(array.key).type != array.type()) {
      whole_ = std::make_unique<Results>(load_through_memory(path));
      return;
    }
    places_.push_back({place->begin, place->end, place->sum_before, place->sum});
  }
}

// Files are opened each time, for there may be more of them than a process may hold open.
void ResultsReader::expect_unchanged(const InputFile& file) const {
  if (file.stamp() != stamp_) throw InputError(fmt::format("{}: was changed while it was read", path_));
}

void ResultsReader::next(const InputFile& file, std::size_t array, std::span<std::byte> to) {
  Place& place = places_[array];
  if (!file.read(place.at, to)) {
    throw InputError(fmt::format("{}: '{}' cannot be read: the file is damaged", path_, arrays()[array].key));
  }
  place.at += to.size();
  place.sum = crc32_of(to, place.sum);
}

// Reads an array's numbers of as many cells as `has` is long, and marks those of cells that are not blank.
void ResultsReader::find_filled(const InputFile& file, std::size_t array, const Results& blank, std::span<float> raw,
                                std::vector<char>& has) {
  const ResultArray& of = *arrays()[array].of;
  const std::size_t bytes = arrays()[array].cell_bytes(), numbers = bytes / sizeof(float);
  const std::span<const std::byte> blanks = of.bytes(blank);
  auto blank_cells = [&](std::size_t begin, std::size_t end) {
    const auto theirs = of.floats != nullptr ? blanks : blanks.subspan(begin * bytes, (end - begin) * bytes);
    return is_blank(of, raw.subspan(begin * numbers, (end - begin) * numbers), theirs);
  };
  const std::size_t step = std::max<std::size_t>(1, kPiece / bytes);
  for (std::size_t begin = 0; begin < has.size(); begin += step) {
    const std::size_t end = std::min(begin + step, has.size());
    next(file, array, std::as_writable_bytes(raw.subspan(begin * numbers, (end - begin) * numbers)));
    for (std::size_t cell = begin; cell < end;) {
      const std::size_t start = cell;
      cell = next_that(has, 1, start, end);
      if (!blank_cells(start, cell)) {
        for (std::size_t one = start; one < cell; ++one) has[one] = blank_cells(one, one + 1) ? 0 : 1;
      }
      cell = next_that(has, 0, cell, end);
    }
  }
}

PartCells ResultsReader::read(CellRange cells, const Results& blank, CellBuffer& buffer) {
  buffer.filled.clear();
  if (whole_) {
    buffer.filled.push_back(cells);
    return {*whole_, 0, path_};
  }
  const std::size_t count = cells.end - cells.begin;
  buffer.has.assign(count, 0);
  std::vector<std::span<float>> raw;
  std::size_t numbers = 0;
  for (const FileArray& array : arrays()) numbers += count * array.elements * array.size;
  if (buffer.raw.size() < numbers) buffer.raw.resize(numbers);
  numbers = 0;
  for (const FileArray& array : arrays()) {
    raw.push_back(std::span(buffer.raw).subspan(numbers, count * array.elements * array.size));
    numbers += raw.back().size();
  }
  {
    const InputFile file(path_);
    expect_unchanged(file);
    for (std::size_t i = 0; i < raw.size(); ++i) find_filled(file, i, blank, raw[i], buffer.has);
  }
  Results& results = buffer.results;
  if (results.status.size() != blank.status.size()) {
    results.sweep = config().sweep;
    clear_cells(results, cells.begin, count);
  }
  const PartCells part{results, cells.begin, path_};
  for (std::size_t cell = 0; (cell = next_that(buffer.has, 1, cell, count)) < count;) {
    const std::size_t begin = cell;
    cell = next_that(buffer.has, 0, begin, count);
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const std::size_t width = arrays()[i].elements * arrays()[i].size;
      unpack_cells(arrays()[i], std::as_bytes(raw[i].subspan(begin * width, (cell - begin) * width)), results, begin);
    }
    gather_models(results, cells.begin, {begin, cell});
    const CellRange run{cells.begin + begin, cells.begin + cell};
    check_cells(results, grid(), cells.begin, run.begin, run.end, path_);
    buffer.filled.push_back(run);
  }
  return part;
}

Results ResultsReader::load() {
  if (whole_) return std::move(*whole_);
  Results results = with_origin(config()), blank;
  blank.sweep = config().sweep;
  CellBuffer buffer;
  const std::size_t step = cells_of_block(arrays());
  try {
    for (std::size_t begin = 0; begin < grid().cells(); begin += step) {
      const CellRange block{begin, std::min(begin + step, grid().cells())};
      clear_cells(blank, begin, block.end - begin);
      const PartCells cells = read(block, blank, buffer);
      for (const CellRange& filled : buffer.filled) take_cells(cells, {results, 0}, filled);
    }
  } catch (const InputError&) {
    finish();  // where the file is damaged, that is what is wrong
    throw;
  }
  finish();
  return results;
}

void ResultsReader::finish() {
  if (whole_) return;
  const InputFile file(path_);
  expect_unchanged(file);
  std::vector<std::byte> piece;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    Place& place = places_[i];
    while (place.at < place.end) {
      piece.resize(std::min<std::uint64_t>(kPiece, place.end - place.at));
      next(file, i, piece);
    }
    if (place.sum == place.whole_sum) continue;
    throw InputError(fmt::format("{}: '{}' cannot be read: the file is damaged", path_, arrays()[i].key));
  }
}

std::int64_t ResultsReader::models_done() const {
  if (whole_) return whole_->models_done();
  const auto status = std::ranges::find(arrays(), "status", &FileArray::key);
  const Place& place = places_[static_cast<std::size_t>(status - arrays().begin())];
  const InputFile file(path_);
  expect_unchanged(file);
  std::vector<std::int32_t> piece;
  std::int64_t done = 0;
  for (std::uint64_t at = place.at; at < place.end; at += piece.size() * sizeof(std::int32_t)) {
    piece.resize(std::min<std::uint64_t>(kPiece, place.end - at) / sizeof(std::int32_t));
    if (!file.read(at, std::as_writable_bytes(std::span(piece)))) return 0;
    done += std::ranges::count_if(piece, [](std::int32_t one) { return one >= kTrained; });
  }
  return done;
}

}  // namespace phasegrid
