// How results lie in a file: its arrays and what they must be, and cells as they lie there and in memory.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "merge_cells.hpp"
#include "npz.hpp"
#include "result_arrays.hpp"
#include "sweep/config_json.hpp"

namespace phasegrid {

// An array of a file: one of kResultArrays, or one kind of the parameters in it.
struct FileArray {
  std::string key;
  const ResultArray* of;
  std::optional<Part> part;  // of a model's parameters
  std::vector<std::size_t> shape;
  std::size_t elements;  // of a cell
  std::size_t size;      // numbers of each

  std::size_t cell_bytes() const { return elements * size * sizeof(float); }
  const char* type() const { return of->floats != nullptr ? "<f4" : "<i4"; }
};
// Those of a sweep, in their order.
std::vector<FileArray> file_arrays(const Sweep& sweep);

// How many cells are read or merged at a time, so that all of their arrays take about so many bytes.
constexpr std::size_t kBlockBytes = std::size_t{4} << 20;
std::size_t cells_of_block(const std::vector<FileArray>& arrays, std::size_t bytes = kBlockBytes);

// An array's numbers of some cells, by their places in results, which hold those from `first` on: as they lie in the file.
void pack_cells(const FileArray& array, const Results& results, std::size_t first, CellRange places,
                std::span<std::byte> to);
// The reverse, of some cells: into results from the place `to_cell` in their arrays on. Behind it models are laid out
// as the largest is, until gather_models() of these cells, by their places, makes each its own.
void unpack_cells(const FileArray& array, std::span<const std::byte> from, Results& results, std::size_t to_cell);
void gather_models(Results& results, std::size_t first, CellRange places);

// The entries of a file of this config, in their order; `numbers` reads the arrays of the results.
std::vector<NpzEntry> results_entries(const Sweep& sweep, const std::string& config,
                                      const std::function<NpzRead(const FileArray&)>& numbers);

// Throws InputError where a file has no config, or none of ours.
std::string config_text(const NpzFile& file);
Config parsed_config(const NpzFile& file, const std::string& text);
// Throws InputError unless a file has all arrays of a sweep, each of the right shape, and the sweep's values on its
// axes.
void expect_arrays(const NpzFile& file, const Sweep& sweep);
// Throws InputError where there is no such file, but one that an interrupted training left.
void expect_no_partial_of(const std::string& path);

}  // namespace phasegrid
