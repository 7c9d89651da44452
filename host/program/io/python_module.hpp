// What the program leaves to Python: the package phasegrid's modules that draw, and where the sweep files lie.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace phasegrid {

// The folder of the paper's sweep files: $PHASEGRID_EXPERIMENTS, the one installed with this program, or that of the
// source tree of this build. Throws InputError where there is none.
std::filesystem::path experiments_folder();

// Runs `python -P -m module arguments` (-P: nothing in the current folder is imported) and returns its exit status. The Python is $PHASEGRID_PYTHON, the one beside this
// program (pip installs both), that of the source tree's virtual environment, or python3; the package of
// this build or of the source tree is found first, where there is one. Throws InputError where it cannot be run.
int run_module(const std::string& module, const std::vector<std::string>& arguments);

}  // namespace phasegrid
