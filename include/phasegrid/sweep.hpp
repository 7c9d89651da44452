// A sweep: one architecture, its training settings, and the axes whose product is the phase diagram.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "phasegrid/shape.hpp"

namespace phasegrid {

// How the weighted squared error is averaged: over batch and features, or over the batch and summed over features.
enum class Loss { mean, sum };

// By which loss the restarts of a cell are compared: that of the last training batch (the authors' choice), or that of
// a fresh batch of 16,384 samples, the same for all restarts of the cell.
enum class Keep { last_batch, evaluation };

// Settings of one training run. Defaults are those of the paper's Figure 4.
struct TrainSettings {
  int steps = 5000;              // >= 1
  int batch = 512;               // samples a step, 1 .. 16,777,216
  double learning_rate = 1e-3;   // >= 0
  double weight_decay = 0.01;    // >= 0, decoupled (AdamW), on every parameter
  double load_balance = 0.01;    // alpha >= 0; 0 turns the load-balance loss off
  Loss loss = Loss::mean;
  Keep keep = Keep::last_batch;

  friend bool operator==(const TrainSettings&, const TrainSettings&) = default;
};

// The input distribution: each feature is 0 with probability `sparsity`, else uniform in [0,1).
struct DataSettings {
  std::optional<double> sparsity;         // S in [0,1); needed here unless it is an axis
  std::vector<double> importance;         // I_f >= 0, length n; empty means uniform (all 1)
  std::optional<double> last_importance;  // replaces the last entry of `importance`

  friend bool operator==(const DataSettings&, const DataSettings&) = default;
};

// Everything that can stand under [axes].
enum class AxisName { sparsity, last_importance, steps, batch, learning_rate, weight_decay, load_balance };
constexpr int kAxisNames = 7;
std::string_view to_string(AxisName name);

struct Axis {
  AxisName name;
  std::vector<double> values;  // at least one

  friend bool operator==(const Axis&, const Axis&) = default;
};

// start, start + step, ... up to stop (included when a whole number of steps reaches it, to 1e-9 of a step).
// Throws InputError where start, stop or step is not finite, step is not above 0, or stop < start.
std::vector<double> range(double start, double stop, double step);

struct Sweep {
  std::string name = "sweep";
  int restarts = 10;        // models a cell, >= 1
  std::uint64_t seed = 0;
  Shape shape;
  DataSettings data;
  TrainSettings train;
  std::vector<Axis> axes;   // any order; cells are laid out in the order of AxisName

  // Throws InputError, naming the key and what is allowed, unless every setting is usable.
  void check() const;
};

// One cell of a checked sweep: all its settings with the axes put in.
struct Cell {
  double sparsity = 0;
  std::vector<double> importance;  // [n]
  TrainSettings train;
};

// The grid of a sweep, row-major in the order of AxisName; sparsity and last_importance always are the first two
// dimensions, of extent 1 where they are no axis.
class Grid {
 public:
  explicit Grid(const Sweep& sweep);

  struct Dimension {
    AxisName name;
    std::vector<double> values;
  };
  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  std::vector<std::size_t> extents() const;
  std::size_t cells() const { return cells_; }

  // Settings of cell i, 0 <= i < cells().
  Cell cell(std::size_t i) const;

 private:
  DataSettings data_;
  TrainSettings train_;
  int n_features_;
  std::vector<Dimension> dimensions_;
  std::size_t cells_ = 1;
};

}  // namespace phasegrid
