// Which problems are run.
#pragma once
#include "problem.hpp"

namespace ptx {

// Of one tiny kernel: batches that fill no row of lanes, schedules, kinds of initial parameters, snapshots, evaluation,
// divergence, and a stop.
std::vector<Problem> tiny_problems(const std::string& kernel);

// Corners of the block mapping; `every`: all of them, else a few that are quick.
std::vector<Problem> block_problems(bool every);

// Models and data of the wider family, on the kernel for them, or on that for models in global memory.
std::vector<Problem> family_problems(bool every, bool large);

// Small ones, for mutations.
std::vector<Problem> mutation_problems(const std::string& kernel);

// Trainings of the paper's settings: a batch of 512, so many steps.
Problem paper_problem(const phasegrid::Shape& shape, bool block, int steps);

}  // namespace ptx
