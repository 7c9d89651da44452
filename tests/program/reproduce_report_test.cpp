// Reports: what is written is what is read, files are whole or absent, and REPRODUCTION.md holds every verdict.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "phasegrid/error.hpp"
#include "phasegrid/results_file.hpp"
#include "program/reproduce/fig4_fig8.hpp"
#include "program/reproduce/report.hpp"
#include "program/reproduce/reproduction.hpp"
#include "support/test_files.hpp"
#include "support/test_results.hpp"

namespace phasegrid::reproduce {
namespace {

using testing::TemporaryFolder;

Report sample(const std::string& figure) {
  Report report;
  report.figure = figure;
  report.title = "Title of " + figure;
  report.preset = "quick";
  report.device = "cpu";
  report.seconds = 12.5;
  report.settings = {{"steps", 10}, {"seeds", 3}};
  report.add({"a claim", 1.5, 1.25, 0.125, 3, Ruling::met, "why | so"});
  report.add({"another", "about one", "0.9", nullptr, 3, Ruling::not_met, ""});
  report.add({"a reading", nullptr, number(NAN), nullptr, 0, Ruling::differs, "two readings"});
  report.add({"for the record", nullptr, 7, nullptr, 3, Ruling::recorded, ""});
  report.picture = {{"values", numbers({1, NAN, INFINITY})}};
  return report;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ReproduceReport, RoundTrip) {
  const TemporaryFolder folder;
  const std::string path = save(sample("fig1"), folder.path());
  EXPECT_EQ(path, folder.file("fig1.json"));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"fig1.json"});  // no temporary file is left
  const Json read = load_json(path);
  EXPECT_EQ(read, to_json(sample("fig1")));
  EXPECT_EQ(read.at("figure"), "fig1");
  EXPECT_EQ(read.at("seconds"), 12.5);
  EXPECT_EQ(read.at("settings").at("seeds"), 3);
  EXPECT_EQ(read.at("picture").at("values"), Json::parse("[1.0, null, null]"));
  const Json& verdicts = read.at("verdicts");
  ASSERT_EQ(verdicts.size(), 4u);
  EXPECT_EQ(verdicts[0],
            Json::parse(R"({"claim": "a claim", "published": 1.5, "ours": 1.25, "spread": 0.125, "seeds": 3,
                                         "verdict": "met", "note": "why | so"})"));
  EXPECT_EQ(verdicts[1].at("verdict"), "not met");
  EXPECT_EQ(verdicts[2].at("verdict"), "differs");
  EXPECT_TRUE(verdicts[2].at("ours").is_null());
  EXPECT_EQ(verdicts[3].at("verdict"), "recorded");
}

TEST(ReproduceReport, AnUnwritableOrBrokenFileIsNamed) {
  const TemporaryFolder folder;
  testing::expect_refusal("fig1.json", "cannot be written", [&] { save(sample("fig1"), folder.file("missing")); });
  testing::expect_refusal("none.json", "cannot be read", [&] { load_json(folder.file("none.json")); });
  std::ofstream(folder.file("broken.json")) << "{\"a\": ";
  testing::expect_refusal("broken.json", "is not JSON", [&] { load_json(folder.file("broken.json")); });
}

TEST(ReproduceReport, PrintsEveryVerdictAndItsNote) {
  const std::string text = to_text(sample("fig1"));
  for (const char* part : {"Title of fig1", "a claim", "1.25", "why | so", "not met", "two readings", "recorded"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_NE(text.find("verdicts of preset paper may differ"), std::string::npos);
  EXPECT_EQ(text.find("nan"), std::string::npos);
}

TEST(Reproduction, HoldsEverySectionSummaryAndFinding) {
  const TemporaryFolder folder;
  save(sample("fig1"), folder.path());
  save(sample("table1"), folder.path());
  std::ofstream(folder.file("fig1.png")) << "not really";
  write_reproduction(folder.path(), "phasegrid reproduce all");
  const std::string text = text_of(folder.file("REPRODUCTION.md"));
  EXPECT_NE(text.find("| Title of fig1 | 1 | 1 | 1 | 1 |"), std::string::npos) << text;
  EXPECT_NE(text.find("25 s of training"), std::string::npos);
  EXPECT_NE(text.find("`phasegrid reproduce all`"), std::string::npos);
  EXPECT_NE(text.find("![Title of fig1](fig1.png)"), std::string::npos);
  EXPECT_EQ(text.find("table1.png"), std::string::npos);  // there is none
  EXPECT_NE(text.find("why \\| so"), std::string::npos);  // a bar would end the cell
  EXPECT_LT(text.find("## Title of fig1"), text.find("## Title of table1"));
  EXPECT_NE(text.find("- a reading: "), std::string::npos);
  EXPECT_EQ(text.find("- a claim"), std::string::npos);  // no finding
  EXPECT_NE(text.find("12 s of training"), std::string::npos);
}

TEST(Reproduction, NotesHaveAtMostTwentyFiveWordsAndTheJsonAll) {
  const TemporaryFolder folder;
  Report report = sample("fig1");
  const std::string twenty = "one two three four five six seven eight nine ten 11 12 13 14 15 16 17 18 19 20";
  report.verdicts[0].note = twenty + "; and this clause is one too long";
  report.verdicts[1].note = twenty + " 21 22 23 24 25";
  report.verdicts[2].note = twenty + " 21 22 23 24 25 26 27";
  const std::string path = save(report, folder.path());
  write_reproduction(folder.path(), "phasegrid reproduce all");
  const std::string text = text_of(folder.file("REPRODUCTION.md"));
  EXPECT_NE(text.find("| " + twenty + " |"), std::string::npos) << text;
  EXPECT_NE(text.find("23 24 25 |"), std::string::npos);
  EXPECT_EQ(text.find("23 24 25 26"), std::string::npos);
  EXPECT_NE(text_of(path).find("one too long"), std::string::npos);
  EXPECT_NE(text_of(path).find("25 26 27"), std::string::npos);
}

// Figure 4's comparison finds the authors' files under our names and under theirs, in their own layout or converted.
TEST(ReproduceReport, FilesOfTheAuthorsUnderTheirOwnNames) {
  const TemporaryFolder out, reference;
  std::vector<std::string> files;
  for (const auto& [name, experts, hidden] : {std::tuple("fig4_211", 1, 1), {"fig4_212", 2, 1}, {"fig4_321", 1, 2}}) {
    Sweep sweep;
    sweep.shape = {hidden + 1, hidden, experts, 1};
    sweep.data.sparsity = 0.5;
    sweep.data.last_importance = 0.25;
    sweep.train.load_balance = 0.01;
    sweep.restarts = 1;
    Results results(sweep);
    results.take(0, 0, {0.02f, 0.02f}, kTrained,
                 std::vector<float>(static_cast<std::size_t>(sweep.shape.parameter_count()), 0.5f), {}, {});
    files.push_back(out.file(std::string(name) + ".npz"));
    save_results(results, files.back());
    if (experts == 2) save_results(results, reference.file("212.npz"), Layout::authors);
    if (hidden == 2) save_results(results, reference.file("fig4_321.npz"), Layout::authors);
  }
  const Report report = compare_fig4(files, reference.path(), "paper");
  std::set<std::string> shapes;
  for (const Verdict& verdict : report.verdicts) {
    shapes.insert(verdict.claim.substr(0, verdict.claim.find(':')));
    EXPECT_EQ(verdict.ruling, Ruling::met) << verdict.claim;
  }
  EXPECT_EQ(shapes, (std::set<std::string>{"n = 2, m = 1, E = 2", "n = 3, m = 2, E = 1"}));
  EXPECT_TRUE(compare_fig4(files, "", "paper").verdicts.empty());
  EXPECT_TRUE(compare_fig4(files, reference.path(), "quick").verdicts.empty());
}

}  // namespace
}  // namespace phasegrid::reproduce
