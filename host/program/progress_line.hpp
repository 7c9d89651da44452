// The live line of a long command: models done, rate and time left.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "phasegrid/train.hpp"

namespace phasegrid {

enum class ProgressMode { automatic, on, off };

// How long a training still takes, from the work it has done: it falls, by the second between two reports of new work,
// and holds where the work comes a little slower. It climbs where the estimate was wrong by more than a quarter.
class TimeLeft {
 public:
  // Seconds; nothing while too little is done to tell. What a resumed run began with counts for no speed.
  std::optional<double> after(const Progress& progress);

 private:
  static constexpr double kSoonest = 0.5, kWrong = 1.25, kWrongSeconds = 10;
  std::optional<Progress> first_;
  double share_ = 0;                       // of the last report of new work
  double since_ = 0, then_ = 0;            // when that was, and what was left then
  std::optional<double> shown_ = {};
};

// "1,234 of 22,620 models  5 %  812 models/s  0:42 left". Rates leave out the models that a resumed run began with.
std::string progress_text(const Progress& progress, const Progress& first, std::optional<double> left);
std::string duration_text(double seconds);  // 0:42, 12:03, 1:02:03

// On a terminal one line that is written over; elsewhere nothing, or with ProgressMode::on a line every ten seconds.
class ProgressLine {
 public:
  explicit ProgressLine(ProgressMode mode, std::FILE* stream = stderr);
  void show(const Progress& progress);
  void clear();  // takes the line away, so that other output starts on a clean one

 private:
  static constexpr double kPlainSeconds = 10;
  std::FILE* stream_;
  bool shown_, terminal_;
  bool any_ = false;
  double next_plain_ = 0;
  Progress first_;
  TimeLeft left_;
};

}  // namespace phasegrid
