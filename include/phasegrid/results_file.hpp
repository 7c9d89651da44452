// Results on disk: an .npz that NumPy opens with allow_pickle=False.
#pragma once

#include <memory>
#include <string>

#include "phasegrid/results.hpp"

namespace phasegrid {

// phasegrid: every array of ours. authors: what the files of the authors hold and their notebook phase_change.ipynb
// opens, flat over the cells of the two axes:
//   sparsity_values (S), importance_values (R)          float64
//   grid_keys (S R,2): sparsity and importance of each  float64
//   final_losses (S R): training losses; the authors count the load balance of a dense model too, where it is the
//     constant alpha, so it is added here               float64
//   expert_weights_list (S R,E,n,m), router_weights_list (S R,E,n)  float32
//   n_grid_points: S R                                  int32
//   save_timestamp: "", for equal results give equal bytes
// It says no settings, so load_results refuses it; compare, pictures and the explorer read it.
enum class Layout { phasegrid, authors };

// Keys, with shapes (S sparsities, R last importances, further axes A.. behind them, k for restarts):
//   sparsity_values (S), importance_values (R), <axis>_values of further axes      float64
//   final_losses, reconstruction_losses (S,R,A..)                                  float32, see losses.hpp
//   all_losses, all_reconstruction_losses (S,R,A..,k)                              float32
//   expert_weights (S,R,A..,E,n,m), router_weights (..,E,n), biases (..,E,n)       float32
//   all_expert_weights (S,R,A..,k,E,n,m), all_router_weights, all_biases           float32, with keep "all" and "training-state"
//   first_moment_expert_weights .., second_moment_..: the same shapes                float32, with keep "training-state"
//   status (S,R,A..,k), kept (S,R,A..)                                             int32
//   config: one JSON string (NumPy str): every setting, seed, version, device, whether it is complete
// Written under a temporary name, flushed and renamed, so that the file is whole or absent. A symbolic link is
// followed; a file that is replaced keeps its mode. Equal results give equal bytes. Throws InputError naming the path
// where it cannot be written.
void save_results(const Results& results, const std::string& path, Layout layout = Layout::phasegrid);

// Reads a file of save_results in our layout. Throws InputError naming the path and what is wrong with it.
Results load_results(const std::string& path);

// Where a training saves what is finished until its results file is whole: NAME.npz.partial, beside what NAME.npz links
// to. load_results() reads it as well.
std::string partial_path(const std::string& path);

// Takes the disk space of a results file before training: makes the temporary file beside `path` at its full size, so
// that a missing folder, a missing permission or a full disk is found now. The space is let go of when the object
// ends; save() writes into it. Only one object, of all processes, holds a path at a time: a second is refused.
// save_results() to the same path is not.
class ReservedFile {
 public:
  ReservedFile(std::string path, const Sweep& sweep, Layout layout = Layout::phasegrid);
  ~ReservedFile();
  ReservedFile(const ReservedFile&) = delete;
  ReservedFile& operator=(const ReservedFile&) = delete;
  ReservedFile(ReservedFile&& other) noexcept;
  void save(const Results& results);  // once
  const std::string& path() const { return path_; }

 private:
  struct Temporary;
  std::string path_;
  Layout layout_;
  std::unique_ptr<Temporary> temporary_;
};

}  // namespace phasegrid
