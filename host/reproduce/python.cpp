#include "python.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "phasegrid/error.hpp"

extern char** environ;

namespace phasegrid::reproduce {
namespace fs = std::filesystem;

fs::path experiments_folder() {
  const char* set = std::getenv("PHASEGRID_EXPERIMENTS");
  fs::path folder = set != nullptr ? fs::path(set) : fs::path(PHASEGRID_SOURCE_DIR) / "experiments";
  if (!fs::is_directory(folder)) {
    throw InputError(fmt::format("no folder '{}': set PHASEGRID_EXPERIMENTS to the experiments folder of phasegrid",
                                 folder.string()));
  }
  return folder;
}

namespace {
std::string python() {
  if (const char* set = std::getenv("PHASEGRID_PYTHON"); set != nullptr) return set;
  const fs::path own = fs::path(PHASEGRID_SOURCE_DIR) / ".venv" / "bin" / "python";
  return fs::exists(own) ? own.string() : "python3";
}
}  // namespace

int run_script(const std::string& script, std::vector<std::string> arguments) {
  std::vector<std::string> words = {python(), (experiments_folder() / script).string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int error = posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ); error != 0) {
    throw InputError(fmt::format("cannot run '{}', which draws the pictures: {}", words[0], std::strerror(error)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace phasegrid::reproduce
