// A sweep: one architecture, its training settings, and the axes whose product is the phase diagram.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "phasegrid/choices.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid {

// How the weighted squared error is averaged: over batch and features, or over the batch and summed over features.
enum class Loss { mean, sum };

// By which training loss (losses.hpp) the restarts of a cell are compared: that of the last training batch (the
// authors' choice), or that of a fresh batch of 16,384 samples, the same for all restarts of the cell. On its last
// batch a restart may just be lucky, and at high sparsity the luckiest one is often one that learned less.
// `all` compares by the fresh batch too, and hands over every restart's parameters beside the kept one's.
enum class Keep { last_batch, evaluation, all, training_state };
// Whether results hold the parameters of every restart; and the optimiser's moments, from which training can go on.
constexpr bool keeps_all(Keep keep) { return keep == Keep::all || keep == Keep::training_state; }
constexpr bool keeps_moments(Keep keep) { return keep == Keep::training_state; }

// Settings of one training run. Defaults are those of the paper's Figure 4, but for load_balance (0.01 there) and keep
// (last_batch there): what was chosen to repeat its authors' run stands in experiments/*.toml.
struct TrainSettings {
  int steps = 5000;             // >= 0; 0 trains nothing, and losses are those of the initial models
  int batch = 512;              // samples a step, 1 .. 16,777,216
  double learning_rate = 1e-3;  // >= 0
  double weight_decay = 0.01;   // >= -1, which pulls norms up; decoupled with AdamW, L2 with Adam and SGD
  double load_balance = 0;      // alpha >= 0 of the load-balance loss, of mixtures (E > 1) alone; 0: none
  Loss loss = Loss::mean;
  Keep keep = Keep::evaluation;
  Schedule schedule = Schedule::constant;
  double drop_below = 0;     // the learning rate falls, once, when a batch's loss is below this; 0: never
  double drop_factor = 0.1;  // by this factor
  double stop_below = 0;     // training ends, before the step, when a batch's loss is below this; 0: never
  // Steps after which losses and parameters are kept (0: the initial model), ascending, each from 0 to the smallest
  // number of steps of the sweep.
  std::vector<int> snapshots = {};
  int warmup = 0;    // the first steps have factor (t + 1) / warmup in place of the schedule's
  double floor = 0;  // 0 .. 1, share of the rate at which the schedule ends: floor + (1 - floor) factor
  Optimizer optimizer = Optimizer::adamw;
  double beta1 = 0.9, beta2 = 0.999;  // of AdamW and Adam, 0 .. 0.99999
  double epsilon = 1e-8;              // of AdamW and Adam, > 0
  double momentum = 0;                // of SGD, from 0 to below 1
  DecayOn weight_decay_on = DecayOn::all;
  int loss_power = 2;  // I_f |x'_f - target_f|^power: 2, 4, 6 or 8
  BalanceOver load_balance_over = BalanceOver::all;

  friend bool operator==(const TrainSettings&, const TrainSettings&) = default;
};

// Where importances come from: a list; ratio^f of feature f from 0; or those numbers in one random order, drawn from
// the sweep's seed and so shared by all its models.
enum class ImportanceRule { list, geometric, shuffled_geometric };

// What else lies behind the inputs and their targets. Source: the field's toy models; definitions in
// experiments/README.md.
struct InputSettings {
  ValueLaw values = ValueLaw::uniform;    // of a present feature
  double value_low = 0, value_high = 1;   // of the uniform law: [low, high), or that number where both are equal
  PresenceLaw presence = PresenceLaw::independent;
  int group_size = 0;                     // correlated and anticorrelated: features of a block, which divide n
  int active = 0;                         // PresenceLaw::active: so many of the n features are present
  Target target = Target::identity;
  int samples = 0;                        // of a fixed data set, drawn once for a cell; 0: always fresh ones
  SharedData shared = SharedData::none;

  friend bool operator==(const InputSettings&, const InputSettings&) = default;
};

// Probabilities of presence p_i = min(1, c i^-power), i from 1, with c such that they sum to `active`.
struct PowerLaw {
  double power = 0, active = 1;
  friend bool operator==(const PowerLaw&, const PowerLaw&) = default;
};

// 1 - p_i of every feature.
std::vector<double> power_law_sparsities(const PowerLaw& law, int n_features);

// The input distribution: each feature is 0 with probability `sparsity`, else uniform in [0,1), or as `inputs` says.
struct DataSettings {
  std::optional<double> sparsity;        // S in [0,1); needed here, or as one number a feature, unless it is an axis
  std::vector<double> feature_sparsity;  // S_f in [0,1), length n; empty means that all have `sparsity`
  ImportanceRule importance_rule = ImportanceRule::list;
  std::vector<double> importance;         // rule list: I_f >= 0, length n; empty means uniform (all 1)
  double importance_ratio = 1;            // the other rules: above 0, at most 1
  std::optional<double> last_importance;  // replaces the last importance
  std::optional<PowerLaw> sparsity_power;  // in place of sparsity
  InputSettings inputs;

  friend bool operator==(const DataSettings&, const DataSettings&) = default;
};

struct InitSettings {
  RouterInit router = RouterInit::xavier;
  BiasInit bias = BiasInit::xavier;
  double bias_spread = 0;  // BiasInit::normal: standard deviation
  WeightInit weights = WeightInit::xavier;
  double weight_spread = 0;  // WeightInit::normal: standard deviation, of encoders and decoders
  DecoderInit decoder = DecoderInit::independent;
  std::string from;  // a results file at whose kept models training starts: of the same grid, or of one cell for all

  friend bool operator==(const InitSettings&, const InitSettings&) = default;
};

// Everything that can stand under [axes], in the order of the grid's dimensions. A seed is added to the sweep's, so that
// independent repetitions can be cells, each with its own kept model; it stays the last one.
enum class AxisName {
  sparsity,
  last_importance,
  active,
  samples,
  n_hidden,
  n_experts,
  top_k,
  steps,
  batch,
  learning_rate,
  weight_decay,
  load_balance,
  beta1,
  beta2,
  epsilon,
  momentum,
  loss_power,
  warmup,
  floor,
  seed
};
constexpr int kAxisNames = static_cast<int>(AxisName::seed) + 1;
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
  int restarts = 10;  // models a cell, >= 1
  std::uint64_t seed = 0;
  Shape shape;
  DataSettings data;
  InitSettings init;
  TrainSettings train;
  // In any order; cells are laid out in the order of AxisName. Axes of n_hidden, n_experts and top_k give cells models of
  // their own shape; where top_k is larger than n_experts there is no model (status kNoModel).
  std::vector<Axis> axes;

  // Throws InputError, naming the key and what is allowed, unless every setting is usable.
  void check() const;
  // The shape of the models of a cell: `shape` where no axis changes it.
  Shape shape_of(std::size_t cell) const;
};

// One cell of a checked sweep: all its settings with the axes put in.
struct Cell {
  std::uint64_t seed = 0;
  Shape shape;
  std::vector<double> sparsity;    // [n]
  std::vector<double> importance;  // [n]
  InputSettings inputs;
  InitSettings init;
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

  // The value of an axis in cell i; none where it is no axis.
  std::optional<double> value(std::size_t i, AxisName name) const;
  // Settings of cell i, 0 <= i < cells().
  Cell cell(std::size_t i) const;

 private:
  Cell base_;  // what no axis changes
  std::vector<Dimension> dimensions_;
  std::size_t cells_ = 1;
};

}  // namespace phasegrid
