#include "merge_cells.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "phasegrid/error.hpp"
#include "result_arrays.hpp"
#include "results_check.hpp"
#include "sweep/settings.hpp"

namespace phasegrid {
namespace {

using Of = ResultArray::Of;

// A part's cells and those that are merged: row i of the part, of a cell or model, is row i + shift of the merged.
class Rows {
 public:
  Rows(const PartCells& part, std::size_t merged_first, CellRange cells)
      : restarts_(static_cast<std::size_t>(part.results.sweep.restarts)),
        begin_(cells.begin - part.first),
        end_(cells.end - part.first),
        merged_begin_(cells.begin - merged_first) {}

  std::size_t per_cell(Of of) const { return of == Of::model ? restarts_ : 1; }
  std::size_t begin(Of of) const { return begin_ * per_cell(of); }
  std::size_t end(Of of) const { return end_ * per_cell(of); }
  std::size_t merged(Of of, std::size_t row) const { return row - begin(of) + merged_begin_ * per_cell(of); }

 private:
  std::size_t restarts_, begin_, end_, merged_begin_;
};

// Bit for bit, so that a NaN equals itself.
bool same_row(const ResultArray& array, const Results& a, std::size_t row_a, const Results& b, std::size_t row_b) {
  const std::size_t size = array.width(a.sweep) * sizeof(float);
  return size == 0 ||
         std::memcmp(array.bytes(a).data() + row_a * size, array.bytes(b).data() + row_b * size, size) == 0;
}

// Whether rows are the same in all arrays of cells or models that hold parameters, or in those that hold none.
bool same_rows(Of of, bool parameters, const Results& a, std::size_t row_a, const Results& b, std::size_t row_b) {
  return std::ranges::all_of(kResultArrays, [&](const ResultArray& array) {
    return array.of != of || array.parameters != parameters || same_row(array, a, row_a, b, row_b);
  });
}

void copy_rows(Of of, const Results& from, std::size_t row, std::size_t count, Results& to, std::size_t to_row) {
  for (const ResultArray& array : kResultArrays) {
    const std::size_t size = array.width(from.sweep) * sizeof(float);
    if (array.of != of || size == 0) continue;
    std::memcpy(array.bytes(to).data() + to_row * size, array.bytes(from).data() + row * size, count * size);
  }
}

// take(row, count) for each run of rows of which `wanted` holds.
template <class Wanted, class Take>
void each_run(std::size_t begin, std::size_t end, Wanted&& wanted, Take&& take) {
  for (std::size_t row = begin; row < end;) {
    const std::size_t start = row;
    while (row < end && wanted(row)) ++row;
    if (row > start) take(start, row - start);
    while (row < end && !wanted(row)) ++row;
  }
}

}  // namespace

void expect_one_training(const Origin& first, const Origin& part) {
  const bool shared = &first.sweep == &part.sweep;
  if (const auto difference = shared ? "" : first_difference(first.sweep, part.sweep); !difference.empty()) {
    throw InputError(fmt::format("{}: is of another sweep than {}: {}", part.name, first.name, difference));
  }
  if (part.bits != first.bits) {
    throw InputError(fmt::format("{}: {}, and {} {}: their numbers are not of one training", part.name,
                                 maker_of(part.made_by, part.bits), first.name, maker_of(first.made_by, first.bits)));
  }
}

void expect_agreement(const PartCells& part, const Results& merged, std::size_t merged_first, CellRange cells) {
  const Results& from = part.results;
  const Rows rows(part, merged_first, cells);
  auto refuse = [&](const std::string& sentence) {
    throw InputError(fmt::format("{}: contradicts what was merged before it: {}", part.name, sentence));
  };
  auto name_of = [&](std::size_t cell) { return cell_name(from.sweep, part.first + cell); };
  for (std::size_t model = rows.begin(Of::model); model < rows.end(Of::model); ++model) {
    const std::size_t ours = rows.merged(Of::model, model);
    if (from.status[model] < kTrained || merged.status[ours] < kTrained) continue;
    const std::size_t cell = model / rows.per_cell(Of::model), restart = model % rows.per_cell(Of::model);
    if (!same_rows(Of::model, false, from, model, merged, ours)) {
      refuse(fmt::format("restart {} of {} has another loss ({} here, {} there)", restart, name_of(cell),
                         from.all_losses[model], merged.all_losses[ours]));
    }
    if (!same_rows(Of::model, true, from, model, merged, ours)) {
      refuse(fmt::format("restart {} of {} has other parameters", restart, name_of(cell)));
    }
  }
  for (std::size_t cell = rows.begin(Of::cell); cell < rows.end(Of::cell); ++cell) {
    const std::size_t ours = rows.merged(Of::cell, cell);
    if (from.kept[cell] < 0 || from.kept[cell] != merged.kept[ours]) continue;
    if (same_rows(Of::cell, true, from, cell, merged, ours)) continue;
    refuse(fmt::format("{} keeps restart {} with other parameters", name_of(cell), from.kept[cell]));
  }
}

bool take_cells(const PartCells& part, const MergedCells& merged, CellRange cells) {
  const Results& from = part.results;
  Results& to = merged.results;
  const Rows rows(part, merged.first, cells);
  bool any = false;
  each_run(
      rows.begin(Of::model), rows.end(Of::model), [&](std::size_t model) { return from.status[model] >= kTrained; },
      [&](std::size_t model, std::size_t count) {
        any = true;
        copy_rows(Of::model, from, model, count, to, rows.merged(Of::model, model));
      });
  // As Results::take: the lowest loss, and of equal ones the lowest restart.
  auto better = [&](std::size_t cell) {
    const std::size_t ours = rows.merged(Of::cell, cell);
    if (from.kept[cell] < 0) return false;
    const float loss = from.final_losses[cell], best = to.final_losses[ours];
    return to.kept[ours] < 0 || loss < best || (loss == best && from.kept[cell] < to.kept[ours]);
  };
  each_run(rows.begin(Of::cell), rows.end(Of::cell), better, [&](std::size_t cell, std::size_t count) {
    copy_rows(Of::cell, from, cell, count, to, rows.merged(Of::cell, cell));
  });
  return any;
}

std::string joined(const std::set<std::string>& devices) {
  if (devices.size() == 1) return *devices.begin();
  std::set<std::string> single;
  for (const std::string& device : devices) {
    for (std::size_t at = 0; at <= device.size();) {
      const std::size_t end = std::min(device.find(", ", at), device.size());
      single.insert(device.substr(at, end - at));
      at = end + 2;
    }
  }
  return fmt::format("{}", fmt::join(single, ", "));
}

}  // namespace phasegrid
