// The live line of a long command: models done, rate and time left.
#pragma once

#include <cstdio>
#include <string>

#include "phasegrid/train.hpp"

namespace phasegrid {

enum class ProgressMode { automatic, on, off };

// "1,234 of 22,620 models  5 %  812 models/s  0:42 left". Rates leave out the models that a resumed run began with.
std::string progress_text(const Progress& progress, const Progress& first);
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
};

}  // namespace phasegrid
