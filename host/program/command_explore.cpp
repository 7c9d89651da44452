#include "commands.hpp"
#include "program/io/python_module.hpp"

namespace phasegrid {

int command_explore(const ExploreArguments& arguments) {
  std::vector<std::string> words = arguments.files;
  words.insert(words.end(), {"--out", arguments.out});
  if (!arguments.title.empty()) words.insert(words.end(), {"--title", arguments.title});
  return run_module("phasegrid.explorer", words);
}

}  // namespace phasegrid
