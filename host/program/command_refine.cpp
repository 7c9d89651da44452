#include "commands.hpp"
#include "program/io/python_module.hpp"

namespace phasegrid {

int command_refine(const std::vector<std::string>& words) { return run_module("phasegrid.refine_command", words); }

}  // namespace phasegrid
