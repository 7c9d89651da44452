// Models to train by a kernel's PTX and by the CPU kernels, and the comparison of the two.
#pragma once
#include <map>

#include "common/job.hpp"
#include "grid.hpp"
#include "phasegrid/sweep.hpp"

namespace ptx {

struct Problem {
  std::string title;
  phasegrid::Shape shape;
  std::vector<phasegrid::Cell> cells;
  int restarts = 2;
  std::vector<int32_t> snapshots = {};
  bool block = false;   // the block mapping; else the tiny one
  bool large = false;   // block mapping, with models in global memory
  int blocks = 1;       // of the grid
  int tile = 0;         // block mapping; 0: as a GPU with room would choose
  int behind = 0;       // steps that models have behind them when the kernel gets them
  int stop_after = -1;  // the host sets the stop flag when so many models are published; -1: never
};

// Every kernel that was translated for this program, by name.
const std::map<std::string, const Kernel*>& kernels();
std::string kernel_name(const Problem& problem);

// A cell with all features present alike.
phasegrid::Cell make_cell(const phasegrid::Shape& shape, int batch, int steps, double balance, uint64_t seed,
                          double sparsity = 0.4, double rate = 0.03);

struct Trained {
  std::vector<phasegrid::Losses> losses, snapshot_losses;
  std::vector<float> parameters, states, snapshot_parameters;
  std::vector<int32_t> status;
};

struct Verdict {
  std::vector<std::string> wrong;  // sentences; none where all is well
  long values = 0;                 // compared
  int published = 0, diverged = 0;
  Outcome outcome;
};

// A problem with what the CPU makes of it.
class Trial {
 public:
  explicit Trial(Problem problem);
  Verdict run(Order order, unsigned seed = 1, int64_t most_blocks = int64_t{1} << 40) const;
  const Problem& problem() const { return problem_; }
  int samples_of_steps() const;  // that all models are trained on

 private:
  Trained train_on_cpu(const std::vector<phasegrid::CellSettings>& cells) const;
  Problem problem_;
  std::vector<phasegrid::CellSettings> cells_;
  std::vector<phasegrid::FeatureSettings> features_;
  std::vector<phasegrid::ModelId> models_;
  std::vector<phasegrid::BiasCorrection> corrections_;
  int steps_ = 1, batch_ = 1;
  bool balance_ = false;
  Trained cpu_;
  std::vector<float> begun_;  // where models go on, as Job::begun
};

}  // namespace ptx
