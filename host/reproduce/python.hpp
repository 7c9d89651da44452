// Where the experiments lie, and the scripts that draw.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace phasegrid::reproduce {

// The folder of sweep files and drawing scripts: $PHASEGRID_EXPERIMENTS, or that of the source tree of this build.
// Throws InputError where there is none.
std::filesystem::path experiments_folder();

// Runs a script of that folder with $PHASEGRID_PYTHON, the virtual environment that `make` sets up, or python3; returns
// its exit status. Throws InputError where it cannot be run.
int run_script(const std::string& script, std::vector<std::string> arguments);

}  // namespace phasegrid::reproduce
