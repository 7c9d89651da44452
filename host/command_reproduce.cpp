#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "commands.hpp"
#include "compare.hpp"

extern char** environ;

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

// The folder of sweep files and drawing scripts: $PHASEGRID_EXPERIMENTS, or that of the source tree of this build.
fs::path experiments_folder() {
  const char* set = std::getenv("PHASEGRID_EXPERIMENTS");
  fs::path folder = set != nullptr ? fs::path(set) : fs::path(PHASEGRID_SOURCE_DIR) / "experiments";
  if (!fs::is_directory(folder)) {
    throw InputError(fmt::format("no folder '{}': set PHASEGRID_EXPERIMENTS to the experiments folder of phasegrid",
                                 folder.string()));
  }
  return folder;
}

// $PHASEGRID_PYTHON, the virtual environment that `make` sets up, or python3.
std::string python() {
  if (const char* set = std::getenv("PHASEGRID_PYTHON"); set != nullptr) return set;
  const fs::path own = fs::path(PHASEGRID_SOURCE_DIR) / ".venv" / "bin" / "python";
  return fs::exists(own) ? own.string() : "python3";
}

// Runs a program and returns its exit status.
int call(std::vector<std::string> words) {
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

const char* const kFigure4[] = {"fig4_211", "fig4_212", "fig4_311", "fig4_312",
                                "fig4_313", "fig4_321", "fig4_322", "fig4_323"};

}  // namespace

int command_reproduce(const ReproduceArguments& arguments) {
  const fs::path experiments = experiments_folder();
  std::vector<Sweep> sweeps;
  std::vector<std::string> paths, references;
  const fs::path out = arguments.out.empty() ? fs::path("out") / arguments.figure : fs::path(arguments.out);
  for (const char* name : kFigure4) {
    sweeps.push_back(read_sweeps_for((experiments / (std::string(name) + ".toml")).string(), arguments.training).front());
    paths.push_back((out / (std::string(name) + ".npz")).string());
  }
  if (!arguments.reference.empty() && !fs::is_directory(arguments.reference)) {
    throw InputError(fmt::format("--reference must be a folder that holds the authors' fig4_*.npz; '{}' is none",
                                 arguments.reference));
  }
  std::error_code error;
  fs::create_directories(out, error);
  if (error) throw InputError(fmt::format("cannot make the folder '{}': {}", out.string(), error.message()));

  if (const int status = train_into_files(sweeps, paths, arguments.training); status != 0) return status;

  bool within = true;
  for (std::size_t s = 0; s < sweeps.size() && !arguments.reference.empty(); ++s) {
    const fs::path reference = fs::path(arguments.reference) / (std::string(kFigure4[s]) + ".npz");
    if (!fs::exists(reference)) continue;
    references.push_back(reference.string());
    // Preset quick keeps the best of fewer restarts, so its losses lie higher: it shows the phases, no more.
    if (arguments.training.preset != "paper") continue;
    const Comparison comparison = compare(paths[s], reference.string());
    fmt::print("\n{} against {}\n", paths[s], reference.string());
    print(comparison, stdout);
    within = within && comparison.within_tolerance;
  }
  std::fflush(stdout);

  std::vector<std::string> draw = {python(), (experiments / "draw_fig4.py").string()};
  draw.insert(draw.end(), paths.begin(), paths.end());
  draw.insert(draw.end(), {"--out", out.string(), "--score", arguments.score});
  int status = call(draw);
  if (status == 0 && !references.empty()) {
    draw.push_back("--beside");
    draw.insert(draw.end(), references.begin(), references.end());
    status = call(draw);
  }
  return status != 0 ? status : within ? 0 : 1;
}

}  // namespace phasegrid
