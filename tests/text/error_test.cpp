// Every error is one line of at most 300 characters, whatever went into it.
#include "phasegrid/error.hpp"

#include <gtest/gtest.h>

namespace phasegrid {
namespace {

TEST(ErrorSentence, LeavesASentenceAsItIs) {
  for (const char* text : {"", "a.toml:3: train.steps must be a whole number", "d\u00e9j\u00e0 vu: \u0416 \U0001f600"}) {
    EXPECT_EQ(error_sentence(text), text);
    EXPECT_STREQ(InputError(text).what(), text);
  }
}

TEST(ErrorSentence, HasOneLineWithoutControlCharacters) {
  EXPECT_EQ(error_sentence("a\nb\r\nc\td\x1b[31m\x7f"), "a b  c d [31m ");
  EXPECT_EQ(error_sentence(std::string("a\0b", 3)), "a b");
  EXPECT_EQ(error_sentence("a\u0085b\u2028c\u2029d\u009be"), "a b c d e");
}

TEST(ErrorSentence, ShowsBytesThatAreNotUtf8AsQuestionMarks) {
  EXPECT_EQ(error_sentence("a\xff\xfe z"), "a?? z");
  EXPECT_EQ(error_sentence("\xc0\xaf \xe2\x80"), "?? ??");           // overlong; cut short
  EXPECT_EQ(error_sentence("\xed\xa0\x80 \xf5\x80\x80\x80"), "??? ????");  // a surrogate; beyond Unicode
}

TEST(ErrorSentence, KeepsTheBeginningAndTheEndOfALongText) {
  for (const std::string filling : {"x", "\u0416", "\U0001f600", "\n", "\xff"}) {
    std::string key;
    while (key.size() < 5'000'000) key += filling;
    const std::string sentence = error_sentence("a.toml:1: unknown key '" + key + "'; a sweep file may hold name, seed");
    EXPECT_LE(sentence.size(), 280u);
    EXPECT_GE(sentence.size(), 270u);
    EXPECT_TRUE(sentence.starts_with("a.toml:1: unknown key '")) << sentence;
    EXPECT_TRUE(sentence.ends_with("'; a sweep file may hold name, seed")) << sentence;
    EXPECT_EQ(error_sentence(sentence), sentence);
  }
}

}  // namespace
}  // namespace phasegrid
