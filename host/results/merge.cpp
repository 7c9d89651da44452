#include "phasegrid/merge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "sweep/config_json.hpp"
#include "phasegrid/error.hpp"
#include "restart_arrays.hpp"
#include "results_check.hpp"

namespace phasegrid {
namespace {

// `count` numbers of a model or cell, the i-th.
std::span<const float> row(const std::vector<float>& values, std::size_t i, std::size_t count) {
  return std::span(values).subspan(i * count, count);
}
void copy_row(const std::vector<float>& from, std::vector<float>& to, std::size_t i, std::size_t count) {
  std::ranges::copy(row(from, i, count), to.begin() + static_cast<std::ptrdiff_t>(i * count));
}

// Bit for bit, so that a NaN equals itself.
bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

// What every cell and model of a sweep takes in the arrays.
struct Sizes {
  std::size_t restarts, parameters, shots;
  explicit Sizes(const Sweep& sweep)
      : restarts(static_cast<std::size_t>(sweep.restarts)),
        parameters(static_cast<std::size_t>(sweep.shape.parameter_count())),
        shots(sweep.train.snapshots.size()) {}
};

// One name as it stands; several as a list of all, each once, which merging again does not change.
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

}  // namespace

// Everything that can be wrong, before anything is changed.
void Merger::check(const Results& part, const std::string& name) const {
  check_results(part, name);
  if (first_name_.empty()) return;
  if (const std::string difference = first_difference(merged_.sweep, part.sweep); !difference.empty()) {
    throw InputError(fmt::format("{}: is of another sweep than {}: {}", name, first_name_, difference));
  }
  if (part.bits != merged_.bits) {
    throw InputError(fmt::format("{}: {}, and {} {}: their numbers are not of one training", name, maker_of(part), first_name_,
                                 maker_of(merged_)));
  }
  const Sizes sizes(part.sweep);
  for (std::size_t model = 0; model < part.status.size(); ++model) {
    if (part.status[model] < kTrained || merged_.status[model] < kTrained) continue;
    auto same = [&](auto Results::*numbers, std::size_t width) {
      return same_bits(row(part.*numbers, model, width), row(merged_.*numbers, model, width));
    };
    if (part.status[model] == merged_.status[model] && same(&Results::all_losses, 1) &&
        same(&Results::all_reconstruction_losses, 1) && same(&Results::snapshot_losses, sizes.shots) &&
        same(&Results::snapshot_reconstruction_losses, sizes.shots)) {
      const bool of_model = std::ranges::all_of(restart_arrays(part.sweep.train.keep), [&](const RestartArray& array) {
        return same(array.numbers, sizes.parameters);
      });
      if (of_model) continue;
      throw InputError(fmt::format("{}: contradicts what was merged before it: restart {} of {} has other parameters",
                                   name, model % sizes.restarts, cell_name(part.sweep, model / sizes.restarts)));
    }
    throw InputError(
        fmt::format("{}: contradicts what was merged before it: restart {} of {} has another loss ({} here, "
                    "{} there)",
                    name, model % sizes.restarts, cell_name(part.sweep, model / sizes.restarts), part.all_losses[model],
                    merged_.all_losses[model]));
  }
  for (std::size_t cell = 0; cell < part.cells(); ++cell) {
    if (part.kept[cell] < 0 || part.kept[cell] != merged_.kept[cell]) continue;
    const std::size_t shots = sizes.shots * sizes.parameters;
    if (same_bits(row(part.parameters, cell, sizes.parameters), row(merged_.parameters, cell, sizes.parameters)) &&
        same_bits(row(part.snapshot_parameters, cell, shots), row(merged_.snapshot_parameters, cell, shots))) {
      continue;
    }
    throw InputError(fmt::format("{}: contradicts what was merged before it: {} keeps restart {} with other parameters",
                                 name, cell_name(part.sweep, cell), part.kept[cell]));
  }
}

void Merger::add(const Results& part, const std::string& name) {
  check(part, name);
  if (first_name_.empty()) {
    merged_ = Results(part.sweep);
    merged_.made_by = part.made_by;
    merged_.bits = part.bits;
    first_name_ = name;
  }
  const Sizes sizes(part.sweep);
  for (std::size_t model = 0; model < part.status.size(); ++model) {
    if (part.status[model] < kTrained) continue;
    merged_.status[model] = part.status[model];
    merged_.all_losses[model] = part.all_losses[model];
    merged_.all_reconstruction_losses[model] = part.all_reconstruction_losses[model];
    for (const auto& [prefix, numbers] : restart_arrays(part.sweep.train.keep)) {
      copy_row(part.*numbers, merged_.*numbers, model, sizes.parameters);
    }
    copy_row(part.snapshot_losses, merged_.snapshot_losses, model, sizes.shots);
    copy_row(part.snapshot_reconstruction_losses, merged_.snapshot_reconstruction_losses, model, sizes.shots);
  }
  for (std::size_t cell = 0; cell < part.cells(); ++cell) {
    if (part.kept[cell] < 0) continue;
    // As Results::take: the lowest loss, and of equal ones the lowest restart.
    const float loss = part.final_losses[cell], best = merged_.final_losses[cell];
    const bool better = merged_.kept[cell] < 0 || loss < best || (loss == best && part.kept[cell] < merged_.kept[cell]);
    if (!better) continue;
    merged_.kept[cell] = part.kept[cell];
    merged_.final_losses[cell] = loss;
    merged_.reconstruction_losses[cell] = part.reconstruction_losses[cell];
    copy_row(part.parameters, merged_.parameters, cell, sizes.parameters);
    copy_row(part.snapshot_parameters, merged_.snapshot_parameters, cell, sizes.shots * sizes.parameters);
  }
  // A part without a model says nothing about what trained them.
  if (std::ranges::any_of(part.status, [](std::int32_t status) { return status >= kTrained; })) {
    devices_.insert(part.device);
  }
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
