// Results that come from outside, a file or a caller, looked through before anything is made of them.
#pragma once

#include <cstddef>
#include <string>

#include "phasegrid/results.hpp"

namespace phasegrid {

// "cell 12 (sparsity 0.5, last_importance 1)".
std::string cell_name(const Sweep& sweep, std::size_t cell);

// "was made by phasegrid 0.2.0 (bits 1)".
std::string maker_of(const std::string& made_by, int bits);
// That and the rest of the sentence, where results have other bits than this version gives; "" where they do not.
std::string other_bits(const Results& results);

// Throws InputError, which begins with `name`, unless results could have come from a training of their sweep:
// - every array is of the sweep's size;
// - a model's status is -1 (not trained), 0 (trained) or a step of its cell, at which it diverged;
// - losses are NaN where it was not trained, finite where it was, not finite where it diverged, and never below 0; that
//   of reconstruction is at most that of training, and the same where there is one expert;
// - snapshots' losses are such losses up to the snapshot where training ended, and NaN from there on;
// - each cell keeps the trained model of lowest loss, the first of several, with its losses and finite parameters; where
//   none is trained, it keeps none, and NaN.
void check_results(const Results& results, const std::string& name);
// The same of the cells from `begin` to `end` alone, of results whose arrays hold cells from `first` on. Of a sweep that is
// checked, and arrays of the right size; `grid` is the sweep's.
void check_cells(const Results& results, const Grid& grid, std::size_t first, std::size_t begin, std::size_t end,
                 const std::string& name);

}  // namespace phasegrid
