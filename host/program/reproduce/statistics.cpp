#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace phasegrid::reproduce {

double mean(std::span<const double> values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const double middle = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

namespace {
double log_choose(int n, int k) { return std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0); }
}  // namespace

double fisher_p_value(int x, int n, int y, int m) {
  // Given x + y, x is hypergeometric.
  const int total = x + y;
  const double all = log_choose(n + m, total);
  const double observed = log_choose(n, x) + log_choose(m, y) - all;
  double p = 0;
  for (int i = std::max(0, total - m); i <= std::min(n, total); ++i) {
    const double likelihood = log_choose(n, i) + log_choose(m, total - i) - all;
    if (likelihood <= observed + 1e-7) p += std::exp(likelihood);
  }
  return std::min(1.0, p);
}

CountRange compatible_counts(int x, int n, int m, double level) {
  const int start = static_cast<int>(std::lround(static_cast<double>(x) / n * m));
  auto fits = [&](int y) { return fisher_p_value(x, n, y, m) >= 1 - level; };
  CountRange range{start, start};
  while (range.low > 0 && fits(range.low - 1)) --range.low;
  while (range.high < m && fits(range.high + 1)) ++range.high;
  return range;
}

Interval wilson_interval(int x, int n) {
  constexpr double z = 1.959964;
  const double p = static_cast<double>(x) / n;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4.0 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

double correlation(std::span<const double> x, std::span<const double> y) {
  const double mean_x = mean(x), mean_y = mean(y);
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  // Equal values differ from their mean by rounding, which is no variation.
  const auto varies = [&](double squares, double middle) {
    return squares > 1e-20 * middle * middle * static_cast<double>(x.size());
  };
  return varies(xx, mean_x) && varies(yy, mean_y) ? xy / std::sqrt(xx * yy) : std::numeric_limits<double>::quiet_NaN();
}

Interval correlation_interval(double correlation, int pairs) {
  const double half = 1.959964 / std::sqrt(pairs - 3.0);
  return {std::tanh(std::atanh(correlation) - half), std::tanh(std::atanh(correlation) + half)};
}

}  // namespace phasegrid::reproduce
