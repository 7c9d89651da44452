// Elementwise kernels: from sorted entries to blocks of rows, each block of one expert.
#pragma once

#include "arrays.hpp"
#include "formulas.hpp"

namespace phasegrid::unfused {

// For expert <= experts: where its sorted entries begin.
struct FindFirst {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int expert) const {
    int low = 0, high = s.entries;
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (a.sorted_key[middle] < static_cast<uint32_t>(expert)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    a.first[expert] = low;
  }
};

// For expert < experts.
struct CountBlocks {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int expert) const {
    a.expert_blocks[expert] = (a.first[expert + 1] - a.first[expert] + s.block_rows - 1) / s.block_rows;
  }
};

// For position < entries of the sorted list: which row is whose.
struct PlaceEntry {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int position) const {
    const uint32_t expert = a.sorted_key[position];
    const int row = a.first_block[expert] * s.block_rows + position - a.first[expert];
    a.row_of_entry[a.sorted_entry[position]] = row;
    a.entry_of_row[row] = a.sorted_entry[position];
  }
};

// For block < blocks: the weights it is multiplied by. Blocks that this routing leaves over hold zeros, and belong to
// the last expert.
struct FindWeights {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int block) const {
    int low = 0, high = s.experts;  // the first expert that begins behind this block
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (a.first_block[middle] <= block) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    a.block_weights[block] = a.parameters + (low - 1) * (s.m + 1) * s.n;
  }
};

// For i < rows * n.
struct Gather {
  Sizes s;
  Arrays a;
  PEER_METHOD void operator()(int i) const {
    const int entry = a.entry_of_row[i / s.n];
    a.row[i] = entry < 0 ? 0.0f : a.x[entry / s.k * s.n + i % s.n];
  }
};

}  // namespace phasegrid::unfused
