#include "progress_line.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace phasegrid {
namespace {

Progress at(std::int64_t done, double seconds) { return {done, 22620, static_cast<double>(done) / 22620, seconds}; }

std::string shown(ProgressMode mode, std::initializer_list<Progress> states) {
  std::FILE* stream = std::tmpfile();
  {
    ProgressLine line(mode, stream);
    for (const Progress& state : states) line.show(state);
    line.clear();
  }
  std::string out(static_cast<std::size_t>(std::ftell(stream)), '\0');
  std::rewind(stream);
  EXPECT_EQ(std::fread(out.data(), 1, out.size(), stream), out.size());
  std::fclose(stream);
  return out;
}

TEST(ProgressLine, SaysWhatIsDoneTheRateAndTheTimeLeft) {
  EXPECT_EQ(progress_text(at(11310, 10), at(0, 0)), "11,310 of 22,620 models  50 %  1131 models/s  0:10 left");
  EXPECT_EQ(progress_text(at(0, 0), at(0, 0)), "0 of 22,620 models  0 %");
  // A resumed run's rate leaves out what it began with.
  EXPECT_EQ(progress_text(at(11410, 10), at(11310, 0)), "11,410 of 22,620 models  50 %  10 models/s  18:41 left");
}

TEST(ProgressLine, WritesDurations) {
  EXPECT_EQ(duration_text(0.4), "0:00");
  EXPECT_EQ(duration_text(59.6), "1:00");
  EXPECT_EQ(duration_text(723), "12:03");
  EXPECT_EQ(duration_text(3723), "1:02:03");
}

TEST(ProgressLine, IsSilentOffATerminalUnlessAsked) {
  EXPECT_EQ(shown(ProgressMode::automatic, {at(0, 0), at(22620, 20)}), "");
  EXPECT_EQ(shown(ProgressMode::off, {at(0, 0), at(22620, 20)}), "");
  EXPECT_EQ(shown(ProgressMode::on, {at(0, 0), at(100, 1), at(22620, 20)}),
            "0 of 22,620 models  0 %\n22,620 of 22,620 models  100 %  1131 models/s  0:00 left\n");
}

}  // namespace
}  // namespace phasegrid
