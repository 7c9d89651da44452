#include "progress_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "output.hpp"

namespace phasegrid {
namespace {

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  }
  return digits;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string progress_text(const Progress& progress, const Progress& first) {
  std::string text = fmt::format("{} of {} models  {:.0f} %", grouped(progress.models_done),
                                 grouped(progress.models_total), 100 * progress.share_done);
  const double seconds = progress.seconds - first.seconds;
  const double share = progress.share_done - first.share_done;
  if (seconds > 0.5 && share > 0) {
    text += fmt::format("  {:.4g} models/s  {} left",
                        static_cast<double>(progress.models_done - first.models_done) / seconds,
                        duration_text(seconds * (1 - progress.share_done) / share));
  }
  return text;
}

ProgressLine::ProgressLine(ProgressMode mode, std::FILE* stream)
    : stream_(stream), terminal_(isatty(fileno(stream)) == 1) {
  shown_ = mode == ProgressMode::on || (mode == ProgressMode::automatic && terminal_);
}

void ProgressLine::show(const Progress& progress) {
  if (!shown_) return;
  if (!any_) first_ = progress;
  any_ = true;
  if (terminal_) {
    say(stream_, "\r\033[K{}", progress_text(progress, first_));
    flush_text(stream_);
  } else if (progress.seconds >= next_plain_ || progress.models_done == progress.models_total) {
    say(stream_, "{}\n", progress_text(progress, first_));
    flush_text(stream_);
    next_plain_ = progress.seconds + kPlainSeconds;
  }
}

void ProgressLine::clear() {
  if (!shown_ || !any_ || !terminal_) return;
  write_text(stream_, "\r\033[K");
  flush_text(stream_);
}

}  // namespace phasegrid
