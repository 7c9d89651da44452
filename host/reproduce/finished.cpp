#include "finished.hpp"

#include <fstream>

#include "phasegrid/phasegrid.hpp"
#include "report.hpp"

namespace phasegrid::reproduce {

namespace fs = std::filesystem;

FinishedFiles::FinishedFiles(const fs::path& folder, bool fresh) : list_((folder / ".finished").string()) {
  if (fresh) clear();
  std::ifstream file(list_);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) paths_.insert(line);
  }
}

void FinishedFiles::add_complete(const std::vector<std::string>& files) {
  for (const std::string& path : files) {
    try {
      if (load_results(path).complete()) paths_.insert(path);
    } catch (const InputError&) {  // interrupted before it was written
    }
  }
  std::string text;
  for (const std::string& path : paths_) text += path + "\n";
  try {
    save_text(text, list_);
  } catch (const InputError&) {
  }
}

void FinishedFiles::clear() {
  paths_.clear();
  std::error_code ignored;
  fs::remove(list_, ignored);
}

}  // namespace phasegrid::reproduce
