// The few statistics that verdicts rest on.
#pragma once

#include <span>
#include <vector>

namespace phasegrid::reproduce {

double mean(std::span<const double> values);
// Of a sample: divided by n - 1; NaN for fewer than two values.
double standard_deviation(std::span<const double> values);

// Two-sided p-value of Fisher's exact test: x of n and y of m are draws of one proportion. Its sum takes in every
// outcome that is at most as likely as the observed one.
double fisher_p_value(int x, int n, int y, int m);

// The counts out of m that are compatible with x of n at the given level: Fisher's p-value at least 1 - level.
struct CountRange {
  int low = 0, high = 0;
};
CountRange compatible_counts(int x, int n, int m, double level = 0.99);

// Wilson's 95 % interval of a proportion, x of n.
struct Interval {
  double low = 0, high = 0;
};
Interval wilson_interval(int x, int n);

// Pearson's correlation, NaN where one side does not vary, and its 95 % interval by Fisher's transformation (of at
// least four pairs).
double correlation(std::span<const double> x, std::span<const double> y);
Interval correlation_interval(double correlation, int pairs);

}  // namespace phasegrid::reproduce
