#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "phasegrid/error.hpp"
#include "phasegrid/train.hpp"

namespace phasegrid::reproduce {
namespace {

std::string_view word(Ruling ruling) {
  switch (ruling) {
    case Ruling::met:
      return "met";
    case Ruling::not_met:
      return "not met";
    case Ruling::differs:
      return "differs";
    case Ruling::recorded:
      return "recorded";
  }
  return "?";
}

std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    return std::isfinite(number) ? fmt::format("{:.4g}", number) : "-";
  }
  return value.dump();
}

}  // namespace

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (double value : values) list.push_back(number(value));
  return list;
}

Ruling met_if(bool met) { return met ? Ruling::met : Ruling::not_met; }

std::string to_text(const Report& report) {
  std::vector<std::vector<std::string>> rows = {{"claim", "published", "ours", "spread", "seeds", "verdict"}};
  for (const Verdict& v : report.verdicts) {
    rows.push_back({v.claim, cell(v.published), cell(v.ours), cell(v.spread), std::to_string(v.seeds),
                    std::string(word(v.ruling))});
  }
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text = fmt::format("\n{} (preset {}, {})\n", report.title, report.preset, report.device);
  if (report.preset != "paper") {
    text += "trained for less than the paper's models, on fewer seeds: verdicts of preset paper may differ\n";
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      line += i == 0 || i + 1 == rows[r].size() ? fmt::format("{:<{}}  ", rows[r][i], widths[i])
                                                : fmt::format("{:>{}}  ", rows[r][i], widths[i]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    if (r > 0 && !report.verdicts[r - 1].note.empty()) text += fmt::format("    {}\n", report.verdicts[r - 1].note);
  }
  return text;
}

Json to_json(const Report& report) {
  Json json;
  json["figure"] = report.figure;
  json["title"] = report.title;
  json["preset"] = report.preset;
  json["version"] = version();
  json["device"] = report.device;
  json["seconds"] = number(report.seconds);
  json["settings"] = report.settings;
  json["verdicts"] = Json::array();
  for (const Verdict& v : report.verdicts) {
    json["verdicts"].push_back({{"claim", v.claim},
                                {"published", v.published},
                                {"ours", v.ours},
                                {"spread", v.spread},
                                {"seeds", v.seeds},
                                {"verdict", word(v.ruling)},
                                {"note", v.note}});
  }
  json["picture"] = report.picture;
  return json;
}

void save_text(const std::string& text, const std::string& path) {
  const std::string temporary = path + ".tmp";
  errno = 0;
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << text;
    file.flush();
    if (!file) {
      const std::string why = std::strerror(errno);
      std::error_code ignored;
      std::filesystem::remove(temporary, ignored);
      throw InputError(fmt::format("{}: cannot be written: {}", path, why));
    }
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) throw InputError(fmt::format("{}: cannot be written: {}", path, error.message()));
}

std::string save(const Report& report, const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / (report.figure + ".json")).string();
  save_text(to_json(report).dump(1, ' ', true, Json::error_handler_t::replace) + "\n", path);
  return path;
}

Json load_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  try {
    return Json::parse(file);
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: is not JSON: {}", path, error.what()));
  }
}

}  // namespace phasegrid::reproduce
