#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "phasegrid/error.hpp"
#include "phasegrid/metrics.hpp"
#include "random_words.hpp"

namespace phasegrid {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint32_t kResamples = 2000;
constexpr double kTail = 0.025;

// What one line of cells, or several, add up to.
struct Sums {
  double largest = 0;  // J
  double total = 0;    // V
  double net = 0;      // |last - first|
  double lines = 0;

  Sums& operator+=(const Sums& other) {
    largest += other.largest;
    total += other.total;
    net += other.net;
    lines += other.lines;
    return *this;
  }
};

// A line of `count` cells. A cell that is not finite ends a run of cells; each run has a first and a last of its own,
// so that no jump is made up across a gap and the net change never exceeds V.
Sums sums_of_line(std::span<const double> field, std::size_t start, std::size_t stride, std::size_t count) {
  Sums sums;
  double first = kNan, before = kNan;
  for (std::size_t i = 0; i < count; ++i) {
    const double value = field[start + i * stride];
    const bool goes_on = std::isfinite(before);
    if (std::isfinite(value) && goes_on) {
      const double difference = std::abs(value - before);
      sums.largest = std::max(sums.largest, difference);
      sums.total += difference;
      sums.lines = 1;
    } else {
      if (goes_on) sums.net += std::abs(before - first);
      first = value;
    }
    before = value;
  }
  if (std::isfinite(before)) sums.net += std::abs(before - first);
  return sums;
}

using Lines = std::vector<Sums>;

Sums total_of(const Lines& lines) {
  Sums sum;
  for (const Sums& line : lines) sum += line;
  return sum;
}

// The three numbers of a set of lines, in the order of Sharpness. NaN where they say nothing: no line, or no change.
std::array<double, 3> numbers_of(const Sums& sums) {
  return {sums.total > 0 ? sums.largest / sums.total : kNan, sums.largest / sums.lines,
          (sums.total - sums.net) / sums.lines};
}

// As many lines again, drawn with replacement.
Sums resample(const Lines& lines, std::uint64_t seed, std::uint32_t number, std::uint32_t family) {
  Sums sum;
  for (std::size_t first = 0; first < lines.size(); first += 4) {
    const auto block = static_cast<std::uint32_t>(first / 4 * 2 + family);
    const auto words = random_words(seed, MeasureStream::bootstrap, number, block);
    for (std::size_t i = 0; i < 4 && first + i < lines.size(); ++i) {
      sum += lines[static_cast<std::size_t>(static_cast<std::uint64_t>(words[i]) * lines.size() >> 32)];
    }
  }
  return sum;
}

// The quantile of sorted values, linear between the neighbours.
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Sharpness boundary_sharpness(std::span<const double> field, std::size_t rows, std::size_t columns, std::uint64_t seed) {
  if (field.size() != rows * columns) throw InputError("boundary_sharpness: field must be [rows][columns]");
  Lines along_columns, along_rows;
  const auto take = [&](Lines& lines, std::size_t start, std::size_t stride, std::size_t count) {
    const Sums sums = sums_of_line(field, start, stride, count);
    if (sums.lines > 0) lines.push_back(sums);
  };
  for (std::size_t r = 0; r < rows; ++r) take(along_columns, r * columns, 1, columns);
  for (std::size_t c = 0; c < columns; ++c) take(along_rows, c, columns, rows);

  Sums all = total_of(along_columns);
  all += total_of(along_rows);
  const std::array<double, 3> values = numbers_of(all);
  // How many lines run each way is given by the grid, so each way is resampled by itself.
  std::array<std::vector<double>, 3> resampled;
  for (std::uint32_t i = 0; i < kResamples; ++i) {
    Sums sums = resample(along_columns, seed, i, 0);
    sums += resample(along_rows, seed, i, 1);
    const std::array<double, 3> numbers = numbers_of(sums);
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      if (std::isfinite(numbers[k])) resampled[k].push_back(numbers[k]);
    }
  }
  const auto estimate = [&](std::size_t k) -> Estimate {
    if (resampled[k].empty()) return {kNan, kNan, kNan};
    std::ranges::sort(resampled[k]);
    return {values[k], quantile(resampled[k], kTail), quantile(resampled[k], 1 - kTail)};
  };
  return {estimate(0), estimate(1), estimate(2)};
}

}  // namespace phasegrid
