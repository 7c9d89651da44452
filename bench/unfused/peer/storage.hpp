// Memory for the arrays of a pipeline, on either machine, and what stands in it before the first step.
#pragma once

#include <stddef.h>

#include "arrays.hpp"
#include "formulas.hpp"

namespace phasegrid::unfused {

// Every array, each taken from allocate(bytes) -> void*.
template <class Allocate>
Arrays arrays_in(const Sizes& s, Allocate&& allocate) {
  auto take = [&](auto*& array, int64_t count) {
    array =
        static_cast<std::remove_reference_t<decltype(array)>>(allocate(static_cast<size_t>(count) * sizeof(*array)));
  };
  const int64_t rows = s.rows, samples = s.samples;
  Arrays a{};
  take(a.clock, 1);
  for (float** array : {&a.parameters, &a.gradient, &a.first_moment, &a.second_moment}) take(*array, s.parameters);
  take(a.x, samples * s.n);
  take(a.hidden, rows * (s.m + 1));
  take(a.output, rows * s.n);
  take(a.error, samples * s.n);
  take(a.hidden_slope, rows * s.m);
  take(a.loss, s.models);
  if (s.dense) {
    a.row = a.x;
    a.partial = a.gradient;
    return a;
  }
  take(a.score, samples * s.E);
  take(a.score_slope, samples * s.E);
  take(a.gate, s.entries);
  take(a.key, s.entries);
  take(a.sorted_key, s.entries);
  take(a.entry, s.entries);
  take(a.sorted_entry, s.entries);
  take(a.first, s.experts + 1);
  take(a.expert_blocks, s.experts);
  take(a.first_block, s.experts);
  take(a.row_of_entry, s.entries);
  take(a.entry_of_row, rows);
  take(a.row, rows * s.n);
  if (s.k > 1) {
    take(a.product, rows * s.n);
    take(a.gate_slope, rows);
  }
  take(a.partial, int64_t{s.blocks} * (s.m + 1) * s.n);
  for (float*** array : {&a.block_weights, &a.block_row, &a.block_hidden, &a.block_output, &a.block_hidden_slope}) {
    take(*array, s.blocks);
  }
  return a;
}

// The ones that a bias is multiplied by. For row < rows.
struct SetOnes {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int row) const { a.hidden[row * (s.m + 1) + s.m] = 1.0f; }
};

// For i < entries.
struct NumberEntries {
  Arrays a;
  PEER_METHOD void operator()(int i) const { a.entry[i] = i; }
};

// For block < blocks.
struct PointToBlocks {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int block) const {
    const int row = block * s.block_rows;
    a.block_weights[block] = a.parameters;
    a.block_row[block] = a.row + row * s.n;
    a.block_hidden[block] = a.hidden + row * (s.m + 1);
    a.block_output[block] = a.output + row * s.n;
    a.block_hidden_slope[block] = a.hidden_slope + row * s.m;
  }
};

struct StartClock {
  Arrays a;
  PEER_METHOD void operator()(int) const {
    *a.clock = Clock{1, static_cast<double>(kBeta1), static_cast<double>(kBeta2)};
  }
};

// Everything that no step writes first, and parameters of 0.
template <class Machine>
void set_up(Machine& machine, const Sizes& s, const Arrays& a) {
  for (float* array : {a.parameters, a.gradient, a.first_moment, a.second_moment}) {
    machine.fill(array, 0, s.parameters);
  }
  machine.for_each(s.rows, SetOnes{s, a});
  machine.for_each(1, StartClock{a});
  if (s.dense) return;
  machine.for_each(s.entries, NumberEntries{a});
  machine.for_each(s.blocks, PointToBlocks{s, a});
}

}  // namespace phasegrid::unfused
