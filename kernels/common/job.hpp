// What the host hands to a training kernel, and what it gets back: plain structs, the same for every machine.
#pragma once

#include <stdint.h>

#include "phasegrid/choices.hpp"
#include "phasegrid/losses.hpp"

namespace phasegrid {

// n, m and E that the tiny mapping is compiled for. CMakeLists.txt reads the first.
constexpr int kMaxTinyFeatures = 4;
constexpr int kMaxTinyHidden = 3;
constexpr int kMaxTinyExperts = 4;

// The evaluation batch of keep = "evaluation".
constexpr int kEvaluationSamples = 16384;

// AdamW's constants (paper's notebooks: the defaults of PyTorch).
constexpr float kBeta1 = 0.9f, kOneLessBeta1 = 0.1f;
constexpr float kBeta2 = 0.999f, kOneLessBeta2 = 0.001f;
constexpr float kEpsilon = 1e-8f;
// Numbers that the optimiser remembers of each parameter: AdamW's two moments.
constexpr int kOptimiserStates = 2;

// Which numbers a Philox counter stands for (its fourth word).
enum RandomStream : uint32_t { kStreamInit = 0, kStreamTrain = 1, kStreamEvaluate = 2, kStreamModelKey = 3 };

// How a feature follows from one 32-bit word w, read as a signed number: present when w <= present_limit, and then
// w * scale + offset, which is uniform in [0, 1).
struct FeatureLaw {
  int32_t present_limit;
  float scale;
  float offset;
};

// One feature of a cell, for the block mapping; as CellSettings has it for the tiny one.
struct FeatureSettings {
  FeatureLaw law;
  float importance;
};

// One cell of a grid, as the step sees it.
struct CellSettings {
  uint32_t key[2];        // Philox key of the cell; a model's key derives from it and its restart

  FeatureLaw law;         // of every feature; tiny mapping only, as the next
  float importance[kMaxTinyFeatures];
  float loss_scale;       // 1 / (batch n) for loss `mean`, 1 / batch for `sum`
  float evaluation_scale; // the same for the evaluation batch
  float learning_rate;
  float decay;            // 1 - learning_rate * weight_decay
  float weight_decay;
  float drop_below, drop_factor, stop_below;  // TrainSettings
  Schedule schedule;
  RouterInit router_init;
  BiasInit bias_init;
  float load_balance;     // alpha
  int32_t steps;
  int32_t batch;
  int32_t keep_evaluation;  // restarts are compared by a fresh batch instead of the last training batch
};

// One model to train.
struct ModelId {
  int32_t cell;
  int32_t restart;
};

// Bias corrections of AdamW at step t (from 1): 1 / (1 - beta1^t) and 1 / sqrt(1 - beta2^t).
struct BiasCorrection {
  float first;
  float second;
};

struct Job {
  int32_t n_models;
  int32_t top_k;
  const CellSettings* cells;
  const FeatureSettings* features;     // [cells][n], block mapping only
  const ModelId* models;               // [n_models]
  const BiasCorrection* corrections;   // [n_corrections], step t at index t - 1; later steps use the last
  int32_t n_corrections;
  const int32_t* snapshots;            // [n_snapshots] steps, ascending
  int32_t n_snapshots;
  const int32_t* stop;                 // becomes non-zero when training should end early
  int32_t* steps_done;                 // [n_models] how far each model is, now and then: for progress alone

  // Results, by position in `models`.
  Losses* losses;                      // [n_models]
  float* parameters;                   // [n_models][parameter_count]
  Losses* snapshot_losses;             // [n_models][n_snapshots]
  float* snapshot_parameters;          // [n_models][n_snapshots][parameter_count]
  int32_t* status;                     // [n_models], CUDA only: written last; 0 or the step of divergence
  int32_t* next;                       // CUDA only: the queue, the next model to take
  float* states;                       // CUDA's block mapping only: the optimiser's states, of every block of the grid
};

}  // namespace phasegrid
