#include "progress_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "program/io/output.hpp"

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

std::optional<double> TimeLeft::after(const Progress& progress) {
  if (!first_) {
    first_ = progress;
    share_ = progress.share_done;
  }
  const double seconds = progress.seconds - first_->seconds, share = progress.share_done - first_->share_done;
  if (seconds < kSoonest || share <= 0) return {};
  if (!shown_ || progress.share_done != share_) {
    share_ = progress.share_done;
    since_ = seconds;
    then_ = seconds * (1 - progress.share_done) / share;
  }
  const double now = std::max(0.0, then_ - (seconds - since_));
  if (!shown_ || now <= *shown_ || now > kWrong * *shown_ + kWrongSeconds) shown_ = now;
  return shown_;
}

std::string progress_text(const Progress& progress, const Progress& first, std::optional<double> left) {
  std::string text = fmt::format("{} of {} models  {:.0f} %", grouped(progress.models_done),
                                 grouped(progress.models_total), 100 * progress.share_done);
  const double seconds = progress.seconds - first.seconds;
  if (left) {
    text += fmt::format("  {:.4g} models/s  {} left",
                        static_cast<double>(progress.models_done - first.models_done) / seconds, duration_text(*left));
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
  const std::string text = progress_text(progress, first_, left_.after(progress));
  if (terminal_) {
    say(stream_, "\r\033[K{}", text);
    flush_text(stream_);
  } else if (progress.seconds >= next_plain_ || progress.models_done == progress.models_total) {
    say(stream_, "{}\n", text);
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
