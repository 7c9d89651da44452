// What is refused before toml++ reads it, and that nothing else is.
#include "sweep/toml_limits.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "phasegrid/sweep_file.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::string problem(const std::string& text) {
  const auto found = find_toml_problem(text);
  return found ? fmt::format("{}: {}", found->line, found->what) : "";
}

TEST(TomlLimits, SixtyFourDeepIsAllowedAndNoDeeper) {
  // A text of `depth` tables, lists or parts of a key within each other.
  auto texts = [](int depth) {
    const std::string key = repeated("a.", depth - 1) + "a";
    return std::vector<std::string>{
        key + " = 1",
        "x = 1\n" + key + " = 1.5",
        "[" + key + "]",
        "[[ " + key + " ]]",
        repeated("\"a.b\" . ", depth - 1) + "'c.d' = 1",
        "[" + repeated("a.", depth / 2 - 1) + "a]\nb = 1\n" + repeated("b.", depth - depth / 2 - 1) + "b = 1",
        "a = " + repeated("[", depth - 2) + "1" + repeated("]", depth - 2),
        repeated("{a = ", depth - 2) + "1",
        "a = [\n" + repeated("a = {a = [", (depth - 3) / 2),
        "b = \"\"\"\n]}\"\"\"\"\n" + key + "=''",
    };
  };
  for (const std::string& text : texts(63)) EXPECT_EQ(problem(text), "") << text;
  for (const std::string& text : texts(68)) EXPECT_NE(problem(text), "") << text;
  EXPECT_EQ(problem(repeated("a.", 63) + "a = 1"), "");
  EXPECT_EQ(problem(repeated("a.", 64) + "a = 1"), "1: keys, tables and lists may lie 64 deep within each other, and no deeper");
}

TEST(TomlLimits, CountsNoDotsThatAreNoKeys) {
  const std::string dots = repeated("1.5, ", 1000), words = repeated("a.b.", 1000);
  for (const std::string& text : {"x = [" + dots + "]", "x = \"" + words + "\"", "x = '" + words + "'", "# " + words,
                                  "x = \"\"\"\n" + words + "\\\"\"\" \"\"\"", "x = '''" + words + "'' '''\n# " + words,
                                  repeated("a.b = 1.5\n", 1000), "x = \"\\\\\" # " + words, "x = \"\"\n# " + words}) {
    EXPECT_EQ(problem(text), "") << text;
  }
}

TEST(TomlLimits, NamesTheLineOfWhatTomlDoesNotAllow) {
  EXPECT_EQ(problem(std::string("a = 1\n[\0model]", 14)), "2: the control character with the code 0 is not allowed");
  EXPECT_EQ(problem("a = 1\r\nb = \"\x1b\""), "2: the control character with the code 27 is not allowed");
  EXPECT_NE(problem("a = 1\rb = 1"), "");
  EXPECT_EQ(problem("\n\nlearning_rate = \u041a-3"), "3: a letter beyond ASCII must stand in quotes");
  EXPECT_EQ(problem("a\u00a0= 1"), "1: a letter beyond ASCII must stand in quotes");
  EXPECT_EQ(problem("a = \"\xff\""), "1: it is not UTF-8");
  EXPECT_EQ(problem("# \xed\xa0\x80"), "1: it is not UTF-8");
  EXPECT_EQ(problem("\xef\xbb\xbfname = \"\u00e9\" # \U0001f600\n'\u0416' = '\u0416'"), "");
}

// toml++ has read it as a part of the value, and there a letter beyond ASCII ends in undefined behaviour.
TEST(TomlLimits, QuotesBeginANameOrAValue) {
  for (const char* text : {"a = 0.a1e3\"\"\"\u049a\u00ad\"\"\"", "a = 0.'\u049a'", "a = [1\"\u049a\"]", "a = 'b''c'", "a\"b\" = 1",
                           "a = 1979-05-27T'\u049a'", "[a]'b'"}) {
    EXPECT_EQ(problem(text), "1: quotes must begin a name or a value") << text;
  }
  for (const char* text : {"'a'.\"b\" = 'c'", "a = {'b' = 'c','d'=[\"e\",'f']}", "[\"a\".'b']", "\xef\xbb\xbf'a' = 1", "a =\n'b'"}) {
    EXPECT_EQ(problem(text), "") << text;
  }
}

TEST(TomlLimits, AHeaderBeginsWithAName) {
  for (const char* text : {"a = 1\n[# b]", "a = 1\n[[ #", "a = 1\n[ .b]", "a = 1\n[\nb]", "a = 1\n[=]", "a = 1\n[[[b]]]", "a = 1\n[[ [b"}) {
    EXPECT_EQ(problem(text), "2: a table's header, [name], must begin with a name") << text;
  }
  for (const char* text : {"[a]", "[ a . b ]", "[[a]]", "[[ 'a b' ]]", "[\"\"]", "[-]", "[]", "[[]]", "["}) {
    EXPECT_EQ(problem(text), "") << text;
  }
}

TEST(TomlLimits, TakesEverySweepFileOfOurs) {
  for (const auto& entry : std::filesystem::directory_iterator(PHASEGRID_SOURCE_DIR "/experiments")) {
    if (entry.path().extension() != ".toml") continue;
    std::ifstream file(entry.path());
    EXPECT_EQ(problem(std::string(std::istreambuf_iterator<char>(file), {})), "") << entry.path();
  }
}

TEST(TomlLimits, SweepFilesAndChangesAreLookedAt) {
  const std::string deep = repeated("a.", 40'000) + "a";
  for (const std::string& text : {deep + " = 1", "[" + deep + "]", "x = " + repeated("[", 100'000)}) {
    testing::expect_refusal("deep.toml:1: not valid TOML: ", "64 deep", [&] { parse_sweep(text, "deep.toml"); });
  }
  for (const std::string& change : {deep + "=1", "x=" + repeated("{a=", 2000)}) {
    testing::expect_refusal("--set ", "64 deep", [&] {
      parse_sweep("[model]\nn_features = 2\n[data]\nsparsity = 0.5\n", "a.toml", {{change}});
    });
  }
  for (const char* name : {"nul_in_header", "cyrillic_value"}) {
    const std::string path = fmt::format("{}/tests/fuzz/corpus/sweep_file/{}", PHASEGRID_SOURCE_DIR, name);
    testing::expect_refusal(path, "not valid TOML: ", [&] { read_sweeps(path); });
  }
}

}  // namespace
}  // namespace phasegrid
