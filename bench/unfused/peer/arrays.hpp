// What the unfused peer keeps in memory: settings, sizes and one array an intermediate, for any number of models at
// once. Plain structs, passed to kernels by value.
#pragma once

#include <stdint.h>

#include <vector>

#include "phasegrid/architecture.hpp"

namespace phasegrid::unfused {

// Many restarts of one cell, as phasegrid trains them.
struct Settings {
  Shape shape;
  int models = 1;
  int batch = 512;
  std::vector<float> density;     // [n] probability that a feature is not 0
  std::vector<float> importance;  // [n]
  float loss_scale = 1;           // 1 / (batch n) for the mean loss, 1 / batch for the sum
  float learning_rate = 1e-3f;
  float weight_decay = 0.01f;
  float load_balance = 0;
  uint64_t seed = 0;
  int block_rows = 0;  // rows of a block of one expert's entries; 0: chosen from the shape
};

// An entry is one sample at one of its k experts. Entries are sorted by (model, expert) and laid out in blocks of
// `block_rows` rows, each of one expert, the last of an expert filled up with zeros: so many blocks fit every routing,
// so the same matrix products serve every step. A dense model's block is its whole batch, in place.
struct Sizes {
  int models, batch, n, m, E, k;
  bool dense, balance;
  int samples;  // models * batch
  int entries;  // samples * k
  int experts;  // models * E
  int block_rows;
  int blocks;      // the most that any routing needs
  int rows;        // blocks * block_rows
  int calls;       // Philox calls of a model and step
  int key_bits;    // of a key (model, expert)
  int weights;     // experts * (m + 1) * n
  int parameters;  // weights + experts * n
  float loss_scale, learning_rate, weight_decay, load_balance;
  uint32_t seed[2];
};

// Throws std::invalid_argument where a count does not fit 31 bits.
Sizes sizes_of(const Settings& settings);

// What a step changes for the next one; on the device, so that every replay of the graph is a new step.
struct Clock {
  uint32_t step;        // from 1
  double beta1, beta2;  // beta^step
};

struct Arrays {
  const float *density, *importance;  // [n]
  Clock* clock;

  // [experts][m + 1][n] the columns of W, then the bias; then [experts][n] routers. Moments and gradient likewise.
  float *parameters, *gradient, *first_moment, *second_moment;
  float* x;                       // [samples][n]
  float* score;                   // [samples][E]
  float* score_slope;             // [samples][E] P_e with a load balance; then dL/dscore
  float* gate;                    // [entries]
  uint32_t *key, *sorted_key;     // [entries] model * E + expert
  int32_t *entry, *sorted_entry;  // [entries]
  int32_t* first;                 // [experts + 1] first sorted entry of each expert
  int32_t* expert_blocks;         // [experts] blocks of each expert
  int32_t* first_block;           // [experts]
  int32_t* row_of_entry;          // [entries]
  int32_t* entry_of_row;          // [rows], -1 where a row is filled up
  float* row;                     // [rows][n] inputs of the entries; x itself for a dense model
  float* hidden;                  // [rows][m + 1] h, and 1 for the bias
  float* output;                  // [rows][n] z, then g = dL/dz
  float* product;                 // [rows][n] y dL/dx', k > 1
  float* gate_slope;              // [rows] dL/dgate, k > 1
  float* error;                   // [samples][n] x' - x, or its weighted square
  float* hidden_slope;            // [rows][m] dL/dh
  float* partial;                 // [blocks][m + 1][n] gradients of the blocks; the gradient itself for a dense model
  float* loss;                    // [models]

  // One pointer a block, for batched products.
  float **block_weights, **block_row, **block_hidden, **block_output, **block_hidden_slope;
};

}  // namespace phasegrid::unfused
