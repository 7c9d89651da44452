#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <set>

#include "commands.hpp"
#include "program/io/output.hpp"
#include "program/io/python_module.hpp"
#include "program/reproduce/fig4_fig8.hpp"
#include "program/reproduce/figures.hpp"
#include "program/reproduce/reproduction.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;
using namespace reproduce;

const std::vector<std::string> kFigure4 = {"fig4_211", "fig4_212", "fig4_311", "fig4_312",
                                           "fig4_313", "fig4_321", "fig4_322", "fig4_323"};

// One figure: the sweep files it trains and what is made of them.
struct Figure {
  std::string name;
  std::vector<std::string> sweeps;  // of experiments/, without ".toml"
  std::function<std::vector<Report>(const Trained&, const Json&)> analyse;
};

std::vector<Report> one(Report report) {
  std::vector<Report> reports;
  reports.push_back(std::move(report));
  return reports;
}

const std::vector<Figure>& figures() {
  static const std::vector<Figure> kFigures = {
      {"fig1", {"fig1"}, [](const Trained& t, const Json& p) { return one(analyse_fig1(t, p)); }},
      {"fig2", {"fig1", "fig2"}, [](const Trained& t, const Json& p) { return one(analyse_fig2(t, p)); }},
      {"fig3", {"fig3"}, [](const Trained& t, const Json& p) { return one(analyse_fig3(t, p)); }},
      {"fig4", kFigure4,
       [](const Trained& t, const Json&) {
         std::vector<Report> reports = one(analyse_boundaries(t));
         reports.push_back(analyse_fig8(t));
         reports.push_back(analyse_starved(t));
         return reports;
       }},
      {"fig5", {"fig5"}, [](const Trained& t, const Json& p) { return one(analyse_fig5(t, p)); }},
      {"fig6", {"fig6"}, [](const Trained& t, const Json& p) { return one(analyse_fig6(t, p)); }},
      {"fig7", {"fig3"}, [](const Trained& t, const Json& p) { return one(analyse_fig7(t, p)); }},
      {"table1", {"table1"}, [](const Trained& t, const Json& p) { return one(analyse_table1(t, p)); }},
      {"a2", {}, [](const Trained&, const Json&) { return one(analyse_a2()); }},
      {"a3", {"fig3", "table1"}, [](const Trained& t, const Json&) { return one(analyse_a3(t)); }},
      {"findings",
       {"findings", "selection"},
       [](const Trained& t, const Json&) { return one(analyse_findings(t)); }},
  };
  return kFigures;
}

// Which figures a name asks for.
std::vector<Figure> asked(const std::string& name) {
  std::vector<Figure> chosen;
  for (const Figure& figure : figures()) {
    if (name == "all" || name == figure.name || (name == "fig8" && figure.name == "fig4")) chosen.push_back(figure);
  }
  return chosen;
}

struct Training {
  std::vector<Sweep> sweeps;
  std::vector<std::string> paths;
};

std::string path_of(const fs::path& out, const std::string& name) { return (out / (name + ".npz")).string(); }

// Reads every sweep first, so that a mistake shows before hours of training.
std::map<std::string, Training> read_trainings(const std::vector<Figure>& chosen, const fs::path& out,
                                               const TrainingArguments& arguments) {
  std::map<std::string, Training> trainings;
  for (const Figure& figure : chosen) {
    for (const std::string& name : figure.sweeps) {
      if (trainings.contains(name)) continue;
      Training& training = trainings[name];
      training.sweeps = read_sweeps_for((experiments_folder() / (name + ".toml")).string(), arguments);
      for (const Sweep& sweep : training.sweeps) training.paths.push_back(path_of(out, sweep.name));
    }
  }
  return trainings;
}

}  // namespace

int command_reproduce(const ReproduceArguments& arguments) {
  if (arguments.figure == "field") return command_reproduce_field(arguments);
  if (!arguments.works.empty()) throw InputError("--work goes with `reproduce field` alone");
  const fs::path out = arguments.out.empty() ? fs::path("out") / arguments.figure : fs::path(arguments.out);
  if (!arguments.reference.empty() && !fs::is_directory(arguments.reference)) {
    throw InputError(fmt::format("--reference must be a folder that holds the authors' files (fig4_212.npz or 212.npz, ..); '{}' is none",
                                 arguments.reference));
  }
  const std::vector<Figure> chosen = asked(arguments.figure);
  const Json published = load_json((experiments_folder() / "published.json").string());
  std::map<std::string, Training> trainings = read_trainings(chosen, out, arguments.training);
  std::error_code error;
  fs::create_directories(out, error);
  if (error) throw InputError(fmt::format("cannot make the folder '{}': {}", out.string(), error.message()));

  std::set<std::string> done;
  Trained trained;
  int result = 0;
  for (const Figure& figure : chosen) {
    double seconds = 0;
    // All files of a figure in one call, so that the threads stay busy.
    std::vector<Sweep> sweeps;
    std::vector<std::string> paths;
    for (const std::string& name : figure.sweeps) {
      if (!done.insert(name).second) continue;
      const Training& training = trainings.at(name);
      sweeps.insert(sweeps.end(), training.sweeps.begin(), training.sweeps.end());
      paths.insert(paths.end(), training.paths.begin(), training.paths.end());
    }
    if (!sweeps.empty()) {
      const auto start = std::chrono::steady_clock::now();
      const int status = train_into_files(sweeps, paths, arguments.training);
      if (status != 0) return status;
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      for (std::size_t s = 0; s < sweeps.size(); ++s) trained.insert_or_assign(sweeps[s].name, load_results(paths[s]));
    }

    std::vector<Report> reports = figure.analyse(trained, published);
    std::vector<std::string> files;
    for (const Sweep& sweep : sweeps) files.push_back(path_of(out, sweep.name));
    const bool is_fig4 = figure.name == "fig4";
    if (is_fig4) reports.insert(reports.begin(), compare_fig4(files, arguments.reference, arguments.training.preset));
    reports.front().seconds = seconds;
    std::vector<std::string> drawn = {"paper"};
    for (Report& report : reports) {
      report.preset = arguments.training.preset;
      write_text(stdout, to_text(report));
      const std::string path = save(report, out.string());
      if (!report.picture.is_null()) drawn.push_back(path);
    }
    flush_text(stdout);
    int status = is_fig4 ? draw_fig4(files, arguments.reference, out.string(), arguments.score) : 0;
    if (status == 0 && drawn.size() > 1) {
      drawn.insert(drawn.end(), {"--out", out.string()});
      status = run_module("phasegrid.pictures", drawn);
    }
    if (status != 0) return status;
    // Figure 4's comparison is a check with an exit status of its own; the other verdicts are findings.
    for (const Verdict& verdict : reports.front().verdicts) {
      if (is_fig4 && verdict.ruling == Ruling::not_met) result = 1;
    }
  }
  if (arguments.figure == "all") {
    write_reproduction(out.string(), fmt::format("phasegrid reproduce all --preset {}", arguments.training.preset));
    say(stdout, "\n{}\n", (out / "REPRODUCTION.md").string());
  }
  return result;
}

}  // namespace phasegrid
