// From a sweep to what a backend trains: the cells as the step sees them, and the list of models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "block/layout.hpp"
#include "common/job.hpp"
#include "phasegrid/results.hpp"
#include "phasegrid/shard.hpp"
#include "phasegrid/sweep.hpp"

namespace phasegrid {

// How a model is mapped to the machine: kept whole in the registers of one warp or thread, or trained by one block of
// threads, a tile of the batch at a time.
enum class Mapping { tiny, block };

// A pair of AdamW's or Adam's constants.
struct Betas {
  double first = 0.9, second = 0.999;
  friend bool operator==(const Betas&, const Betas&) = default;
};

// Where a pair stands in a list, which takes it where it is new.
std::int32_t place_of(std::vector<Betas>& list, const Betas& betas);

// Models that one kernel can train together, as it sees them.
struct PlannedModels {
  Shape shape;
  Mapping mapping = Mapping::tiny;
  bool load_balance = false;              // in any cell
  bool plain = true;                      // mapping block: every model is the paper's (is_plain)
  int largest_batch = 1, most_steps = 1;  // of any cell
  std::vector<CellSettings> cells;
  std::vector<FeatureSettings> features;  // [cells][n], mapping block
  std::vector<Betas> betas;               // that cells name
  std::vector<float> initial;             // [cells][parameter_count] that models start at; empty: at random numbers
  std::vector<std::int32_t> snapshots;    // steps, ascending
  std::vector<ModelId> models;            // those still to train
  // Steps that each of `models` has behind it (0: none), and [1 + kOptimiserStates][parameter_count] of where it goes on;
  // both empty where none has any.
  std::vector<std::int32_t> first_steps;
  std::vector<float> begun;
  bool keeps_moments = false;             // results have the optimiser's states
};

// A sweep, or its part of one shape, on its way to a backend. It is made once; shares, the memory check and backends read
// it.
struct PlannedSweep : PlannedModels {
  // What follows from shape, settings and axes of a checked sweep without shape axes: everything but cells, features and
  // models, which may be large.
  explicit PlannedSweep(const Sweep& sweep);

  // Puts the axes into every cell: `cells` and `features`.
  void expand();
  // Takes the models that training starts at out of those of the whole sweep [cells][stored].
  void start_at(std::span<const float> whole);
  // Lists in `models` those that have no `status` yet ([cell][restart]) and whose cell is `mine` ([cell]), both of the
  // whole sweep.
  void choose_models(std::span<const std::int32_t> status, const std::vector<bool>& mine);
  // Lets those models go on that are trained in results of the same sweep with fewer steps.
  void go_on_from(const Results& shorter);

  // About what a model of a cell costs; before expand(), too.
  double work(std::size_t cell) const;

  // A cell's place in the whole sweep.
  std::size_t cell_in_sweep(std::size_t cell) const { return cells_in_sweep.empty() ? cell : cells_in_sweep[cell]; }

  std::size_t sweep = 0;                    // whose part this is, of those that are planned together
  std::vector<std::size_t> cells_in_sweep;  // of each cell; empty: the same
  std::size_t stored;                       // parameters that results have room for in every cell
  Grid grid;
  int restarts;
  Keep keep;
  bool on_gpu = false;        // who trains it
  bool starts_given;          // models start at those of a file
  BlockLayout layout{};       // mapping block: as the CPU lays a model out
  std::size_t workspace = 0;  // floats that a CPU thread needs to train a model

 private:
  int steps_, batch_;  // where they are no axis
};

// The parts of one shape of checked sweeps, in the order of the sweeps.
std::vector<PlannedSweep> plan_sweeps(std::span<const Sweep> sweeps);

// Whether a model is the paper's own, for which a GPU's block mapping has a kernel: features that are present alone and
// uniform, linear hidden units, ReLU outputs, tied weights, biases, and squared errors.
bool is_plain(const Shape& shape, const Cell& cell);

// The planner's choice: tiny where it is compiled for the shape and all features are present alike.
Mapping mapping_of(const Shape& shape, const Cell& cell);

// Samples of a tile on the CPU: enough entries an expert to reuse its weights, and no more than the second-level cache
// holds.
int cpu_tile(const Shape& shape, int batch);

// How the CPU lays out models of the block mapping, none of which trains on larger batches, and the floats that a thread
// needs for one.
BlockLayout cpu_layout(const Shape& shape, int largest_batch, Keep keep, bool load_balance);
std::size_t workspace_floats(const BlockLayout& layout);

// One cell's settings as the step sees them, its Philox key included. The key depends on the seed and on what the step
// sees, in float32: not on the cell's place in a grid, the number of steps or restarts, the kind of router or schedule,
// so a sub-grid or a longer training repeats the numbers of another, and routers are compared on equal data.
CellSettings cell_settings(const Shape& shape, const Cell& cell);
std::vector<FeatureSettings> feature_settings(const Shape& shape, const Cell& cell);

// About what one model costs, in tenths of a nanosecond on one core: for progress, and for shards of equal work.
double model_work(const Shape& shape, Mapping mapping, int steps, int batch);

// The cells of a shard, as the function of that name in shard.hpp, of sweeps and of their parts.
std::vector<std::vector<bool>> shard_cells(std::span<const Sweep> sweeps, std::span<const PlannedSweep> parts,
                                           const Shard& shard);

// Bias corrections for steps 1 .. steps; and, for all pairs of betas of some models, tables of one length one after the
// other, beyond which all corrections are 1 in float32.
std::vector<BiasCorrection> bias_corrections(int steps, const Betas& betas = {});
struct CorrectionTables {
  std::vector<BiasCorrection> numbers;  // [betas][length]
  std::size_t length = 0;
};
CorrectionTables correction_tables(const PlannedModels& planned);

}  // namespace phasegrid
