// What a trained sweep leaves: losses of every restart, and the kept model of every cell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "phasegrid/identity.hpp"
#include "phasegrid/losses.hpp"
#include "phasegrid/status.hpp"
#include "phasegrid/sweep.hpp"

namespace phasegrid {

// All arrays are row-major; "cell" stands for the grid's dimensions (S, R, further axes). sweep.shape is the largest
// shape of a model in the grid, and P its parameter_count(): a smaller model, where axes change the shape, fills the
// beginning of its P numbers, and NaN stands behind it.
struct Results {
  Sweep sweep;
  std::string device;   // what trained it, e.g. "cpu avx512" or the GPU's name
  std::string made_by;  // by which version of phasegrid; "": this one
  int bits = kBits;     // which numbers that version gives

  // The two losses of losses.hpp, on the batch by which restarts are compared (TrainSettings::keep). NaN where nothing
  // was trained, or no model of the cell has a finite one.
  std::vector<float> reconstruction_losses;      // [cell]: of the kept model; compare models by this one
  std::vector<float> final_losses;               // [cell]: its training loss, the authors' array
  std::vector<float> all_reconstruction_losses;  // [cell][restart]
  std::vector<float> all_losses;                 // [cell][restart]: training losses; the lowest is kept

  std::vector<std::int32_t> status;  // [cell][restart]
  std::vector<std::int32_t> kept;    // [cell]: restart kept, -1 where none
  std::vector<float> parameters;     // [cell][P] of the kept model, laid out as its shape(cell) says; else NaN

  // With Keep::all and Keep::training_state, the parameters of every restart; empty otherwise. NaN where it was not trained or diverged.
  std::vector<float> all_parameters;  // [cell][restart][P]

  // With Keep::training_state, what the optimiser remembers of each of those numbers, so that training can go on: the two
  // moments of AdamW and Adam; SGD's velocity, and zeros.
  std::vector<float> first_moments, second_moments;  // [cell][restart][P]

  // With train.snapshots, of length T, what models were like after so many steps; empty without. Losses are those
  // of the batch which the next step trains on. A training that ended early (train.stop_below) leaves NaN for later
  // steps.
  std::vector<float> snapshot_reconstruction_losses;  // [cell][restart][T]
  std::vector<float> snapshot_losses;                 // [cell][restart][T]: training losses
  std::vector<float> snapshot_parameters;             // [cell][T][P] of the kept model

  // Empty results of a checked sweep: nothing trained.
  explicit Results(const Sweep& sweep);
  Results() = default;

  std::size_t cells() const { return final_losses.size(); }
  std::int64_t models_done() const;   // models that were trained, also those that diverged
  std::int64_t models_total() const;  // those that there are: all but kNoModel
  bool complete() const;              // whether both are equal

  // The shape of a cell's models.
  Shape shape(std::size_t cell) const { return sweep.shape_of(cell); }

  // Kept model of a cell, E and m of its own: W [E][n][m], b [E][n] (empty where models have none), G [E][n].
  std::span<const float> expert_weights(std::size_t cell) const;
  std::span<const float> biases(std::size_t cell) const;
  std::span<const float> router_weights(std::size_t cell) const;
  // The same of snapshot t, 0 <= t < T.
  std::span<const float> snapshot(std::size_t cell, std::size_t t) const;

  // Takes in one finished model. Keeps it when its training loss is finite and the lowest of its cell so far (the
  // lowest restart wins a tie, so the order of calls does not matter). `model` is as long as its shape has
  // parameters, `snapshot_losses` [T], `snapshot_parameters` T times as long; `moments`, with Keep::training_state, the
  // first of every parameter and then the second. Throws InputError where there is none such.
  void take(std::size_t cell, int restart, Losses losses, std::int32_t model_status, std::span<const float> model,
            std::span<const Losses> snapshot_losses = {}, std::span<const float> snapshot_parameters = {},
            std::span<const float> moments = {});
};

}  // namespace phasegrid
