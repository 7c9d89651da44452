// The layout of the authors' published results, which their notebook phase_change.ipynb opens: flat over cells, under
// names of its own.
#pragma once

#include "npz.hpp"
#include "phasegrid/results.hpp"

namespace phasegrid {

// Refuses a sweep that this layout cannot hold: further axes, or a sparsity of its own for each feature.
void check_authors_layout(const Sweep& sweep);

// Results as their files hold them; the keys stand in phasegrid/results_file.hpp.
NpzArrays authors_arrays(const Results& results);

// A phase diagram of any .npz that holds one: of phasegrid, of the authors, or theirs converted to a grid, with
// expert_weights (S, R, E, n, m) and final_losses (S, R).
struct Diagram {
  std::vector<double> sparsity, importance;
  std::vector<double> losses;  // [S][R], training losses
  std::vector<float> weights;  // [S][R][E][n][m]
  int E = 0, n = 0, m = 0;
  // Whether a dense model's loss holds the constant alpha of the load balance, as the authors' do; ours does not.
  bool holds_balance = false;
  double load_balance = 0;  // alpha; known where holds_balance is false

  std::size_t cell(std::size_t s, std::size_t r) const { return s * importance.size() + r; }
  std::span<const float> expert(std::size_t cell, int e) const {
    const auto size = static_cast<std::size_t>(n * m);
    return std::span(weights).subspan((cell * static_cast<std::size_t>(E) + static_cast<std::size_t>(e)) * size, size);
  }
};

// Throws InputError naming the path and what is wrong with the file. What it does not need is passed over; nothing is
// ever unpickled.
Diagram read_diagram(const std::string& path);

}  // namespace phasegrid
