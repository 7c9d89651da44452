#include "reproduction.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "report.hpp"

namespace phasegrid::reproduce {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFigures[] = {"fig1", "fig2", "fig3", "fig4",   "boundaries", "fig8", "starved",
                                    "fig5", "fig6", "fig7", "table1", "a2",         "a3",   "findings"};

std::string cell(const Json& value) {
  if (value.is_null()) return "–";
  std::string text = value.is_string()         ? value.get<std::string>()
                     : value.is_number_float() ? fmt::format("{:.4g}", value.get<double>())
                                               : value.dump();
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.replace(at, 1, "\\|");
  return text;
}

// A note's first clauses, at most 25 words of them; the whole stands in the figure's JSON.
std::string short_note(const std::string& note) {
  constexpr int kMostWords = 25;
  int words = 1;
  std::size_t end = 0, weaker = 0;
  for (std::size_t at = 0; at < note.size(); ++at) {
    if (note[at] != ' ') continue;
    const char before = at > 0 ? note[at - 1] : ' ';
    if (before == ';' || before == '.') end = at - 1;
    if (before == ':' || before == ',') weaker = at - 1;
    if (++words > kMostWords) return note.substr(0, end > 0 ? end : weaker > 0 ? weaker : at);
  }
  return note;
}

constexpr int kMostListed = 4;  // findings of one figure at the top; all of them stand in its section

struct Counts {
  int met = 0, not_met = 0, differs = 0, recorded = 0;
};

Counts count(const Json& report) {
  Counts counts;
  for (const Json& verdict : report.at("verdicts")) {
    const auto& word = verdict.at("verdict");
    ++(word == "met"       ? counts.met
       : word == "not met" ? counts.not_met
       : word == "differs" ? counts.differs
                           : counts.recorded);
  }
  return counts;
}

std::string section(const Json& report, const fs::path& folder) {
  const auto figure = report.at("figure").get<std::string>();
  std::string text = fmt::format("## {}\n\n", report.at("title").get<std::string>());
  std::string settings;
  for (const auto& [key, value] : report.at("settings").items()) settings += fmt::format("{} = {}, ", key, cell(value));
  const double seconds = report.at("seconds").is_null() ? 0 : report.at("seconds").get<double>();
  text += fmt::format("`phasegrid reproduce {} --preset {}`; {}{}{}.\n\n",
                      figure == "boundaries" || figure == "starved" ? "fig4" : figure,
                      report.at("preset").get<std::string>(), settings, report.at("device").get<std::string>(),
                      seconds > 0 ? fmt::format(", {:.0f} s of training", seconds) : "");
  std::vector<std::string> pictures = {figure + ".png", figure + "_side_by_side.png"};
  for (const std::string& name : pictures) {
    if (fs::exists(folder / name)) text += fmt::format("![{}]({})\n\n", report.at("title").get<std::string>(), name);
  }
  if (report.at("verdicts").empty()) return text;
  text += "| claim | published | ours | spread over seeds | seeds | verdict | note |\n|---|---|---|---|---|---|---|\n";
  for (const Json& v : report.at("verdicts")) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", cell(v.at("claim")), cell(v.at("published")),
                        cell(v.at("ours")), cell(v.at("spread")), v.at("seeds") == 0 ? "–" : cell(v.at("seeds")),
                        cell(v.at("verdict")), cell(short_note(v.at("note"))));
  }
  return text + "\n";
}

}  // namespace

void write_reproduction(const std::string& folder, const std::string& command) {
  std::string summary, sections, findings;
  double seconds = 0;
  for (const char* figure : kFigures) {
    const fs::path path = fs::path(folder) / (std::string(figure) + ".json");
    if (!fs::exists(path)) continue;
    const Json report = load_json(path.string());
    const Counts counts = count(report);
    seconds += report.at("seconds").is_null() ? 0 : report.at("seconds").get<double>();
    summary += fmt::format("| {} | {} | {} | {} | {} |\n", report.at("title").get<std::string>(), counts.met,
                           counts.not_met, counts.differs, counts.recorded);
    int listed = 0;
    for (const Json& v : report.at("verdicts")) {
      if (v.at("verdict") != "differs" || ++listed > kMostListed) continue;
      findings += fmt::format("- {}: published {}, ours {}. {}\n", cell(v.at("claim")), cell(v.at("published")),
                              cell(v.at("ours")), cell(short_note(v.at("note"))));
    }
    if (listed > kMostListed) {
      findings +=
          fmt::format("- and {} more of {}, below\n", listed - kMostListed, report.at("title").get<std::string>());
    }
    sections += section(report, folder);
  }
  save_text(
      fmt::format("# Reproduction of \"Sparsity and Superposition in Mixture of Experts\"\n\n"
                  "Written by `{}`; {:.0f} s of training in that run, in which models that an earlier run had finished "
                  "count nothing. Published values are those of the paper, of the "
                  "authors' data, or read off their pictures; each verdict's tolerance stands in its note. Notes are cut "
                  "at 25 words here; `FIGURE.json` has them whole.\n\n"
                  "| figure or table | met | not met | differs | recorded |\n|---|---|---|---|---|\n{}\n"
                  "## Where paper, public code and we differ\n\n{}\n{}",
                  command, seconds, summary, findings, sections),
      (fs::path(folder) / "REPRODUCTION.md").string());
}

}  // namespace phasegrid::reproduce
