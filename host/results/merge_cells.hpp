// The rules by which parts of a sweep are put together, for some cells at a time: those of merge_results(), of Merger
// and of files.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "phasegrid/results.hpp"

namespace phasegrid {

// Cells from `begin` to before `end`.
struct CellRange {
  std::size_t begin = 0, end = 0;
};

// Results whose arrays hold the cells from `first` on.
struct PartCells {
  const Results& results;
  std::size_t first;
  const std::string& name;  // in messages
};
struct MergedCells {
  Results& results;
  std::size_t first;
};

// What made the numbers of a part.
struct Origin {
  const Sweep& sweep;
  const std::string& made_by;
  int bits;
  const std::string& name;
};
// Throws InputError where parts are not of one sweep, or their numbers of other versions.
void expect_one_training(const Origin& first, const Origin& part);

// Throws InputError where a part contradicts what was merged.
void expect_agreement(const PartCells& part, const Results& merged, std::size_t merged_first, CellRange cells);
// Takes in what a part has that does not contradict. Returns whether that is a model at all.
bool take_cells(const PartCells& part, const MergedCells& merged, CellRange cells);

// One device as it stands; several as a list of all, each once, which merging again does not change.
std::string joined(const std::set<std::string>& devices);

}  // namespace phasegrid
