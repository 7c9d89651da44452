// The comparison of two diagrams: each row goes out for its own reason alone.
#include "measure/compare.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <tuple>

#include "results/npz.hpp"
#include "phasegrid/results_file.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;
using testing::TemporaryFolder;

// A diagram of 10 x 10 cells with hand-made losses and weights. Only the first two rows of an expert and its last are
// not 0: the first is (1, 0, ..), and the last (0.9, 0, ..), so that the last feature is superposed.
struct Diagram {
  std::vector<double> sparsity = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
  std::vector<double> importance = {0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 5, 10};
  std::size_t E = 1, n = 2, m = 1;
  std::vector<float> losses;   // [S][R]
  std::vector<float> weights;  // [S][R][E][n][m]

  Diagram(std::size_t experts, std::size_t features, std::size_t hidden) : E(experts), n(features), m(hidden) {
    for (std::size_t cell = 0; cell < cells(); ++cell) {
      losses.push_back(static_cast<float>(0.1 * (1 - sparsity[cell / importance.size()])));
    }
    weights.assign(cells() * E * n * m, 0);
    for (std::size_t cell = 0; cell < cells(); ++cell) {
      for (std::size_t e = 0; e < E; ++e) first(cell, e) = 1, last(cell, e) = 0.9f;
    }
  }

  std::size_t cells() const { return sparsity.size() * importance.size(); }
  float& first(std::size_t cell, std::size_t e) { return weights[(cell * E + e) * n * m]; }
  float& last(std::size_t cell, std::size_t e) { return weights[((cell * E + e) * n + n - 1) * m]; }

  // Every second sparsity and every fifth importance.
  Diagram part() const {
    Diagram part(E, n, m);
    part.sparsity.clear(), part.importance.clear(), part.losses.clear(), part.weights.clear();
    for (std::size_t s = 0; s < sparsity.size(); s += 2) part.sparsity.push_back(sparsity[s]);
    for (std::size_t r = 0; r < importance.size(); r += 5) part.importance.push_back(importance[r]);
    for (std::size_t s = 0; s < sparsity.size(); s += 2) {
      for (std::size_t r = 0; r < importance.size(); r += 5) {
        const std::size_t cell = s * importance.size() + r, size = E * n * m;
        part.losses.push_back(losses[cell]);
        part.weights.insert(part.weights.end(), &weights[cell * size], &weights[cell * size] + size);
      }
    }
    return part;
  }

  NpzArrays arrays() const {
    const std::size_t S = sparsity.size(), R = importance.size();
    return {{"sparsity_values", make_array(std::span<const double>(sparsity), {S})},
            {"importance_values", make_array(std::span<const double>(importance), {R})},
            {"final_losses", make_array(std::span<const float>(losses), {S, R})},
            {"expert_weights", make_array(std::span<const float>(weights), {S, R, E, n, m})}};
  }

  // As the authors have it: flat, the rows in an order of their own, and objects among the arrays.
  NpzArrays flat() const {
    const std::size_t S = sparsity.size(), R = importance.size(), size = E * n * m;
    std::vector<double> keys, wide;
    std::vector<float> models;
    for (std::size_t i = 0; i < cells(); ++i) {
      const std::size_t cell = (7 * i + 3) % cells();
      keys.insert(keys.end(), {sparsity[cell / R], importance[cell % R] + 1e-9});
      wide.push_back(static_cast<double>(losses[cell]));
      models.insert(models.end(), &weights[cell * size], &weights[cell * size] + size);
    }
    return {{"sparsity_values", make_array(std::span<const double>(sparsity), {S})},
            {"importance_values", make_array(std::span<const double>(importance), {R})},
            {"config_params", NpyArray{"|O", {}, testing::Bytes(40, std::byte{0x80})}},
            {"grid_keys", make_array(std::span<const double>(keys), {S * R, 2})},
            {"final_losses", make_array(std::span<const double>(wide), {S * R})},
            {"expert_weights_list", make_array(std::span<const float>(models), {S * R, E, n, m})},
            {"router_weights_list", NpyArray{"|O", {S * R}, testing::Bytes(40, std::byte{0x80})}},
            {"save_timestamp", make_string("2025-08-15T07:29:49.086310")}};
  }
};

class CompareTest : public ::testing::Test {
 protected:
  Comparison compared(const Diagram& ours, const Diagram& reference) {
    return compared(ours.arrays(), reference.arrays());
  }
  Comparison compared(const NpzArrays& ours, const NpzArrays& reference) {
    testing::write_bytes(ours_, npz_bytes(ours));
    testing::write_bytes(reference_, npz_bytes(reference));
    return compare(ours_, reference_);
  }
  TemporaryFolder folder_;
  std::string ours_ = folder_.file("ours.npz"), reference_ = folder_.file("reference.npz");
};

using Names = std::vector<std::string>;

Names out_rows(const Comparison& comparison) {
  Names out;
  for (const ComparisonRow& row : comparison.rows) {
    if (!row.within) out.push_back(row.what);
  }
  EXPECT_EQ(comparison.within_tolerance, out.empty());
  return out;
}

const ComparisonRow& row_of(const Comparison& comparison, const std::string& what) {
  const auto found = std::ranges::find(comparison.rows, what, &ComparisonRow::what);
  if (found == comparison.rows.end()) throw std::runtime_error("no row " + what);
  return *found;
}

TEST_F(CompareTest, EqualDiagramsAreWithinTolerance) {
  for (std::size_t E : {1, 2, 3}) {
    const Diagram diagram(E, 3, 2);
    const Comparison comparison = compared(diagram, diagram);
    EXPECT_TRUE(comparison.within_tolerance);
    EXPECT_EQ(comparison.shape, fmt::format("n = 3, m = 2, E = {}", E));
    EXPECT_EQ(comparison.cells, 100u);
    EXPECT_EQ(comparison.left_out, 0u);
    EXPECT_EQ(comparison.rows.size(), 1 + 4 + 4 * E + (E == 1 ? 1 : 0));
    for (const ComparisonRow& row : comparison.rows) EXPECT_EQ(row.difference, 0) << row.what;
    EXPECT_NEAR(row_of(comparison, "mean training loss").ours, 0.055, 1e-6);
    EXPECT_NEAR(row_of(comparison, "last feature's norm, expert 1, S >= 0.75").reference, 0.9, 1e-6);
  }
}

TEST_F(CompareTest, LossesOfZeroAreEqual) {
  Diagram diagram(1, 2, 1);
  std::ranges::fill(diagram.losses, 0.0f);
  EXPECT_EQ(out_rows(compared(diagram, diagram)), Names{});
}

TEST_F(CompareTest, OverallLoss) {
  const Diagram reference(2, 3, 2);
  for (const double change : {2 * kOverallLossTolerance, -2 * kOverallLossTolerance, 0.9 * kOverallLossTolerance}) {
    Diagram ours = reference;
    for (float& loss : ours.losses) loss *= static_cast<float>(1 + change);
    const Comparison comparison = compared(ours, reference);
    EXPECT_EQ(out_rows(comparison), std::abs(change) > kOverallLossTolerance ? Names{"mean training loss"} : Names{});
    EXPECT_NEAR(row_of(comparison, "mean training loss").difference, change, 1e-6);
    EXPECT_TRUE(row_of(comparison, "mean training loss").relative);
  }
}

TEST_F(CompareTest, LossOfOneQuarter) {
  const Diagram reference(2, 3, 2);
  Diagram ours = reference;
  for (std::size_t cell = 80; cell < 100; ++cell)
    ours.losses[cell] *= static_cast<float>(1 + 1.1 * kQuarterLossTolerance);
  EXPECT_EQ(out_rows(compared(ours, reference)), Names{"mean training loss, S >= 0.75"});
}

TEST_F(CompareTest, QuartersBeginAtTheirLimits) {
  Diagram reference(1, 2, 1);
  reference.sparsity = {0, 0.1, 0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.8, 0.9};
  Diagram ours = reference;
  for (std::size_t s : {3, 5, 7}) ours.last(10 * s, 0) += 0.1f;
  const Comparison comparison = compared(ours, reference);
  const std::pair<const char*, int> sizes[] = {{"0.25 <= S < 0.5", 20}, {"0.5 <= S < 0.75", 20}, {"S >= 0.75", 30}};
  for (const auto& [quarter, size] : sizes) {
    const auto& row = row_of(comparison, fmt::format("last feature's norm, expert 1, {}", quarter));
    EXPECT_NEAR(row.difference, 0.1 / size, 1e-7) << quarter;
  }
}

TEST_F(CompareTest, NormOfOneExpertInOneQuarter) {
  const Diagram reference(2, 3, 2);
  for (const double change : {1.1 * kNormTolerance, -1.1 * kNormTolerance, 0.9 * kNormTolerance}) {
    Diagram ours = reference;
    for (std::size_t cell = 30; cell < 50; ++cell) ours.last(cell, 1) += static_cast<float>(change);
    const Comparison comparison = compared(ours, reference);
    const std::string what = "last feature's norm, expert 2, 0.25 <= S < 0.5";
    EXPECT_EQ(out_rows(comparison), std::abs(change) > kNormTolerance ? Names{what} : Names{});
    EXPECT_NEAR(row_of(comparison, what).difference, change, 1e-6);
    EXPECT_FALSE(row_of(comparison, what).relative);
  }
}

TEST_F(CompareTest, ClassesOfDenseModels) {
  for (const auto& [n, needed] : {std::pair<std::size_t, double>{2, kClassAgreementTwo}, {3, kClassAgreementMore}}) {
    const Diagram reference(1, n, 1);
    const auto may_differ = static_cast<std::size_t>(std::lround(100 * (1 - needed)));
    for (const std::size_t differ : {may_differ, may_differ + 1}) {
      Diagram ours = reference;
      for (std::size_t cell = 0; cell < differ; ++cell) ours.first(cell, 0) = 0.1f;  // monosemantic; no norm changes
      const Comparison comparison = compared(ours, reference);
      EXPECT_EQ(out_rows(comparison), differ > may_differ ? Names{"cells of the same class"} : Names{}) << n;
      EXPECT_NEAR(row_of(comparison, "cells of the same class").ours, 1 - 0.01 * static_cast<double>(differ), 1e-12);
    }
  }
}

TEST_F(CompareTest, ClassLimits) {
  // Norm 0.5 is no longer ignored, and interference 0.25 is superposed; the floats just below are not.
  const Diagram reference(1, 2, 1);
  auto classes_equal = [&](std::pair<float, float> ours_model, std::pair<float, float> reference_model) {
    Diagram a = reference, b = reference;
    a.first(0, 0) = ours_model.first, a.last(0, 0) = ours_model.second;
    b.first(0, 0) = reference_model.first, b.last(0, 0) = reference_model.second;
    return row_of(compared(a, b), "cells of the same class").ours == 1;
  };
  const float below = std::nextafter(0.5f, 0.0f);
  EXPECT_TRUE(classes_equal({1, 0.5f}, {1, 0.9f}));       // both superposed
  EXPECT_FALSE(classes_equal({1, below}, {1, 0.9f}));     // ignored
  EXPECT_TRUE(classes_equal({1, below}, {0.1f, below}));  // both ignored
  EXPECT_TRUE(classes_equal({0.5f, 1}, {1, 0.9f}));
  EXPECT_FALSE(classes_equal({below, 1}, {1, 0.9f}));  // monosemantic
}

TEST_F(CompareTest, CommonCellsAlone) {
  const Diagram reference(1, 3, 2);
  Diagram ours = reference.part();
  for (double& value : ours.sparsity) value += 1e-9;
  for (const Comparison& comparison : {compared(ours, reference), compared(reference, ours)}) {
    EXPECT_EQ(out_rows(comparison), Names{});
    EXPECT_EQ(comparison.cells, 10u);
  }
  ours.sparsity[1] = 0.25;  // not among the reference's
  ours.importance[1] = 3;
  EXPECT_EQ(compared(ours, reference).cells, 4u);
  ours.sparsity = {0.01, 0.02, 0.03, 0.04, 0.05};
  EXPECT_THROW(compared(ours, reference), InputError);
  expect_refusal(ours_, "have no cell in common", [&] { compare(ours_, reference_); });
  expect_refusal(reference_, "have no cell in common", [&] { compare(ours_, reference_); });
}

TEST_F(CompareTest, CellsWithoutAModelAreLeftOutAndCounted) {
  const Diagram reference(1, 2, 1);
  Diagram ours = reference;
  ours.losses[5] = std::numeric_limits<float>::quiet_NaN();
  ours.last(5, 0) = std::numeric_limits<float>::quiet_NaN();
  Comparison comparison = compared(ours, reference);
  EXPECT_EQ(comparison.left_out, 1u);
  EXPECT_EQ(comparison.cells, 99u);
  EXPECT_EQ(out_rows(comparison), Names{});
  EXPECT_NEAR(row_of(comparison, "cells without a model").ours, 0.01, 1e-12);

  Diagram other = reference;
  other.last(99, 0) = std::numeric_limits<float>::infinity();
  comparison = compared(ours, other);
  EXPECT_EQ(comparison.left_out, 2u);
  EXPECT_EQ(comparison.cells, 98u);
  EXPECT_EQ(out_rows(comparison), Names{"cells without a model"});

  std::ranges::fill(ours.losses, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THROW(compared(ours, reference), InputError);
}

TEST_F(CompareTest, UnusableFilesAreRefused) {
  const Diagram diagram(2, 3, 2);
  for (const Diagram& other : {Diagram(1, 3, 2), Diagram(2, 4, 2), Diagram(2, 3, 1)}) {
    EXPECT_THROW(compared(diagram, other), InputError);
    expect_refusal(ours_, "shapes must be equal", [&] { compare(ours_, reference_); });
  }
  const NpzArrays good = diagram.arrays();
  for (std::size_t i = 0; i < good.size(); ++i) {
    NpzArrays missing = good, flat = good;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    flat[i].second.shape = {1, flat[i].second.size()};
    for (const NpzArrays& bad : {missing, flat}) {
      EXPECT_THROW(compared(good, bad), InputError) << good[i].first;
      expect_refusal(reference_, good[i].first, [&] { compare(ours_, reference_); });
    }
  }
  expect_refusal(folder_.file("absent.npz"), "cannot be read", [&] { compare(folder_.file("absent.npz"), ours_); });
}

TEST_F(CompareTest, EveryRowIsPrinted) {
  const Diagram reference(1, 3, 2);
  Diagram ours = reference;
  for (float& loss : ours.losses) loss *= 1.02f;
  ours.losses[0] = std::numeric_limits<float>::quiet_NaN();
  const Comparison comparison = compared(ours, reference);
  const std::string printed = to_text(comparison), markdown = to_markdown(comparison);
  for (const std::string& text : {printed, markdown}) {
    EXPECT_NE(text.find("n = 3, m = 2, E = 1, 99 cells"), std::string::npos) << text;
    for (const ComparisonRow& row : comparison.rows) EXPECT_NE(text.find(row.what), std::string::npos) << row.what;
    EXPECT_NE(text.find("OUT"), std::string::npos);
    EXPECT_NE(text.find("+2.00 %"), std::string::npos);
  }
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(markdown, '\n')), 2 + comparison.rows.size());
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(printed, '\n')), 3 + comparison.rows.size());
}

TEST_F(CompareTest, FlatFilesOfTheAuthors) {
  for (std::size_t E : {1, 2}) {
    Diagram diagram(E, 3, 2);
    for (std::size_t cell = 0; cell < diagram.cells(); ++cell) {
      diagram.losses[cell] += 0.001f * static_cast<float>(cell);
      diagram.last(cell, E - 1) = 0.01f * static_cast<float>(cell);
    }
    for (const auto& [a, b] : {std::pair(diagram.arrays(), diagram.flat()), {diagram.flat(), diagram.arrays()}}) {
      const Comparison comparison = compared(a, b);
      EXPECT_EQ(comparison.cells, 100u);
      for (const ComparisonRow& row : comparison.rows) EXPECT_EQ(row.difference, 0) << row.what;
    }
    Diagram other = diagram;
    for (std::size_t cell = 80; cell < 100; ++cell) other.losses[cell] *= 1.05f;
    EXPECT_EQ(out_rows(compared(diagram.flat(), other.flat())), Names{"mean training loss, S >= 0.75"});
  }
}

TEST_F(CompareTest, UnusableFlatFilesAreRefused) {
  const NpzArrays good = Diagram(2, 3, 2).flat();
  auto refused = [&](const NpzArrays& bad, const std::string& reason) {
    EXPECT_THROW(compared(good, bad), InputError) << reason;
    expect_refusal(reference_, reason, [&] { compare(ours_, reference_); });
  };
  for (const std::size_t needed : {0, 1, 3, 4, 5}) {
    NpzArrays missing = good, flat = good, object = good;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(needed));
    // Without its own name for the weights it is taken for a grid.
    refused(missing, needed == 5 ? "final_losses" : good[needed].first);
    flat[needed].second.shape = {1, flat[needed].second.size()};
    refused(flat, good[needed].first);
    object[needed].second.type = "|O";
    refused(object, good[needed].first + "' has elements of type |O");
  }
  const std::pair<double, const char*> keys[] = {{0.15, "none of them"}, {NAN, "none of them"}, {0.2, "there twice"}};
  for (const auto& [value, reason] : keys) {  // of the first row, in place of S = 0
    NpzArrays other = good;
    std::memcpy(other[3].second.bytes.data(), &value, sizeof value);
    refused(other, reason);
    refused(other, "'grid_keys' must name every pair");
  }
}

// Dense models: the authors' losses hold alpha, ours do not; those of 0.1.0, which have no reconstruction losses, did.
TEST_F(CompareTest, TheLoadBalanceOfDenseModelsIsAddedWhereOneSideHoldsIt) {
  Sweep sweep;
  sweep.axes = {{AxisName::sparsity, {0.1, 0.5}}, {AxisName::last_importance, {0.5, 1, 2}}};
  sweep.restarts = 1;
  sweep.train.load_balance = 0.25;
  for (const int experts : {1, 2}) {
    sweep.shape = {3, 2, experts, 1};
    Results results(sweep);
    const std::vector<float> parameters(static_cast<std::size_t>(sweep.shape.parameter_count()), 0.5f);
    for (std::size_t cell = 0; cell < results.cells(); ++cell) {
      results.take(cell, 0, {0.01f * static_cast<float>(1 + cell), 0.001f}, kTrained, parameters, {}, {});
    }
    save_results(results, ours_);
    save_results(results, reference_, Layout::authors);
    const double mean = 0.035, constant = experts == 1 ? 0.25 : 0;
    const std::tuple<std::string, std::string, double> cases[] = {{ours_, reference_, mean + constant},
                                                                  {reference_, ours_, mean + constant},
                                                                  {ours_, ours_, mean},
                                                                  {reference_, reference_, mean + constant}};
    for (const auto& [a, b, loss] : cases) {
      const Comparison comparison = compare(a, b);
      EXPECT_TRUE(comparison.within_tolerance);
      EXPECT_NEAR(row_of(comparison, "mean training loss").ours, loss, 1e-7);
      EXPECT_NEAR(row_of(comparison, "mean training loss").reference, loss, 1e-7);
    }
    const NpzFile file(ours_);
    NpzArrays old;
    for (const char* key : {"sparsity_values", "importance_values", "final_losses", "expert_weights", "config"}) {
      old.emplace_back(key, file.array(key));
    }
    testing::write_bytes(reference_, npz_bytes(old));
    const Comparison comparison = compare(ours_, reference_);
    EXPECT_NEAR(row_of(comparison, "mean training loss").ours, mean + constant, 1e-7);
    EXPECT_NEAR(row_of(comparison, "mean training loss").reference, mean, 1e-7);
  }
}

// Nine cells of the authors' own 212, and their whole 212 converted to a grid.
TEST(Compare, AuthorsOwnFile) {
  const std::string folder = PHASEGRID_SOURCE_DIR "/../shared/";
  const std::string own = folder + "faults/authors_layout_sample.npz", whole = folder + "reference/fig4_212.npz";
  if (!std::filesystem::exists(own) || !std::filesystem::exists(whole)) GTEST_SKIP() << "no " << own;
  const Comparison comparison = compare(own, whole);
  EXPECT_EQ(comparison.cells, 9u);
  for (const ComparisonRow& row : comparison.rows) EXPECT_NEAR(row.difference, 0, 1e-6) << row.what;
}

TEST(Compare, AuthorsFileAgainstItself) {
  const std::string path = PHASEGRID_SOURCE_DIR "/../shared/reference/fig4_211.npz";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
  const Comparison comparison = compare(path, path);
  EXPECT_EQ(out_rows(comparison), Names{});
  EXPECT_EQ(comparison.shape, "n = 2, m = 1, E = 1");
  EXPECT_EQ(comparison.cells, 39u * 58u);
}

}  // namespace
}  // namespace phasegrid
