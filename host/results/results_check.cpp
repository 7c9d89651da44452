#include "results_check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "phasegrid/error.hpp"
#include "phasegrid/train.hpp"
#include "result_arrays.hpp"
#include "runs_of_bits.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid {
namespace {

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }
bool is_finite(float a) { return std::isfinite(a); }
bool is_nan(float a) { return std::isnan(a); }

// Looks at cells by their places in the arrays, of which the first is that of cell `first`.
class Check {
 public:
  Check(const Results& results, const Grid& grid, std::size_t first, const std::string& name)
      : results_(results),
        grid_(grid),
        first_(first),
        name_(name),
        shape_(results.sweep.shape),
        restarts_(static_cast<std::size_t>(results.sweep.restarts)),
        parameters_(static_cast<std::size_t>(results.sweep.shape.parameter_count())),
        keeps_all_(keeps_all(results.sweep.train.keep)),
        keeps_moments_(keeps_moments(results.sweep.train.keep)),
        steps_(results.sweep.train.snapshots) {}

  void cells(std::size_t begin, std::size_t end) {
    for (std::size_t cell = begin; cell < end; ++cell) {
      shape_ = results_.shape(first_ + cell);
      const int steps = steps_of(cell);
      for (std::size_t restart = 0; restart < restarts_; ++restart) model(cell, restart, steps);
      kept(cell);
    }
  }

 private:
  [[noreturn]] void refuse(std::size_t cell, std::string_view sentence) const {
    throw InputError(fmt::format("{}: is broken, for no training ends like this: in {}, {}", name_,
                                 cell_name(results_.sweep, first_ + cell), sentence));
  }

  int steps_of(std::size_t cell) const {
    return static_cast<int>(grid_.value(first_ + cell, AxisName::steps).value_or(results_.sweep.train.steps));
  }

  // Losses as the loss of a batch: neither below 0, and the training loss is the other one and something more.
  bool are_losses(float training, float reconstruction) const {
    return is_finite(training) && reconstruction >= 0 && reconstruction <= training &&
           (shape_.n_experts > 1 || same_bits(training, reconstruction));
  }

  void model(std::size_t cell, std::size_t restart, int steps) const {
    const std::size_t at = cell * restarts_ + restart;
    const std::int32_t status = results_.status[at];
    const float training = results_.all_losses[at], reconstruction = results_.all_reconstruction_losses[at];
    auto losses = [&] { return fmt::format("the losses {} and {}", training, reconstruction); };
    if (!has_models(shape_)) {
      if (status == kNoModel && is_nan(training) && is_nan(reconstruction)) return;
      refuse(cell, fmt::format("restart {} has the status {}; there is no model of top_k {} and n_experts {}", restart,
                               status, shape_.top_k, shape_.n_experts));
    }
    if (status < kNotTrained || status > std::max(steps, 1)) {
      refuse(cell, fmt::format("restart {} has the status {}; it must be from -1 to {}", restart, status, steps));
    }
    const bool right = status == kNotTrained ? is_nan(training) && is_nan(reconstruction)
                       : status == kTrained  ? are_losses(training, reconstruction)
                                             : !is_finite(training) && !(training < 0) && !(reconstruction < 0);
    if (!right) {
      const std::string_view needed = status == kNotTrained ? "is not trained, but has"
                                      : status == kTrained  ? "is trained, but has"
                                                            : "diverged, but has";
      refuse(cell, fmt::format("restart {} {} {}", restart, needed, losses()));
    }
    snapshots(cell, restart, status, steps);
  }

  void snapshots(std::size_t cell, std::size_t restart, std::int32_t status, int steps) const {
    const bool stops_early = results_.sweep.train.stop_below > 0;
    bool ended = false;
    for (std::size_t t = 0; t < steps_.size(); ++t) {
      const std::size_t at = (cell * restarts_ + restart) * steps_.size() + t;
      const float training = results_.snapshot_losses[at];
      const float reconstruction = results_.snapshot_reconstruction_losses[at];
      const bool taken = are_losses(training, reconstruction);
      // A snapshot is taken in the step after it, which is counted from 1. After the last step, one more may be taken
      // before the model is found to have diverged.
      const bool before = steps_[t] < status - 1;
      const bool must = !stops_early && (status == kTrained || (status > 0 && before));
      const bool may = status == kTrained || (status > 0 && (before || status == steps));
      const bool absent = is_nan(training) && is_nan(reconstruction);
      if (taken ? ended || !may : must || !absent) {
        refuse(cell, fmt::format("restart {} of status {} has the losses {} and {} in snapshot {}", restart, status,
                                 training, reconstruction, t));
      }
      ended = ended || !taken;
    }
  }

  void kept(std::size_t cell) const {
    int best = -1;
    for (std::size_t restart = 0; restart < restarts_; ++restart) {
      const std::size_t at = cell * restarts_ + restart;
      if (results_.status[at] != kTrained) continue;
      const bool better = best < 0 || results_.all_losses[at] <
                                          results_.all_losses[cell * restarts_ + static_cast<std::size_t>(best)];
      if (better) best = static_cast<int>(restart);
    }
    if (results_.kept[cell] != best) {
      refuse(cell, fmt::format("restart {} is kept, not {}, the trained one of lowest loss", results_.kept[cell], best));
    }
    const std::size_t at = cell * restarts_ + static_cast<std::size_t>(std::max(best, 0));
    const bool has_losses =
        best < 0 ? is_nan(results_.final_losses[cell]) && is_nan(results_.reconstruction_losses[cell])
                 : same_bits(results_.final_losses[cell], results_.all_losses[at]) &&
                       same_bits(results_.reconstruction_losses[cell], results_.all_reconstruction_losses[at]);
    if (!has_losses) {
      refuse(cell, fmt::format("the kept losses, {} and {}, are not those of restart {}", results_.final_losses[cell],
                               results_.reconstruction_losses[cell], best));
    }
    expect_model(cell, best >= 0, results_.parameters, cell, "the kept model");
    if (keeps_all_) every_restart(cell);
    for (std::size_t t = 0; t < steps_.size(); ++t) {
      const bool taken = best >= 0 && is_finite(results_.snapshot_losses[at * steps_.size() + t]);
      expect_model(cell, taken, results_.snapshot_parameters, cell * steps_.size() + t,
                   fmt::format("the kept model's snapshot {}", t));
    }
  }

  // With keep "all" or "training-state": the parameters of every restart that was trained to the end, the kept one's among
  // them, and their moments.
  void every_restart(std::size_t cell) const {
    for (std::size_t restart = 0; restart < restarts_; ++restart) {
      const std::size_t at = cell * restarts_ + restart;
      expect_model(cell, results_.status[at] == kTrained, results_.all_parameters, at, fmt::format("restart {}", restart));
      for (const auto* moments : {&results_.first_moments, &results_.second_moments}) {
        if (!keeps_moments_) break;
        expect_model(cell, results_.status[at] == kTrained, *moments, at, fmt::format("a moment of restart {}", restart));
      }
      if (results_.kept[cell] != static_cast<std::int32_t>(restart)) continue;
      const auto size = static_cast<std::size_t>(shape_.parameter_count());
      const auto ours = std::span(results_.all_parameters).subspan(at * parameters_, size);
      const auto kept = std::span(results_.parameters).subspan(cell * parameters_, size);
      if (std::memcmp(ours.data(), kept.data(), kept.size_bytes()) != 0) {
        refuse(cell, fmt::format("the kept model is not that of restart {}", restart));
      }
    }
  }

  // Parameters are finite where there is a model, and NaN where there is none.
  void expect_model(std::size_t cell, bool there, const std::vector<float>& all, std::size_t at,
                    std::string_view what) const {
    const auto room = std::span(all).subspan(at * parameters_, parameters_);
    const auto size = static_cast<std::size_t>(shape_.parameter_count());
    if ((there ? all_finite(room.first(size)) : all_nan(room.first(size))) && all_nan(room.subspan(size))) return;
    refuse(cell, fmt::format("{} has a parameter that is {}", what,
                             there ? "not finite" : "a number, though there is no such model"));
  }

  const Results& results_;
  const Grid& grid_;
  std::size_t first_;
  const std::string& name_;
  Shape shape_;  // of the cell that is looked at
  std::size_t restarts_, parameters_;
  bool keeps_all_, keeps_moments_;
  const std::vector<int>& steps_;
};

}  // namespace

std::string cell_name(const Sweep& sweep, std::size_t cell) {
  const Grid grid(sweep);
  std::vector<std::string> places;
  for (const Grid::Dimension& dimension : grid.dimensions()) {
    places.push_back(fmt::format("{} {}", to_string(dimension.name), grid.value(cell, dimension.name).value()));
  }
  return fmt::format("cell {} ({})", cell, fmt::join(places, ", "));
}

std::string maker_of(const std::string& made_by, int bits) {
  return fmt::format("was made by phasegrid {} (bits {})", made_by.empty() ? version() : std::string_view(made_by), bits);
}

std::string other_bits(const Results& results) {
  if (results.bits == kBits) return "";
  return fmt::format("{}, whose numbers are others than those of this phasegrid {} (bits {})", maker_of(results.made_by, results.bits),
                     version(), kBits);
}

void check_results(const Results& results, const std::string& name) {
  results.sweep.check();
  const Grid grid(results.sweep);
  const bool right = std::ranges::all_of(kResultArrays, [&](const ResultArray& array) {
    return array.size(results) == grid.cells() * array.cell_numbers(results.sweep);
  });
  if (!right) throw InputError(fmt::format("{}: is broken: its arrays are not of its sweep's size", name));
  Check(results, grid, 0, name).cells(0, grid.cells());
}

void check_cells(const Results& results, const Grid& grid, std::size_t first, std::size_t begin, std::size_t end,
                 const std::string& name) {
  Check(results, grid, first, name).cells(begin - first, end - first);
}

}  // namespace phasegrid
