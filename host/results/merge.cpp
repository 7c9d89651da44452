#include "phasegrid/merge.hpp"

#include <fmt/format.h>

#include "merge_cells.hpp"
#include "phasegrid/error.hpp"
#include "results_check.hpp"

namespace phasegrid {

void Merger::add(const Results& part, const std::string& name) {
  // Everything that can be wrong, before anything is changed.
  check_results(part, name);
  const PartCells cells{part, 0, name};
  const CellRange all{0, part.cells()};
  if (first_name_.empty()) {
    merged_ = Results(part.sweep);
    merged_.made_by = part.made_by;
    merged_.bits = part.bits;
    first_name_ = name;
  } else {
    expect_one_training({merged_.sweep, merged_.made_by, merged_.bits, first_name_},
                        {part.sweep, part.made_by, part.bits, name});
    expect_agreement(cells, merged_, 0, all);
  }
  // A part without a model says nothing about what trained them.
  if (take_cells(cells, {merged_, 0}, all)) devices_.insert(part.device);
  merged_.device = joined(devices_);
}

const Results& Merger::results() const {
  if (first_name_.empty()) throw InputError("merge needs at least one part");
  return merged_;
}

Results merge_results(std::span<const Results> parts) {
  Merger merger;
  for (std::size_t i = 0; i < parts.size(); ++i) merger.add(parts[i], fmt::format("part {}", i + 1));
  return merger.results();
}

}  // namespace phasegrid
