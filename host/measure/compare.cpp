#include "compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "results/authors_layout.hpp"
#include "phasegrid/error.hpp"
#include "phasegrid/metrics.hpp"

namespace phasegrid {
namespace {

std::optional<std::size_t> position_of(const std::vector<double>& values, double value) {
  const auto found = std::ranges::find_if(values, [&](double v) { return std::abs(v - value) < 1e-6; });
  if (found == values.end()) return std::nullopt;
  return static_cast<std::size_t>(found - values.begin());
}

enum class FeatureClass { ignored, superposed, monosemantic };

FeatureClass class_of(const Diagram& d, std::size_t cell) {
  if (feature_norm(d.expert(cell, 0), d.n, d.m, d.n - 1) < 0.5) return FeatureClass::ignored;
  return interference(d.expert(cell, 0), d.n, d.m, d.n - 1) >= 0.25 ? FeatureClass::superposed
                                                                    : FeatureClass::monosemantic;
}

constexpr int kQuarters = 4;
int quarter_of(double sparsity) {
  return static_cast<int>(std::clamp(sparsity * kQuarters + 1e-9, 0.0, kQuarters - 1.0));
}
constexpr const char* kQuarterNames[kQuarters] = {"S < 0.25", "0.25 <= S < 0.5", "0.5 <= S < 0.75", "S >= 0.75"};

struct Pair {
  std::size_t ours, reference;
  int quarter;
};

// Mean of value(diagram, cell) over the pairs of a quarter, or of all (-1), in each file.
template <class Value>
std::pair<double, double> means(const Diagram& a, const Diagram& b, const std::vector<Pair>& pairs, int quarter,
                                Value value) {
  double sum_a = 0, sum_b = 0, count = 0;
  for (const Pair& pair : pairs) {
    if (quarter >= 0 && pair.quarter != quarter) continue;
    sum_a += value(a, pair.ours);
    sum_b += value(b, pair.reference);
    ++count;
  }
  return {sum_a / count, sum_b / count};
}

ComparisonRow make_row(std::string what, std::pair<double, double> values, double tolerance, bool relative) {
  ComparisonRow row{std::move(what), values.first, values.second, values.first - values.second,
                    tolerance,       relative,     false};
  if (relative && row.difference != 0) row.difference /= row.reference;  // 0 and 0 are equal
  row.within = std::abs(row.difference) <= tolerance;
  return row;
}

// Where only one side's losses hold the constant of a dense model's load balance, it is added to the other's: the
// tolerances are shares of losses as the authors count them.
void count_balance(Diagram& one, Diagram& other) {
  if (one.holds_balance == other.holds_balance) return;
  Diagram& without = one.holds_balance ? other : one;
  for (double& loss : without.losses) loss += without.load_balance;
}

}  // namespace

Comparison compare(const std::string& ours, const std::string& reference) {
  Diagram a = read_diagram(ours), b = read_diagram(reference);
  if (a.E != b.E || a.n != b.n || a.m != b.m) {
    throw InputError(
        fmt::format("{} has n = {}, m = {}, E = {} but {} has n = {}, m = {}, E = {}; shapes must be equal", ours, a.n,
                    a.m, a.E, reference, b.n, b.m, b.E));
  }
  count_balance(a, b);
  Comparison result;
  result.shape = fmt::format("n = {}, m = {}, E = {}", a.n, a.m, a.E);
  std::vector<Pair> pairs;
  auto has_model = [](const Diagram& d, std::size_t cell) {
    const auto size = static_cast<std::size_t>(d.E * d.n * d.m);
    const auto model = std::span(d.weights).subspan(cell * size, size);
    return std::isfinite(d.losses[cell]) && std::ranges::all_of(model, [](float w) { return std::isfinite(w); });
  };
  for (std::size_t s = 0; s < a.sparsity.size(); ++s) {
    const auto other_s = position_of(b.sparsity, a.sparsity[s]);
    if (!other_s) continue;
    for (std::size_t r = 0; r < a.importance.size(); ++r) {
      const auto other_r = position_of(b.importance, a.importance[r]);
      if (!other_r) continue;
      const Pair pair{a.cell(s, r), b.cell(*other_s, *other_r), quarter_of(a.sparsity[s])};
      if (has_model(a, pair.ours) && has_model(b, pair.reference)) {
        pairs.push_back(pair);
      } else {
        ++result.left_out;
      }
    }
  }
  if (pairs.empty() && result.left_out > 0) {
    throw InputError(fmt::format("{} and {} have no cell in common that has a model in both", ours, reference));
  }
  if (pairs.empty()) throw InputError(fmt::format("{} and {} have no cell in common", ours, reference));
  result.cells = pairs.size();

  auto loss = [](const Diagram& d, std::size_t cell) { return d.losses[cell]; };
  result.rows.push_back(make_row("mean training loss", means(a, b, pairs, -1, loss), kOverallLossTolerance, true));
  for (int q = 0; q < kQuarters; ++q) {
    if (std::ranges::count(pairs, q, &Pair::quarter) == 0) continue;
    result.rows.push_back(make_row(fmt::format("mean training loss, {}", kQuarterNames[q]), means(a, b, pairs, q, loss),
                                   kQuarterLossTolerance, true));
  }
  for (int e = 0; e < a.E; ++e) {
    auto norm = [e](const Diagram& d, std::size_t cell) { return feature_norm(d.expert(cell, e), d.n, d.m, d.n - 1); };
    for (int q = 0; q < kQuarters; ++q) {
      if (std::ranges::count(pairs, q, &Pair::quarter) == 0) continue;
      result.rows.push_back(make_row(fmt::format("last feature's norm, expert {}, {}", e + 1, kQuarterNames[q]),
                                     means(a, b, pairs, q, norm), kNormTolerance, false));
    }
  }
  if (a.E == 1) {
    const auto equal =
        std::ranges::count_if(pairs, [&](const Pair& p) { return class_of(a, p.ours) == class_of(b, p.reference); });
    const double share = static_cast<double>(equal) / static_cast<double>(pairs.size());
    const double needed = a.n == 2 ? kClassAgreementTwo : kClassAgreementMore;
    result.rows.push_back({"cells of the same class", share, 1, share - 1, 1 - needed, false, share >= needed});
  }
  if (result.left_out > 0) {
    const double share = static_cast<double>(result.left_out) / static_cast<double>(result.left_out + pairs.size());
    result.rows.push_back({"cells without a model", share, 0, share, 0.01, false, share <= 0.01});
  }
  result.within_tolerance = std::ranges::all_of(result.rows, &ComparisonRow::within);
  return result;
}

namespace {
std::string amount(const ComparisonRow& row, double value, bool sign) {
  if (row.relative) return sign ? fmt::format("{:+.2f} %", 100 * value) : fmt::format("{:.2f} %", 100 * value);
  return sign ? fmt::format("{:+.4f}", value) : fmt::format("{:.4f}", value);
}
}  // namespace

std::string to_text(const Comparison& comparison) {
  std::string text = fmt::format("{}, {} cells\n", comparison.shape, comparison.cells);
  text += fmt::format("{:<48}{:>12}{:>12}{:>12}{:>12}\n", "", "ours", "reference", "difference", "allowed");
  for (const ComparisonRow& row : comparison.rows) {
    text += fmt::format("{:<48}{:>12.6f}{:>12.6f}{:>12}{:>12}  {}\n", row.what, row.ours, row.reference,
                        amount(row, row.difference, true), amount(row, row.tolerance, false), row.within ? "ok" : "OUT");
  }
  return text + (comparison.within_tolerance ? "within tolerance\n" : "OUT OF TOLERANCE\n");
}

std::string to_markdown(const Comparison& comparison) {
  std::string text =
      fmt::format("| {}, {} cells | ours | reference | difference | allowed | |\n|---|---|---|---|---|---|\n",
                  comparison.shape, comparison.cells);
  for (const ComparisonRow& row : comparison.rows) {
    text +=
        fmt::format("| {} | {:.6f} | {:.6f} | {} | {} | {} |\n", row.what, row.ours, row.reference,
                    amount(row, row.difference, true), amount(row, row.tolerance, false), row.within ? "ok" : "OUT");
  }
  return text;
}

}  // namespace phasegrid
