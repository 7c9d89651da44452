// The order of operations of one training step, for many models at once. A Machine runs them: CudaMachine through
// cuBLAS, CUB and elementwise kernels, HostMachine (tests) with plain loops. It offers
//   for_each(count, body)                       body(i) for i < count
//   multiply(batch, rows, columns, inner, A, B, beta, C)   C = op(A) op(B) + beta C, row-major, batched
//   sort(...), exclusive_sum(...), sum_segments(...), fill(...)
#pragma once

#include "arrays.hpp"
#include "draw.hpp"
#include "gather.hpp"
#include "route.hpp"
#include "slopes.hpp"
#include "update.hpp"

namespace phasegrid::unfused {

// A batch of row-major matrices: `stride` floats apart, or where `pointers` is set, one pointer a matrix.
struct Matrix {
  float* data;
  int leading;
  int stride;
  bool transposed = false;
  float** pointers = nullptr;
};

template <class Machine>
class Pipeline {
 public:
  Pipeline(Machine& machine, const Sizes& sizes, const Arrays& arrays) : machine_(machine), s_(sizes), a_(arrays) {}

  // Draws the clock's batch.
  void draw() { machine_.for_each(s_.models * s_.calls, Draw{s_, a_}); }

  // Of the inputs in x: z of every entry, and with a load balance P.
  void forward() {
    if (!s_.dense) {
      score();
      sort();
      lay_out();
    }
    const Matrix row = matrix(a_.row, s_.n, a_.block_row);
    const Matrix hidden = matrix(a_.hidden, s_.m + 1, a_.block_hidden);
    machine_.multiply(s_.blocks, s_.block_rows, s_.m, s_.n, row, transposed(weights()), 0.0f, hidden);
    machine_.multiply(s_.blocks, s_.block_rows, s_.n, s_.m + 1, hidden, weights(), 0.0f,
                      matrix(a_.output, s_.n, a_.block_output));
  }

  // After forward: the loss of each model.
  void loss() {
    machine_.for_each(s_.samples * s_.n, WeightedSquares{s_, a_});
    machine_.sum_segments(a_.error, a_.loss, s_.models, s_.batch * s_.n);
    machine_.for_each(s_.models, FinishLoss{s_, a_});
  }

  // After forward: the gradient of each model.
  void backward() {
    if (s_.k == 1) {
      machine_.for_each(s_.rows * s_.n, OutputSlopeTop1{s_, a_});
    } else {
      machine_.for_each(s_.samples * s_.n, ErrorSlope{s_, a_});
      machine_.for_each(s_.rows * s_.n, OutputSlopeTopK{s_, a_});
      machine_.sum_segments(a_.product, a_.gate_slope, s_.rows, s_.n);
    }
    weight_gradients();
    router_gradients();
  }

  void update() {
    machine_.for_each(s_.parameters, Update{s_, a_});
    machine_.for_each(1, Tick{a_});
  }

  void step() {
    draw();
    forward();
    backward();
    update();
  }

 private:
  // [block_rows][columns] of every block.
  Matrix matrix(float* data, int columns, float** pointers) const {
    return {data, columns, s_.block_rows * columns, false, s_.dense ? nullptr : pointers};
  }
  // [m + 1][n] of every block's expert.
  Matrix weights() const {
    return {a_.parameters, s_.n, (s_.m + 1) * s_.n, false, s_.dense ? nullptr : a_.block_weights};
  }
  static Matrix transposed(Matrix matrix) {
    matrix.transposed = !matrix.transposed;
    return matrix;
  }

  void score() {
    machine_.multiply(s_.models, s_.batch, s_.E, s_.n, Matrix{a_.x, s_.n, s_.batch * s_.n},
                      Matrix{a_.parameters + s_.weights, s_.n, s_.E * s_.n, true}, 0.0f,
                      Matrix{a_.score, s_.E, s_.batch * s_.E});
    machine_.for_each(s_.samples, Route{s_, a_});
  }

  void sort() { machine_.sort(a_.key, a_.sorted_key, a_.entry, a_.sorted_entry, s_.entries, s_.key_bits); }

  void lay_out() {
    machine_.for_each(s_.experts + 1, FindFirst{s_, a_});
    machine_.for_each(s_.experts, CountBlocks{s_, a_});
    machine_.exclusive_sum(a_.expert_blocks, a_.first_block, s_.experts);
    machine_.fill(a_.entry_of_row, 0xff, s_.rows);  // -1
    machine_.for_each(s_.entries, PlaceEntry{s_, a_});
    machine_.for_each(s_.blocks, FindWeights{s_, a_});
    machine_.for_each(s_.rows * s_.n, Gather{s_, a_});
  }

  // dL/d[W, b] = [h, 1]^T g + [(g W^T)^T x, 0] of every block, then of every expert.
  void weight_gradients() {
    const Matrix slope = matrix(a_.output, s_.n, a_.block_output);
    const Matrix hidden_slope = matrix(a_.hidden_slope, s_.m, a_.block_hidden_slope);
    machine_.multiply(s_.blocks, s_.block_rows, s_.m, s_.n, slope, transposed(weights()), 0.0f, hidden_slope);
    const Matrix partial{a_.partial, s_.n, (s_.m + 1) * s_.n};
    machine_.multiply(s_.blocks, s_.m + 1, s_.n, s_.block_rows,
                      transposed(strided(matrix(a_.hidden, s_.m + 1, nullptr))), strided(slope), 0.0f, partial);
    machine_.multiply(s_.blocks, s_.m, s_.n, s_.block_rows, transposed(strided(hidden_slope)),
                      matrix(a_.row, s_.n, nullptr), 1.0f, partial);
    if (!s_.dense) machine_.for_each(s_.weights, SumBlocks{s_, a_});
  }
  static Matrix strided(Matrix matrix) {
    matrix.pointers = nullptr;
    return matrix;
  }

  // dL/dG = sum of dL/dscore x^T; without a load balance the router of k = 1 learns nothing, and its gradient stays 0.
  void router_gradients() {
    if (s_.dense || (s_.k == 1 && !s_.balance)) return;
    machine_.for_each(s_.samples, ScoreSlope{s_, a_});
    machine_.multiply(s_.models, s_.E, s_.n, s_.batch, Matrix{a_.score_slope, s_.E, s_.batch * s_.E, true},
                      Matrix{a_.x, s_.n, s_.batch * s_.n}, 0.0f, Matrix{a_.gradient + s_.weights, s_.n, s_.E * s_.n});
  }

  Machine& machine_;
  Sizes s_;
  Arrays a_;
};

}  // namespace phasegrid::unfused
