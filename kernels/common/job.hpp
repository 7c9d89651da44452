// What the host hands to a training kernel, and what it gets back: plain structs, the same for every machine.
#pragma once

#include <stdint.h>

#include "phasegrid/losses.hpp"

namespace phasegrid {

constexpr int kMaxTinyFeatures = 4;  // n, m and E that the tiny mapping is compiled for
constexpr int kMaxTinyHidden = 3;
constexpr int kMaxTinyExperts = 4;

// Status of a model that is not trained (results.hpp has the same).
constexpr int32_t kStopped = -1;

// The evaluation batch of keep = "evaluation".
constexpr int kEvaluationSamples = 16384;

// AdamW's constants (paper's notebooks: the defaults of PyTorch).
constexpr float kBeta1 = 0.9f, kOneLessBeta1 = 0.1f;
constexpr float kBeta2 = 0.999f, kOneLessBeta2 = 0.001f;
constexpr float kEpsilon = 1e-8f;

// Which numbers a Philox counter stands for (its fourth word).
enum RandomStream : uint32_t { kStreamInit = 0, kStreamTrain = 1, kStreamEvaluate = 2, kStreamModelKey = 3 };

// phasegrid::Schedule, RouterInit and BiasInit as numbers (plan.cpp holds them to the enumerations).
enum : int32_t { kScheduleConstant = 0, kScheduleLinear = 1, kScheduleCosine = 2 };
enum : int32_t { kRouterXavier = 0, kRouterZero = 1, kRouterDiagonal = 2, kRouterOrdered = 3, kRouterRandom = 4 };
enum : int32_t { kBiasXavier = 0, kBiasZero = 1 };

// One feature of a cell, for the block mapping; as CellSettings has it for the tiny one.
struct FeatureSettings {
  int32_t present_limit;
  float scale;
  float offset;
  float importance;
};

// One cell of a grid, as the step sees it.
struct CellSettings {
  uint32_t key[2];        // Philox key of the cell; a model's key derives from it and its restart

  // A feature is drawn from one 32-bit word w, read as a signed number: present when w <= present_limit, and then
  // w * scale + offset, which is uniform in [0, 1).
  int32_t present_limit;
  float scale;
  float offset;

  float importance[kMaxTinyFeatures];  // tiny mapping only
  float loss_scale;       // 1 / (batch n) for loss `mean`, 1 / batch for `sum`
  float evaluation_scale; // the same for the evaluation batch
  float learning_rate;
  float decay;            // 1 - learning_rate * weight_decay
  float weight_decay;
  float drop_below, drop_factor, stop_below;  // TrainSettings
  int32_t schedule;       // kSchedule...
  int32_t router_init;    // kRouter...
  int32_t bias_init;      // kBias...
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
  float* moments;                      // CUDA's block mapping only: AdamW's moments, of every block of the grid
};

}  // namespace phasegrid
