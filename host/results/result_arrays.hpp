// The arrays of Results, one for all that goes over them: making, checking, merging, files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "phasegrid/results.hpp"

namespace phasegrid {

// An array has rows, one a cell or one a model (cell and restart), and a row holds so many elements: losses and the
// like, or models' parameters. Every number takes four bytes.
struct ResultArray {
  enum class Of { cell, model };
  enum class Given {
    always,
    with_every_restart,  // keeps_all()
    with_moments,        // keeps_moments()
    each_snapshot        // as many elements as there are snapshots
  };

  std::string_view key;  // in files; of parameters, what their parts' names begin with there
  std::vector<float> Results::*floats = nullptr;
  std::vector<std::int32_t> Results::*integers = nullptr;  // one of both
  Of of = Of::cell;
  Given given = Given::always;
  bool parameters = false;

  std::size_t rows(const Sweep& sweep) const;      // of a cell
  std::size_t elements(const Sweep& sweep) const;  // of a row; 0: results of this sweep have none
  std::size_t width(const Sweep& sweep) const;     // numbers of a row
  std::size_t cell_numbers(const Sweep& sweep) const { return rows(sweep) * width(sweep); }

  std::span<std::byte> bytes(Results& results) const;
  std::span<const std::byte> bytes(const Results& results) const;
  std::size_t size(const Results& results) const { return bytes(results).size() / sizeof(float); }
};

// All of them, in the order of files. An array that is added here is made, checked for its size, merged, saved and
// loaded like the others.
inline constexpr ResultArray kResultArrays[] = {
    {.key = "final_losses", .floats = &Results::final_losses},
    {.key = "", .floats = &Results::parameters, .parameters = true},
    {.key = "reconstruction_losses", .floats = &Results::reconstruction_losses},
    {.key = "all_losses", .floats = &Results::all_losses, .of = ResultArray::Of::model},
    {.key = "all_reconstruction_losses", .floats = &Results::all_reconstruction_losses, .of = ResultArray::Of::model},
    {.key = "status", .integers = &Results::status, .of = ResultArray::Of::model},
    {.key = "kept", .integers = &Results::kept},
    {.key = "all_",
     .floats = &Results::all_parameters,
     .of = ResultArray::Of::model,
     .given = ResultArray::Given::with_every_restart,
     .parameters = true},
    {.key = "first_moment_",
     .floats = &Results::first_moments,
     .of = ResultArray::Of::model,
     .given = ResultArray::Given::with_moments,
     .parameters = true},
    {.key = "second_moment_",
     .floats = &Results::second_moments,
     .of = ResultArray::Of::model,
     .given = ResultArray::Given::with_moments,
     .parameters = true},
    {.key = "snapshot_losses",
     .floats = &Results::snapshot_losses,
     .of = ResultArray::Of::model,
     .given = ResultArray::Given::each_snapshot},
    {.key = "snapshot_reconstruction_losses",
     .floats = &Results::snapshot_reconstruction_losses,
     .of = ResultArray::Of::model,
     .given = ResultArray::Given::each_snapshot},
    {.key = "snapshot_",
     .floats = &Results::snapshot_parameters,
     .given = ResultArray::Given::each_snapshot,
     .parameters = true},
};

// Makes the arrays of results those of `cells` cells from `first` on, with nothing trained: NaN and -1, or kNoModel.
// Their memory is used again.
void clear_cells(Results& results, std::size_t first, std::size_t cells);

}  // namespace phasegrid
