#include "python_module.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "output.hpp"
#include "phasegrid/error.hpp"

extern char** environ;

namespace phasegrid {
namespace fs = std::filesystem;

namespace {

// The folder of this program's file.
fs::path program_folder() {
  std::error_code unknown;
  return fs::read_symlink("/proc/self/exe", unknown).parent_path();
}

}  // namespace

fs::path experiments_folder() {
  if (const char* set = std::getenv("PHASEGRID_EXPERIMENTS"); set != nullptr) {
    if (fs::is_directory(set)) return set;
    throw InputError(fmt::format("PHASEGRID_EXPERIMENTS is '{}', which is no folder", set));
  }
  const fs::path installed = program_folder() / ".." / "share" / "phasegrid" / "experiments";
  const fs::path source = fs::path(PHASEGRID_SOURCE_DIR) / "experiments";
  for (const fs::path& folder : {installed, source}) {
    if (fs::is_directory(folder)) return folder.lexically_normal();
  }
  throw InputError(fmt::format("no folder '{}' or '{}': set PHASEGRID_EXPERIMENTS to the experiments folder of phasegrid",
                               installed.lexically_normal().string(), source.string()));
}

namespace {

std::string python() {
  if (const char* set = std::getenv("PHASEGRID_PYTHON"); set != nullptr) return set;
  std::error_code unknown;
  for (const fs::path& candidate :
       {program_folder() / "python", fs::path(PHASEGRID_SOURCE_DIR) / ".venv" / "bin" / "python"}) {
    if (fs::is_regular_file(candidate, unknown)) return candidate.string();
  }
  return "python3";
}

// This process's environment, with the package of this build, which has the compiled part, or else that of the source tree
// in front of what PYTHONPATH has. An empty entry there would be the current folder; it comes from
// `PYTHONPATH=$PYTHONPATH:..`, and nobody means it.
std::vector<std::string> environment() {
  std::vector<std::string> variables;
  std::string path;
  for (const fs::path& folder : {program_folder() / "python", fs::path(PHASEGRID_SOURCE_DIR) / "host" / "python"}) {
    std::error_code unknown;
    if (!path.empty() || !fs::is_directory(folder / "phasegrid", unknown)) continue;
    path = folder.string();
  }
  constexpr std::string_view kKey = "PYTHONPATH=";
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with(kKey)) {
      std::istringstream entries{std::string(text.substr(kKey.size()))};
      for (std::string entry; std::getline(entries, entry, ':');) {
        if (!entry.empty()) path += (path.empty() ? "" : ":") + entry;
      }
    } else if (!text.starts_with("PYTHONSAFEPATH=")) {
      variables.emplace_back(text);
    }
  }
  if (!path.empty()) variables.push_back(std::string(kKey) + path);
  variables.emplace_back("PYTHONSAFEPATH=1");  // as -P: nothing in the current folder is imported
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

// `-P -m MODULE`, but that a Python before 3.11, which knows no -P (nor PYTHONSAFEPATH), says what is wanted before it
// imports anything.
constexpr const char* kRunModule = R"(
import sys
if sys.version_info < (3, 11):
    sys.stderr.write('phasegrid: Python 3.11 or newer is needed, not %d.%d; '
                     'set PHASEGRID_PYTHON to one\n' % sys.version_info[:2])
    sys.exit(2)
import runpy
runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)
)";

}  // namespace

int run_module(const std::string& module, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {python(), "-c", kRunModule, module}, variables = environment();
  words.insert(words.end(), arguments.begin(), arguments.end());
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, words[0].c_str(), nullptr, nullptr, pointers(words).data(), pointers(variables).data());
  if (error != 0) {
    throw InputError(fmt::format("cannot run '{}', which draws; set PHASEGRID_PYTHON to a Python 3.11 or newer: {}",
                                 words[0], std::strerror(error)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  constexpr int kPythonOutputLost = 120;  // it did everything, but could not write what it had to say
  if (WIFEXITED(status) && WEXITSTATUS(status) == kPythonOutputLost) {
    note_lost_output();
    return 0;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace phasegrid
