// Many models trained by the unfused CUDA pipeline, one CUDA graph a step.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arrays.hpp"

namespace phasegrid::unfused {

// Every failing CUDA or cuBLAS call throws std::runtime_error with its name. Arrays of parameters are
// [models][parameter_count] in Shape's order.
class Trainer {
 public:
  // tf32: matrix products may round their factors to TF32.
  explicit Trainer(const Settings& settings, bool tf32 = false);
  ~Trainer();
  Trainer(Trainer&&) noexcept;

  void set_parameters(const std::vector<float>& parameters);
  std::vector<float> parameters() const;

  // Replays the graph of a step, and that of a forward pass (data, routing, experts, losses) alone; milliseconds
  // between CUDA events before the first and behind the last replay.
  float steps(int count);
  float forwards(int count);

  // Losses [models] of the batch that the next step trains on.
  std::vector<float> losses();

  // Of inputs [models][batch][n].
  struct Gradient {
    std::vector<float> gradient;  // [models][parameter_count]
    std::vector<float> losses;    // [models]
  };
  Gradient gradient(const std::vector<float>& inputs);

 private:
  struct Device;
  std::unique_ptr<Device> device_;
};

// "" where there is a GPU to run on, else one sentence.
std::string gpu_problem();

}  // namespace phasegrid::unfused
