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

// Numbers that the optimiser remembers of each parameter: the two moments of AdamW and Adam, SGD's velocity.
constexpr int kOptimiserStates = 2;

// Which numbers a Philox counter stands for (its fourth word).
enum RandomStream : uint32_t {
  kStreamInit = 0,
  kStreamTrain = 1,
  kStreamEvaluate = 2,
  kStreamModelKey = 3,
  kStreamChoose = 4,  // which of a fixed data set's samples a batch takes
  kStreamData = 5     // the samples of a fixed data set
};

// How a feature follows from one 32-bit word w, read as a signed number: present when w <= present_limit, and then
// w * scale + offset, which is uniform in its range. Where presence has a word of its own, that word is held to the limit
// and the value's word is taken whole.
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

// What lies behind the inputs, where it is more than a word a feature (common/inputs.hpp). Block mapping only.
struct InputLaw {
  PresenceLaw presence;
  ValueLaw values;
  int32_t size;       // features of a block, or how many are active
  int32_t samples;    // of a fixed data set; 0: always fresh ones
  FeatureLaw choice;  // of a block's word, or of an active feature's
  int32_t general;    // whether any of it is another than the default
};

// The optimiser's constants; betas of AdamW and Adam, momentum of SGD.
struct OptimizerSettings {
  Optimizer kind;
  float beta1, one_less_beta1;
  float beta2, one_less_beta2;
  float epsilon;
  float momentum;
  DecayOn decay_on;
  int32_t betas;  // which pair of Job::corrections

  // Of TrainSettings, in float32.
  template <class Train>
  static OptimizerSettings of(const Train& train) {
    return {train.optimizer,
            static_cast<float>(train.beta1),
            static_cast<float>(1 - train.beta1),
            static_cast<float>(train.beta2),
            static_cast<float>(1 - train.beta2),
            static_cast<float>(train.epsilon),
            static_cast<float>(train.momentum),
            train.weight_decay_on,
            0};
  }
};

// What the error of an output is held to: block mapping only.
struct ErrorLaw {
  int32_t power;  // of |x' - target|: 2, 4, 6 or 8
  Target target;
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
  int32_t warmup;         // steps
  float floor;            // share of the rate at which the schedule ends
  OptimizerSettings optimizer;
  InputLaw inputs;
  ErrorLaw error;
  SharedData shared;
  RouterInit router_init;
  WeightInit weight_init;
  DecoderInit decoder_init;
  BiasInit bias_init;
  float weight_spread, bias_spread;  // standard deviations, where these start normal
  float load_balance;     // alpha
  BalanceOver balance_over;
  int32_t steps;
  int32_t batch;
  int32_t keep_evaluation;  // restarts are compared by a fresh batch instead of the last training batch
};

// One model to train.
struct ModelId {
  int32_t cell;
  int32_t restart;
};

// Bias corrections of AdamW and Adam at step t (from 1): 1 / (1 - beta1^t) and 1 / sqrt(1 - beta2^t).
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
  const BiasCorrection* corrections;   // [pairs of betas][n_corrections], step t at index t - 1; later ones use the last
  int32_t n_corrections;
  const float* initial;                // [cells][parameter_count] that models start at; null: at random numbers
  const int32_t* first_steps;          // [n_models] steps that a model has behind it; null: none has any
  const float* begun;                  // [n_models][1 + kOptimiserStates][parameter_count]: where those go on, parameters first
  const int32_t* snapshots;            // [n_snapshots] steps, ascending
  int32_t n_snapshots;
  const int32_t* stop;                 // becomes non-zero when training should end early
  int32_t* steps_done;                 // [n_models] how far each model is, now and then: for progress alone

  // Results, by position in `models`.
  Losses* losses;                      // [n_models]
  float* parameters;                   // [n_models][parameter_count]
  float* final_states;                 // [n_models][kOptimiserStates][parameter_count] of the optimiser; null: not kept
  Losses* snapshot_losses;             // [n_models][n_snapshots]
  float* snapshot_parameters;          // [n_models][n_snapshots][parameter_count]
  int32_t* status;                     // [n_models], CUDA only: written last; 0 or the step of divergence
  int32_t* next;                       // CUDA only: the queue, the next model to take
  float* arenas;                       // CUDA's block mapping, where models are not in shared memory: of every block
  float* states;                       // CUDA's block mapping only: the optimiser's states, of every block of the grid
};

}  // namespace phasegrid
