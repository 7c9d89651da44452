// Which results files an interrupted reproduction has finished, so that the same command goes on after them.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace phasegrid::reproduce {

// A list in FOLDER/.finished, one path a line, while a reproduction is under way. A finished results file that is not
// on it belongs to an older run and is trained anew.
class FinishedFiles {
 public:
  // Reads the list that an interrupted run left; with `fresh`, forgets it.
  FinishedFiles(const std::filesystem::path& folder, bool fresh);
  const std::set<std::string>& paths() const { return paths_; }
  // Adds those of the files that hold every model of their sweep. The list is a help: that it cannot be written is no
  // reason to stop.
  void add_complete(const std::vector<std::string>& files);
  void clear();  // at the end of the run

 private:
  std::string list_;
  std::set<std::string> paths_;
};

}  // namespace phasegrid::reproduce
