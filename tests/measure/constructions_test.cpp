// Appendix A.2: mixtures over subsets against the dense models that they stand for, on every support.
#include "phasegrid/error.hpp"
#include "phasegrid/constructions.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <set>

#include "support/random_models.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::expect_refusal;
using testing::OwnedModel;
using testing::random_weights;

struct Limits {
  int n, m, a;
};
constexpr Limits kLimits[] = {{1, 1, 1}, {4, 2, 1}, {4, 2, 2}, {5, 3, 2}, {6, 3, 3}, {9, 4, 2}, {5, 5, 5}, {7, 6, 4}};
constexpr std::size_t kExperts[] = {1, 4, 6, 10, 20, 36, 1, 35};  // n over a

// look(x) at three inputs of every support of at most a features; with negative values too where `any_sign`.
void for_all_supports(const Limits& limits, bool any_sign, const std::function<void(const std::vector<float>&)>& look) {
  for (unsigned support = 0; support < 1u << limits.n; ++support) {
    if (std::popcount(support) > limits.a) continue;
    for (unsigned repeat = 0; repeat < 3; ++repeat) {
      std::vector<float> x = random_weights(static_cast<std::size_t>(limits.n), 3 * support + repeat);
      for (int f = 0; f < limits.n; ++f) {
        float& value = x[static_cast<std::size_t>(f)];
        if (!any_sign) value = std::abs(value);
        if (!(support >> f & 1u)) value = 0;
      }
      look(x);
    }
  }
}

// ReLU(M x + b), and the matrix of a dense model.
std::vector<double> dense_output(const std::vector<double>& M, const std::vector<double>& b,
                                 const std::vector<float>& x) {
  std::vector<double> y = b;
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) y[i] += M[i * x.size() + j] * static_cast<double>(x[j]);
    y[i] = std::max(y[i], 0.0);
  }
  return y;
}
std::vector<double> matrix_of(OwnedModel dense) {
  const int n = dense.shape.n_features;
  std::vector<double> M;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      M.push_back(0);
      for (int h = 0; h < dense.shape.n_hidden; ++h) {
        M.back() += static_cast<double>(dense.W(0, i, h)) * static_cast<double>(dense.W(0, j, h));
      }
    }
  }
  return M;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-12 * (1 + expected[i])) << i;
}

std::vector<float> as_floats(std::span<const double> weights) { return {weights.begin(), weights.end()}; }

TEST(SubsetMixture, HasOneExpertForEverySubset) {
  for (std::size_t i = 0; i < std::size(kLimits); ++i) {
    const auto [n, m, a] = kLimits[i];
    const auto mixture = SubsetMixture::monosemantic(n, m, a);
    EXPECT_EQ(mixture.n_experts(), kExperts[i]);
    std::set<std::vector<int>> subsets;
    for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
      const std::vector<int> subset(mixture.subset(e).begin(), mixture.subset(e).end());
      EXPECT_EQ(subset.size(), static_cast<std::size_t>(a));
      EXPECT_TRUE(std::ranges::is_sorted(subset) && subset.front() >= 0 && subset.back() < n);
      EXPECT_TRUE(subsets.empty() || *subsets.rbegin() < subset);  // in order, so none twice
      subsets.insert(subset);
    }
  }
}

TEST(SubsetMixture, TheRouterIsTheFirstSubsetThatHoldsTheSupport) {
  for (const Limits& limits : kLimits) {
    const auto mixture = SubsetMixture::monosemantic(limits.n, limits.m, limits.a);
    for_all_supports(limits, true, [&](const std::vector<float>& x) {
      std::size_t expected = 0;
      const auto holds = [&](std::size_t e) {
        for (int f = 0; f < limits.n; ++f) {
          if (x[static_cast<std::size_t>(f)] != 0 && !std::ranges::count(mixture.subset(e), f)) return false;
        }
        return true;
      };
      while (!holds(expected)) ++expected;
      EXPECT_EQ(mixture.route(x), expected);
    });
  }
}

// Exactly ReLU(x), which is the dense model M = identity; and every feature of a subset has its dimension to itself.
TEST(SubsetMixture, MonosemanticIsTheIdentityWithReLU) {
  for (const Limits& limits : kLimits) {
    const auto mixture = SubsetMixture::monosemantic(limits.n, limits.m, limits.a);
    for_all_supports(limits, true, [&](const std::vector<float>& x) {
      const std::vector<double> y = mixture.reconstruct(x);
      for (std::size_t f = 0; f < x.size(); ++f) EXPECT_EQ(y[f], x[f] > 0 ? static_cast<double>(x[f]) : 0.0);
    });
    for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
      const std::vector<float> W = as_floats(mixture.encoder(e));
      EXPECT_TRUE(std::ranges::equal(mixture.encoder(e), mixture.decoder(e)));
      for (int f = 0; f < limits.n; ++f) {
        EXPECT_EQ(feature_dimensionality(W, limits.n, limits.m, f), std::ranges::count(mixture.subset(e), f));
      }
    }
  }
}

TEST(SubsetMixture, UntiedEqualsAnyDenseMatrix) {
  for (const Limits& limits : kLimits) {
    const auto n = static_cast<std::size_t>(limits.n);
    const auto weights = random_weights(n * n, 50), biases = random_weights(n, 51);
    const std::vector<double> M(weights.begin(), weights.end()), b(biases.begin(), biases.end());
    const auto mixture = SubsetMixture::untied(M, b, limits.m, limits.a);
    const auto monosemantic = SubsetMixture::monosemantic(limits.n, limits.m, limits.a);
    int open = 0, seen = 0;
    for_all_supports(limits, true, [&](const std::vector<float>& x) {
      const std::vector<double> y = mixture.reconstruct(x);
      expect_near(y, dense_output(M, b, x));
      for (double value : y) open += value > 0, ++seen;
    });
    EXPECT_TRUE(0 < open && open < seen);  // the ReLU matters
    for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
      EXPECT_TRUE(std::ranges::equal(mixture.encoder(e), monosemantic.encoder(e)));
    }
  }
}

// Dense models of one to n hidden units, so also of a lower and of a higher rank than an expert has.
TEST(SubsetMixture, TiedEqualsAnyTiedDenseModel) {
  for (const Limits& limits : kLimits) {
    for (int hidden = 1; hidden <= limits.n; ++hidden) {
      OwnedModel dense({limits.n, hidden, 1, 1}, 60);
      const auto mixture = SubsetMixture::tied(dense.view(), limits.m, limits.a);
      const std::vector<double> M = matrix_of(dense);
      const std::vector<double> b(dense.view().bias(0).begin(), dense.view().bias(0).end());
      for_all_supports(limits, true, [&](const std::vector<float>& x) {
        const std::vector<double> y = mixture.reconstruct(x), expected = dense_output(M, b, x);
        expect_near(y, expected);
        expect_near(expected, reconstruct(dense.view(), x));
      });
      for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
        EXPECT_TRUE(std::ranges::equal(mixture.encoder(e), mixture.decoder(e)));
      }
    }
  }
}

TEST(SubsetMixture, TiedCopesWithRowsThatAddNoDirection) {
  OwnedModel dense({4, 3, 1, 1});
  const float rows[4][3] = {{1, 2, 3}, {0.5f, 1, 1.5f}, {0, 0, 0}, {-3, 0.1f, 0}};
  for (int f = 0; f < 4; ++f) {
    for (int h = 0; h < 3; ++h) dense.W(0, f, h) = rows[f][h];
  }
  const auto mixture = SubsetMixture::tied(dense.view(), 3, 3);
  for_all_supports({4, 3, 3}, true, [&](const std::vector<float>& x) {
    expect_near(mixture.reconstruct(x), dense_output(matrix_of(dense), std::vector<double>(4), x));
  });
}

TEST(SubsetMixture, TiedCopesWithRowsThatAreNearlyTheSame) {
  OwnedModel dense({6, 4, 1, 1}, 62);
  for (int f = 1; f < 4; ++f) {
    for (int h = 0; h < 4; ++h) dense.W(0, f, h) = dense.W(0, 0, h) + 1e-6f * dense.W(0, f, h);
  }
  const auto mixture = SubsetMixture::tied(dense.view(), 4, 4);
  for_all_supports({6, 4, 4}, true, [&](const std::vector<float>& x) {
    expect_near(mixture.reconstruct(x), reconstruct(dense.view(), x));
  });
}

// What the header says of A.2: tied experts keep the superposition of the dense model.
TEST(SubsetMixture, TiedKeepsTheInterferenceOfTheDenseModel) {
  const OwnedModel dense({6, 2, 1, 1}, 61);
  const auto mixture = SubsetMixture::tied(dense.view(), 4, 3);
  for (std::size_t e = 0; e < mixture.n_experts(); ++e) {
    const std::vector<float> W = as_floats(mixture.encoder(e));
    for (int f : mixture.subset(e)) {
      const double expected = interference(dense.view().expert(0), 6, 2, f);
      EXPECT_GT(expected, 0.01);
      EXPECT_NEAR(interference(W, 6, 4, f), expected, 1e-5 * expected);
      EXPECT_NEAR(feature_norm(W, 6, 4, f), feature_norm(dense.view().expert(0), 6, 2, f), 1e-5);
    }
  }
}

// Monosemantic tied experts equal a dense model in superposition where its ReLU clips what interferes, and only there.
TEST(SubsetMixture, MonosemanticEqualsAnAntipodalPairForOneActiveFeature) {
  OwnedModel pair({2, 1, 1, 1});
  pair.W(0, 0, 0) = 1, pair.W(0, 1, 0) = -1;
  const auto mixture = SubsetMixture::monosemantic(2, 1, 1);
  for_all_supports({2, 1, 1}, false, [&](const std::vector<float>& x) {
    EXPECT_EQ(mixture.reconstruct(x), reconstruct(pair.view(), x));
  });
  const std::vector<float> both = {1, 0.5f};
  EXPECT_NE(SubsetMixture::monosemantic(2, 2, 2).reconstruct(both), reconstruct(pair.view(), both));
  EXPECT_EQ(SubsetMixture::tied(pair.view(), 2, 2).reconstruct(both), reconstruct(pair.view(), both));
}

TEST(SubsetMixture, RefusesInputsWithMoreActiveFeatures) {
  const auto mixture = SubsetMixture::monosemantic(5, 3, 2);
  const std::vector<float> three = {0, 1, 0.5f, 0, -1}, two = {0, 1, 0, 0, -1};
  EXPECT_NO_THROW(mixture.reconstruct(two));
  expect_refusal("3 active features", "at most active = 2 of n_features = 5", [&] { mixture.reconstruct(three); });
  EXPECT_THROW(mixture.route(std::vector<float>(4)), InputError);
}

TEST(SubsetMixture, RefusesImpossibleLimits) {
  for (const auto& [n, m, a] : {Limits{5, 3, 0}, {5, 3, 4}, {5, 6, 3}, {0, 0, 0}, {5, 0, -1}}) {
    expect_refusal("active = " + std::to_string(a), "1 <= active <= n_hidden <= n_features",
                   [n = n, m = m, a = a] { SubsetMixture::monosemantic(n, m, a); });
  }
  expect_refusal("too many", "at most 4096 experts", [] { SubsetMixture::monosemantic(256, 64, 64); });
  EXPECT_EQ(SubsetMixture::monosemantic(20, 5, 5).n_experts(), 15504u);
  expect_refusal("n_experts", "= 1, not 2", [] { SubsetMixture::tied(OwnedModel({3, 1, 2, 1}).view(), 2, 1); });
  Shape other{3, 2, 1, 1};
  other.output = Activation::linear;
  const std::vector<float> parameters(static_cast<std::size_t>(other.parameter_count()), 0.5f);
  EXPECT_THROW(SubsetMixture::tied({other, parameters}, 2, 1), InputError);
  EXPECT_THROW(SubsetMixture::untied(std::vector<double>(8), std::vector<double>(3), 2, 1), InputError);
}

// The same as a model of the paper's own architecture, with a linear router, for inputs that are not negative.
TEST(MonosemanticModel, ReconstructsEveryInputThatItHolds) {
  for (const Limits& limits : kLimits) {
    const ConstructedModel model = monosemantic_model(limits.n, limits.m, limits.a);
    const auto mixture = SubsetMixture::monosemantic(limits.n, limits.m, limits.a);
    EXPECT_EQ(model.shape, (Shape{limits.n, limits.m, static_cast<int>(mixture.n_experts()), 1}));
    for_all_supports(limits, false, [&](const std::vector<float>& x) {
      EXPECT_EQ(reconstruct(model.view(), x), std::vector<double>(x.begin(), x.end()));
      EXPECT_EQ(route(model.view(), x).experts.front(), static_cast<int>(mixture.route(x)));
    });
    // Each of its experts represents a features in a of its m dimensions.
    EXPECT_EQ(total_capacity(model.view()), static_cast<double>(mixture.n_experts()) * limits.a);
  }
}

TEST(MonosemanticModel, LosesWhatIsTooMuchForIt) {
  const ConstructedModel model = monosemantic_model(4, 2, 2);
  const std::vector<float> three = {0.5f, 0.25f, 0, 0.75f};
  EXPECT_EQ(reconstruct(model.view(), three), (std::vector<double>{0.5, 0, 0, 0.75}));
}

}  // namespace
}  // namespace phasegrid
