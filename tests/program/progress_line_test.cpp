#include "program/progress_line.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <vector>

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
  auto text = [](const Progress& progress, const Progress& first) {
    TimeLeft left;
    left.after(first);
    return progress_text(progress, first, left.after(progress));
  };
  EXPECT_EQ(text(at(11310, 10), at(0, 0)), "11,310 of 22,620 models  50 %  1131 models/s  0:10 left");
  EXPECT_EQ(text(at(0, 0), at(0, 0)), "0 of 22,620 models  0 %");
  // A resumed run's rate leaves out what it began with.
  EXPECT_EQ(text(at(11410, 10), at(11310, 0)), "11,410 of 22,620 models  50 %  10 models/s  18:41 left");
}

// What the line says of two models that take 100 s each, one after the other, where a report of work comes every
// `seconds`, and tells of so much of a report's work more or less.
std::vector<double> times_left(double seconds, double jitter) {
  std::vector<double> said;
  TimeLeft left;
  for (double now = 0; now < 200; now += 0.2) {
    const double reports = std::floor(now / seconds);
    const double work = std::max(0.0, reports + jitter * std::sin(reports)) * seconds;
    if (const auto time = left.after({now < 100 ? 0 : 1, 2, std::min(1.0, work / 200), now})) {
      said.push_back(*time);
    }
  }
  return said;
}

TEST(TimeLeft, FallsBetweenReportsOfWorkAndThroughTheirJitter) {
  for (const double jitter : {0.0, 0.15}) {
    for (const double seconds : {0.2, 3.0, 20.0}) {
      const std::vector<double> said = times_left(seconds, jitter);
      ASSERT_GT(said.size(), 700u);
      for (std::size_t i = 1; i < said.size(); ++i) ASSERT_LE(said[i], said[i - 1]) << seconds << " " << i;
      EXPECT_LT(said.back(), 8);
      const double half = 0.2 * static_cast<double>(said.size() / 2);  // seconds before the end
      EXPECT_NEAR(said[said.size() - said.size() / 2], half, 0.2 * half);
    }
  }
}

TEST(TimeLeft, SaysWhereItWasFarFromTheTruth) {
  TimeLeft left;
  left.after({0, 2, 0, 0});
  EXPECT_NEAR(*left.after({0, 2, 0.5, 10}), 10, 1e-9);
  EXPECT_GT(*left.after({0, 2, 0.51, 60}), 50);  // another job came to the machine
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
