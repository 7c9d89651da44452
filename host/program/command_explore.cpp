#include "commands.hpp"
#include "phasegrid/error.hpp"
#include "program/io/python_module.hpp"

namespace phasegrid {

int command_explore(const ExploreArguments& arguments) {
  if (!arguments.gallery.empty()) {
    if (!arguments.files.empty() || !arguments.title.empty()) {
      throw InputError("--gallery takes a folder of `phasegrid reproduce field` and no results files or --title");
    }
    return run_module("phasegrid.field", {"site", arguments.gallery, "--out", arguments.out});
  }
  if (arguments.files.empty()) throw InputError("files: give at least one results file (.npz), or --gallery FOLDER");
  std::vector<std::string> words = arguments.files;
  words.insert(words.end(), {"--out", arguments.out});
  if (!arguments.title.empty()) words.insert(words.end(), {"--title", arguments.title});
  return run_module("phasegrid.explorer", words);
}

}  // namespace phasegrid
