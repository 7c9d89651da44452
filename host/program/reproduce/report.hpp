// What the reproduction of a figure finds: verdicts, a table of them, and the numbers that its picture is drawn from.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace phasegrid::reproduce {

using Json = nlohmann::ordered_json;

// met, not_met: ours against the published value within the stated tolerance. differs: paper and public code, or paper
// and we, say different things for a reason that the note gives. recorded: nothing was published to hold it against.
enum class Ruling { met, not_met, differs, recorded };

// published, ours and spread are numbers, text or null.
struct Verdict {
  std::string claim;
  Json published, ours, spread;
  int seeds = 0;
  Ruling ruling = Ruling::met;
  std::string note;
};

struct Report {
  std::string figure, title, preset, device;
  double seconds = 0;  // of training, in this run
  Json settings = Json::object();
  std::vector<Verdict> verdicts;
  Json picture = nullptr;  // drawn by host/python/phasegrid/pictures

  void add(Verdict verdict) { verdicts.push_back(std::move(verdict)); }
};

// One line a verdict.
std::string to_text(const Report& report);
Json to_json(const Report& report);
// Writes FOLDER/FIGURE.json, whole or not at all, and returns its path. Throws InputError naming the path.
std::string save(const Report& report, const std::string& folder);
void save_text(const std::string& text, const std::string& path);
Json load_json(const std::string& path);

// A number for JSON, null for NaN; and a list of them.
Json number(double value);
Json numbers(const std::vector<double>& values);
Ruling met_if(bool met);

}  // namespace phasegrid::reproduce
